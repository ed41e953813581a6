"""Which weights of a model an edit belongs on, and what they read."""

import comfy.utils
from comfy.model_patcher import ModelPatcher

from ..prompts.pairs import Settings
from .families import FAMILIES, REFUSED
from .families.family import Family, Weights
from .families.text_reading import Projection, TextReading

CROSS_ATTENTION, TEXT_ENTRY = "cross-attention", "text entry layer"  # where an edit is put


def read_text(model: ModelPatcher, where: str) -> TextReading:
    """How `model` reads text by its cross-attention or, if `where` is TEXT_ENTRY, by its text entry layer."""
    return text_entry(model) if where == TEXT_ENTRY else cross_attention(model)


def choose(model: ModelPatcher, reading: TextReading, settings: Settings, text_width: int) -> tuple[Projection, ...]:
    """The projections for an edit with these settings of text of this width.

    Raises ValueError if the model reads text of another width, and as TextReading.chosen.
    """
    if reading.width != text_width:
        raise ValueError(
            f"The model ({type(model.model).__name__}) reads text of width {reading.width}, but the edit's text encoder "
            f"gives {text_width}; use the text encoder that belongs to the model."
        )
    return reading.chosen(settings.edit_keys, settings.edit_values, settings.layers)


def cross_attention(model: ModelPatcher) -> TextReading:
    """The key and value projections of `model` that read text.

    Raises ValueError naming the model class if it has none, or if they read something else.
    """
    family = family_of(model)
    if family is None:
        joint = family_of(model, entry=True)
        raise ValueError(
            f"The model ({_class(model)}) has no cross-attention key and value projections that read text"
            + (
                f": {joint.name} mixes text and picture in joint attention. Set where to 'text entry layer', or use TIME "
                "Edit Conditioning; both are the exact counterpart."
                if joint
                else ", so TIME cannot edit its weights. If it reads text at all, TIME Edit Conditioning can edit that."
            )
        )
    return _reading(model, family)


def text_entry(model: ModelPatcher) -> TextReading:
    """The layer by which text enters a joint-attention model. Raises ValueError naming the model class if it has none."""
    family = family_of(model, entry=True)
    if family is None:
        has_cross_attention = family_of(model) is not None
        raise ValueError(
            f"The model ({_class(model)}) "
            + (
                "reads text by cross-attention; set where to 'cross-attention'."
                if has_cross_attention
                else "has no single layer by which all text enters; use TIME Edit Conditioning, which is the same."
            )
        )
    return _reading(model, family)


def family_of(model: ModelPatcher, entry: bool = False) -> Family | None:
    """The family of `model` among those with cross-attention, or with `entry` among those with an entry layer.

    Raises ValueError with the reason for models that look like a family and cannot be edited.
    """
    weights = _weights(model)
    for pattern, reason in REFUSED.items():
        if any(pattern.fullmatch(name) for name in weights):
            raise ValueError(f"The model ({_class(model)}) {reason}, so TIME cannot edit its weights.")
    return next((family for family in FAMILIES if family.entry == entry and family.find(weights)), None)


def _reading(model: ModelPatcher, family: Family) -> TextReading:
    projections = family.find(_weights(model))
    first = projections[0].name
    module = comfy.utils.get_attr(model.model, first.removesuffix(".weight"))
    return TextReading(
        family=family.name,
        # Some quantised weights pack two numbers in one, so the layer knows better.
        width=getattr(module, "in_features", None) or comfy.utils.get_attr(model.model, first).shape[1],
        projections=projections,
        projector=family.name if family.project else "",
        track=family.track,
    )


def _weights(model: ModelPatcher) -> Weights:
    return model.model_state_dict("diffusion_model.")


def _class(model: ModelPatcher) -> str:
    return type(model.model).__name__
