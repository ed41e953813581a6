"""A TIME edit as a weight patch of the host."""

import math
from collections.abc import Callable, Sequence

import comfy.utils
import torch
from comfy.model_management import cast_to_device
from comfy.model_patcher import ModelPatcher
from comfy.quant_ops import QuantizedTensor
from comfy.weight_adapter import WeightAdapterBase

from ..equations.pairs import Settings
from ..equations.time_edit import TimeEdit
from ..reading.families.text_reading import Projection, TextReading
from ..reading.projections import cross_attention, text_entry
from ..reading.projector import projector_probe
from .text_route import add_text_route, has_text_route, on_text_route, text_step


class TimeAdapter(WeightAdapterBase):
    """W -> W (I + strength * left @ right.T), with W the weight as earlier patches left it.

    `weights` is (left, right), both (text width, rank). The host rebuilds adapters as `type(a)(a.loaded_keys, weights)`
    when it moves their tensors (comfy/lora.py, prefetch_prepared_value), so there is no other state.
    """

    name = "time"

    def __init__(self, loaded_keys: set[str], weights: tuple[torch.Tensor, torch.Tensor]):
        self.loaded_keys = loaded_keys
        self.weights = weights

    def calculate_weight(
        self,
        weight: torch.Tensor,
        key: str,
        strength: float,
        strength_model: float,
        offset: tuple[int, int, int] | None,
        function: Callable[[torch.Tensor], torch.Tensor],
        intermediate_dtype: torch.dtype = torch.float32,
        original_weight: dict | None = None,
    ) -> torch.Tensor:
        """Patch `weight` (out, text width) in place and return it.

        Always in float32: on a low-VRAM cast `intermediate_dtype` is the weight's own, too coarse for the products,
        which cancel for all text that the edit is to leave alone.
        """
        left, right = self._on(weight.device)
        delta = ((weight.to(torch.float32) @ left) @ right.T) * strength
        weight += function(delta.to(weight.dtype))
        return weight

    def bypass_forward(self, org_forward: Callable, x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        """The projection of edited text, W (x + P x), which is the edited projection of `x` (..., text width)."""
        left, right = self._on(x.device)
        delta = ((x.to(torch.float32) @ right) @ left.T) * self.multiplier
        return org_forward(x + delta.to(x.dtype), *args, **kwargs)

    def h(self, x: torch.Tensor, base_out: torch.Tensor) -> torch.Tensor:
        """Not available: W P x cannot be had from x and W x. The host calls `bypass_forward`, which is exact."""
        raise NotImplementedError("A TIME edit has no additive part without the weight; use bypass_forward.")

    def _on(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        left, right = self.weights
        return cast_to_device(left, device, torch.float32), cast_to_device(right, device, torch.float32)


CROSS_ATTENTION, TEXT_ENTRY = "cross-attention", "text entry layer"
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
    if route not in ROUTES:
        raise ValueError(f"route is {route!r}; it must be one of {', '.join(ROUTES)}.")
    projections = projections_for(model, edit, where)
    if route == "text" and not has_text_route(projections):
        raise ValueError(
            f"route is 'text', which only U-Nets (SD, SDXL) have, and the model is {type(model.model).__name__}; use TIME "
            "Edit Conditioning, which is exact too, or the route 'weights'."
        )
    clone = model.clone()
    if strength == 0:
        return clone
    # A patch of the weights would come before what the text route already does, whatever their order in the graph.
    if route == "auto" and has_text_route(projections) and (any_quantised(model, projections) or on_text_route(model)):
        route = "text"
    if route == "text":
        add_text_route(clone, text_step(projections, edit.left, edit.right, strength))
        return clone
    if any_scaled_input(model, projections):
        raise ValueError(
            f"The model ({type(model.model).__name__}) has quantised layers that scale the text before their weights "
            "(pre_quant_scale), so an edit of these weights would be wrong; use TIME Edit Conditioning."
        )
    keys = [projection.patch_key for projection in projections]
    adapter = TimeAdapter(set(), (edit.left, edit.right))
    accepted = clone.add_patches(dict.fromkeys(keys, adapter), strength)
    if len(accepted) < len(keys):
        raise ValueError(f"The model refused the edit of {len(keys) - len(accepted)} of {len(keys)} projections.")
    return clone


def any_quantised(model: ModelPatcher, projections: Sequence[Projection]) -> bool:
    """Whether a weight is stored in 8 bits or less, plainly or as the host's QuantizedTensor."""
    weights = (comfy.utils.get_attr(model.model, projection.name) for projection in projections)
    return any(isinstance(weight.data, QuantizedTensor) or weight.element_size() == 1 for weight in weights)


def any_scaled_input(model: ModelPatcher, projections: Sequence[Projection]) -> bool:
    """Whether a layer computes W D c with a diagonal D of its own: W (I + P) D c is not the edit W D (I + P) c."""
    layers = (comfy.utils.get_attr(model.model, projection.name.removesuffix(".weight")) for projection in projections)
    return any(getattr(layer, "pre_quant_scale", None) is not None for layer in layers)


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
