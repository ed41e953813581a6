"""A TIME edit as the host's hook, to be scheduled over the steps or to be carried by one conditioning."""

import math
from typing import Any

from comfy.hooks import EnumHookScope, Hook, HookGroup, TransformerOptionsHook, WeightHook
from comfy.model_patcher import ModelPatcher
from comfy.quant_ops import QuantizedTensor

from .adapter import CROSS_ATTENTION, TimeAdapter, prefers_text, projections_for
from .text_route import TextRoute, has_text_route, text_route
from .time_edit import TimeEdit


class TextRouteHook(TransformerOptionsHook):
    """The edit on what the keys and values read, at the strength of the keyframe, for the conditionings that carry it."""

    def __init__(self, route: TextRoute = TextRoute(())):
        super().__init__(transformers_dict={}, hook_scope=EnumHookScope.HookedOnly)
        self.route = route

    def clone(self) -> "TextRouteHook":
        c = super().clone()
        c.route = self.route
        return c

    def on_apply_hooks(self, model: ModelPatcher, transformer_options: dict[str, Any]) -> None:
        """Of hooks joined in a row the last one meets the text first, as of edits in a row; the model's own follow."""
        if self.strength != 0:
            patches = transformer_options.setdefault("patches", {}).setdefault("attn2_patch", [])
            patches.insert(0, self.route.scaled(self.strength).to(model.load_device))


def edit_hook(model: ModelPatcher, edit: TimeEdit, strength: float = 1.0, where: str = CROSS_ATTENTION) -> HookGroup:
    """A group with one hook that edits the projections of `model` while it is active.

    It changes their weights or, under the conditions of `apply_edit`'s route "auto" and on models with layers that
    weight hooks stop at, what they read, if there is that route.

    Raises ValueError if `strength` is not finite, if the model has such layers and no such route, and as
    `projections_for`.
    """
    if not math.isfinite(strength):
        raise ValueError(f"strength is {strength}; it must be a finite number, such as 1.")
    projections = projections_for(model, edit, where)
    scaled = _has_scaled_layers(model)
    group = HookGroup()
    if prefers_text(model, projections) or (scaled and has_text_route(projections)):
        group.add(TextRouteHook(text_route(projections, edit.left, edit.right, strength)))
        return group
    if scaled:
        raise ValueError(
            f"The model ({type(model.model).__name__}) has quantised layers, and ComfyUI's hooks cannot change the weights of "
            "such models; use TIME Edit Conditioning on a part of the steps instead."
        )
    group.add(
        _weight_hook(dict.fromkeys((p.patch_key for p in projections), TimeAdapter(set(), (edit.left, edit.right))), strength)
    )
    return group


def _weight_hook(patches: dict[str, TimeAdapter], strength: float) -> Hook:
    hook = WeightHook(strength_model=strength, strength_clip=0.0)
    hook.weights = patches
    hook.weights_clip = {}
    hook.need_weight_init = False  # the weights are patches already and no file to be read
    return hook


def _has_scaled_layers(model: ModelPatcher) -> bool:
    """Whether a weight is the host's QuantizedTensor. Weight hooks read all weights of a model first and fail at the
    scales of such layers, also where they are to change others."""
    return any(isinstance(parameter.data, QuantizedTensor) for parameter in model.model.parameters())
