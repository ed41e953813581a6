"""The prompts that guide a model."""

import math
from dataclasses import dataclass

import comfy.samplers


@dataclass(frozen=True, eq=False)
class Guidance:
    """
    Attributes:
        positive, negative: CONDITIONING; negative may be None where nothing reads it, see `negative_is_read`.
        cfg: how much stronger than the negative the positive prompt counts.
    """

    positive: list
    negative: list | None
    cfg: float

    def guider(self, model) -> comfy.samplers.CFGGuider:
        """The host's guider with these prompts, for a MODEL."""
        prompts = {"positive": self.positive} | ({} if self.negative is None else {"negative": self.negative})
        guider = comfy.samplers.CFGGuider(model)
        guider.inner_set_conds(prompts)
        guider.set_cfg(self.cfg)
        return guider


def negative_is_read(model, cfg: float) -> bool:
    """Does the host evaluate a negative prompt of this MODEL at this guidance?"""
    return not math.isclose(cfg, 1.0) or model.model_options.get("disable_cfg1_optimization", False)
