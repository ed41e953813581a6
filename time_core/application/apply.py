"""A TIME edit on a model: on its weights, or on what they read."""

import math
from collections.abc import Sequence

import comfy.utils
from comfy.model_patcher import ModelPatcher
from comfy.quant_ops import QuantizedTensor

from ..equations.time_edit import TimeEdit
from ..reading.families.text_reading import Projection
from ..reading.projections import CROSS_ATTENTION, TEXT_ENTRY, choose, read_text
from ..reading.projector import projector_probe
from .adapter import TimeAdapter
from .text_route import add_text_route, has_text_route, on_text_route, text_step

ROUTES = ("auto", "weights", "text")


def apply_edit(
    model: ModelPatcher,
    edit: TimeEdit,
    strength: float = 1.0,
    where: str = CROSS_ATTENTION,
    route: str = "auto",
) -> ModelPatcher:
    """A clone of `model` with the edit on the projections that it is for; `model` stays as it is.

    `route` says how. "weights" patches the weights; the host stores quantised ones quantised anew, as after any LoRA,
    which moves what the edited projections make of text by 2 % (int8), 4 % (fp8 e4m3), 8 % (fp8 e5m2) or 18 % (fp4).
    "text" edits what the projections of a U-Net read and is exact for all weights. "auto" is "text" where there is that
    route and weights are quantised or an earlier edit has taken it, and else "weights": the exact way for quantised
    weights of other families is the edit of the conditioning.

    Edits and LoRAs in a row act as W (I + P1) + BA and so on, each on what stands before it, but see `text_route` for
    LoRAs on that route.

    At strength 0 the clone carries no patch. Raises ValueError if `strength` is not finite, if the model has no text
    route and `route` asks for it, if its quantised layers scale the text before their weights, or as `projections_for`.
    """
    if not math.isfinite(strength):
        raise ValueError(f"strength is {strength}; it must be a finite number, such as 1.")
    projections = projections_for(model, edit, where)
    by_text = _goes_by_text(model, projections, route)
    clone = model.clone()
    if strength == 0:
        return clone
    if by_text:
        add_text_route(clone, text_step(projections, edit.left, edit.right, strength))
    else:
        _patch_weights(clone, projections, edit, strength)
    return clone


def projections_for(model: ModelPatcher, edit: TimeEdit, where: str = CROSS_ATTENTION) -> tuple[Projection, ...]:
    """The projections of `model` that `edit` is for.

    Raises ValueError if the model has none, reads text of another width, or has another text projector than the edit.
    """
    reading = read_text(model, where)
    if not edit.fingerprint.same_projector(reading.projector, projector_probe(model, where == TEXT_ENTRY)):
        made = f"behind the text projector of {edit.fingerprint.projector}" if edit.fingerprint.projector else "from clip alone"
        reads = f"text behind its projector ({reading.projector})" if reading.projector else "the text encoder's own rows"
        raise ValueError(
            f"time_edit was computed {made}, and the model ({type(model.model).__name__}) reads {reads}, or its projector has "
            "other weights; compute the edit with this model connected."
        )
    return choose(model, reading, edit.settings, edit.text_width)


def any_quantised(model: ModelPatcher, projections: Sequence[Projection]) -> bool:
    """Whether a weight is stored in 8 bits or less, plainly or as the host's QuantizedTensor."""
    weights = (comfy.utils.get_attr(model.model, projection.name) for projection in projections)
    return any(isinstance(weight.data, QuantizedTensor) or weight.element_size() == 1 for weight in weights)


def _goes_by_text(model: ModelPatcher, projections: Sequence[Projection], route: str) -> bool:
    """Whether the edit is put on what the projections read. Raises ValueError for a route that is not there."""
    if route not in ROUTES:
        raise ValueError(f"route is {route!r}; it must be one of {', '.join(ROUTES)}.")
    if route == "text" and not has_text_route(projections):
        raise ValueError(
            f"route is 'text', which only U-Nets (SD, SDXL) have, and the model is {type(model.model).__name__}; use TIME "
            "Edit Conditioning, which is exact too, or the route 'weights'."
        )
    if route != "auto":
        return route == "text"
    # A patch of the weights would come before what the text route already does, whatever their order in the graph.
    return has_text_route(projections) and (any_quantised(model, projections) or on_text_route(model))


def _patch_weights(clone: ModelPatcher, projections: Sequence[Projection], edit: TimeEdit, strength: float) -> None:
    """Add the edit to the patches of `clone`. Raises ValueError where it would be wrong or the host refuses it."""
    if _any_scaled_input(clone, projections):
        raise ValueError(
            f"The model ({type(clone.model).__name__}) has quantised layers that scale the text before their weights "
            "(pre_quant_scale), so an edit of these weights would be wrong; use TIME Edit Conditioning."
        )
    keys = [projection.patch_key for projection in projections]
    adapter = TimeAdapter(set(), (edit.left, edit.right))
    accepted = clone.add_patches(dict.fromkeys(keys, adapter), strength)
    if len(accepted) < len(keys):
        raise ValueError(f"The model refused the edit of {len(keys) - len(accepted)} of {len(keys)} projections.")


def _any_scaled_input(model: ModelPatcher, projections: Sequence[Projection]) -> bool:
    """Whether a layer computes W D c with a diagonal D of its own: W (I + P) D c is not the edit W D (I + P) c."""
    layers = (comfy.utils.get_attr(model.model, projection.name.removesuffix(".weight")) for projection in projections)
    return any(getattr(layer, "pre_quant_scale", None) is not None for layer in layers)
