"""A model's own way from the text encoder's embedding to what its keys and values read."""

from comfy.model_patcher import ModelPatcher

from .projections import family_of
from .text import Projector


def projector_of(model: ModelPatcher, entry: bool = False) -> Projector | None:
    """The projector of `model`, or None where raw text rows reach its projections."""
    family = family_of(model, entry)
    if family is None or family.project is None:
        return None
    raise NotImplementedError
