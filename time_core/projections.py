"""Which weights of a model an edit belongs on, and what they read."""

from comfy.model_patcher import ModelPatcher

from .families import FAMILIES
from .families.family import Family, Weights
from .reading import TextReading


def cross_attention(model: ModelPatcher) -> TextReading:
    """The key and value projections of `model` that read text.

    Raises ValueError naming the model class if it has none, or if it reads pictures by them.
    """
    return _reading(model, entry=False)


def text_entry(model: ModelPatcher) -> TextReading:
    """The layer by which text enters a joint-attention model. Raises ValueError naming the model class if it has none."""
    return _reading(model, entry=True)


def family_of(model: ModelPatcher, entry: bool = False) -> Family | None:
    """The family of `model` among those with cross-attention, or with `entry` among those with an entry layer."""
    weights = _weights(model)
    return next((family for family in FAMILIES if family.entry == entry and family.find(weights)), None)


def _reading(model: ModelPatcher, entry: bool) -> TextReading:
    weights = _weights(model)
    model_class = type(model.model).__name__
    if any(".time_stack." in name for name in weights):
        raise ValueError(f"The model ({model_class}) reads pictures and not text, so TIME cannot edit it.")
    family = family_of(model, entry)
    if family is None:
        raise ValueError(
            f"The model ({model_class}) has no cross-attention key and value projections that read text, so TIME cannot "
            "edit it."
        )
    projections = family.find(weights)
    return TextReading(
        family=family.name,
        width=weights[projections[0].name].shape[1],
        projections=projections,
        projector=family.name if family.project else "",
        track=family.track,
    )


def _weights(model: ModelPatcher) -> Weights:
    return model.model_state_dict("diffusion_model.")
