"""A model's own way from the text encoder's embedding to what its keys and values read."""

from typing import Any

import torch
from comfy.model_management import OOM_EXCEPTION, load_models_gpu
from comfy.model_patcher import ModelPatcher

from ..prompts.fingerprint import summarise
from ..prompts.text import Projector
from .current_weight import current_weight
from .families.family import Family
from .projections import family_of

NUMBERS = 8  # of a probe, for every weight of the projector


def projector_of(model: ModelPatcher, entry: bool = False) -> Projector | None:
    """The projector of `model`, or None where raw text rows reach its projections; `entry` as in `family_of`.

    It runs on the model's device in the model's precision with the model's patches, as sampling does.
    """
    family = family_of(model, entry)
    if family is None or family.project is None:
        return None
    through_model = family.project

    def project(embedding: torch.Tensor, extra: dict[str, Any]) -> torch.Tensor:
        load_models_gpu([model])
        with torch.no_grad():
            rows = embedding.to(device=model.load_device, dtype=model.model.get_dtype_inference())
            try:
                return through_model(model.model.diffusion_model, rows, extra).cpu()
            except OOM_EXCEPTION:
                raise
            except (RuntimeError, KeyError) as error:  # the width, or what else the text encoder gives, is another's
                raise ValueError(
                    f"clip gives rows of width {rows.shape[-1]} that the text projector of model ({family.name}) cannot read "
                    f"({error}); connect the clip that belongs to model."
                ) from error

    return Projector(family.name, project, _probe(model, family), family.track)


def projector_probe(model: ModelPatcher, entry: bool = False) -> tuple[float, ...]:
    """Numbers of the projector's weights, for `Fingerprint.same_projector`; empty if there is none."""
    family = family_of(model, entry)
    return () if family is None or family.project is None else _probe(model, family)


def _probe(model: ModelPatcher, family: Family) -> tuple[float, ...]:
    """NUMBERS numbers for every weight, each weight scaled to the same length."""
    probe: list[float] = []
    for name in _weights(model, family):
        weight = current_weight(model, name).double()
        probe += summarise(weight.reshape(-1, weight.shape[-1]) / weight.norm().clamp(min=1e-12), NUMBERS)
    return tuple(probe)


def _weights(model: ModelPatcher, family: Family) -> list[str]:
    """The names of the projector's weights, of a module's the bias last.

    A quantised module lists its scales among them, and its bias first.
    """
    of_projector, parameters = family.projector_weights, {name for name, _ in model.model.named_parameters()}
    names = [name for name in model.model_state_dict("diffusion_model.") if name in parameters]
    names = [name for name in names if of_projector and of_projector.fullmatch(name)]
    modules = list(dict.fromkeys(name.rpartition(".")[0] for name in names))
    return sorted(names, key=lambda name: (modules.index(name.rpartition(".")[0]), name.endswith(".bias")))
