"""A TIME edit on what the keys and values read instead of on their weights: W (I + s P) c = W (c + s P c).

No weight is touched, so the result is exact whatever the weights are stored as; and as no weight is, merging and saving
a model leaves the edit out. W is the weight with all LoRAs, also with those that come after the edit.

For U-Nets, whose transformer blocks offer their key and value inputs to patches (attn2_patch,
comfy/ldm/modules/attention.py).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher

from ..reading.families.text_reading import Projection

UNET_BLOCK = re.compile(
    r"diffusion_model\.(?P<part>input|middle|output)_blocks?(?:\.(?P<number>\d+))?\.\d+\.transformer_blocks\.(?P<index>\d+)\..*"
)
Block = tuple[str, int, int]  # as the host names it: part, number of the block, number of the transformer in it


@dataclass(frozen=True, eq=False)
class TextStep:
    """One edit at one strength, for the keys and the values of some blocks."""

    left: torch.Tensor
    right: torch.Tensor
    strength: float
    keys: frozenset[Block]
    values: frozenset[Block]

    def apply(self, rows: torch.Tensor) -> torch.Tensor:
        """rows (batch, n, text width) as rows + strength * P rows, in float32 and back."""
        text = rows.to(torch.float32)
        return (text + self.strength * (text @ self.right) @ self.left.T).to(rows.dtype)

    def to(self, device: torch.device) -> "TextStep":
        return replace(self, left=self.left.to(device), right=self.right.to(device))


class TextRoute:
    """The host's attn2_patch for one or several edits.

    Of edits one after another on a model, W (I + P1) (I + P2), the last one meets the text first.
    """

    def __init__(self, steps: tuple[TextStep, ...]):
        self.steps = steps

    def __call__(
        self, n: torch.Tensor, context: torch.Tensor, value: torch.Tensor, extra_options: dict[str, Any]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        block = (*extra_options["block"], extra_options.get("block_index", 0))
        for step in reversed(self.steps):
            shared = value is context and block in step.keys and block in step.values
            if block in step.keys:
                edited = step.apply(context)
                value = edited if shared else value
                context = edited
            if block in step.values and not shared:
                value = step.apply(value)
        return n, context, value

    def scaled(self, factor: float) -> "TextRoute":
        """The same edits at `factor` times their strengths."""
        return TextRoute(tuple(replace(step, strength=factor * step.strength) for step in self.steps))

    def to(self, target: torch.device | torch.dtype) -> "TextRoute":
        """The host moves patches by this name, to the model's device and to its dtype; the factors stay in float32."""
        if isinstance(target, torch.dtype):
            return self
        return TextRoute(tuple(step.to(target) for step in self.steps))


def has_text_route(projections: Sequence[Projection]) -> bool:
    """Whether these projections' inputs can be edited instead of their weights."""
    return all(UNET_BLOCK.fullmatch(projection.name) for projection in projections)


def text_step(projections: Sequence[Projection], left: torch.Tensor, right: torch.Tensor, strength: float) -> TextStep:
    return TextStep(left, right, strength, _blocks(projections, "key"), _blocks(projections, "value"))


def add_text_route(model: ModelPatcher, step: TextStep) -> None:
    """Put the edit on `model`, a clone of the caller's own, behind edits that it already has on this route."""
    patches = model.model_options["transformer_options"].setdefault("patches", {})
    others = patches.get("attn2_patch", [])
    earlier = _routes(model)
    patches["attn2_patch"] = [patch for patch in others if not isinstance(patch, TextRoute)]
    model.set_model_attn2_patch(TextRoute((*(step for route in earlier for step in route.steps), step)))


def on_text_route(model: ModelPatcher) -> bool:
    """Whether `model` already carries an edit on this route."""
    return bool(_routes(model))


def _routes(model: ModelPatcher) -> list[TextRoute]:
    patches = model.model_options["transformer_options"].get("patches", {})
    return [patch for patch in patches.get("attn2_patch", []) if isinstance(patch, TextRoute)]


def _blocks(projections: Sequence[Projection], kind: str) -> frozenset[Block]:
    matches = (UNET_BLOCK.fullmatch(projection.name) for projection in projections if projection.kind == kind)
    return frozenset((match["part"], int(match["number"] or 0), int(match["index"])) for match in matches if match)
