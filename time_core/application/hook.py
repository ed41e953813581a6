"""A TIME edit as the host's hook, to be scheduled over the steps or to be carried by one conditioning."""

import math
from typing import Any

from comfy.hooks import EnumHookScope, HookGroup, TransformerOptionsHook, WeightHook
from comfy.model_patcher import ModelPatcher
from comfy.quant_ops import QuantizedTensor

from ..equations.time_edit import TimeEdit
from ..reading.projections import CROSS_ATTENTION
from .adapter import TimeAdapter
from .apply import any_quantised, projections_for
from .text_route import TextRoute, has_text_route, on_text_route, text_step


class TextHook(TransformerOptionsHook):
    """The edit on what the keys and values read, at the strength of the keyframe, for the conditionings that carry it."""

    def __init__(self, route: TextRoute | None = None):
        # The host merges this dictionary into its own options, also if there is nothing in it.
        super().__init__(transformers_dict={}, hook_scope=EnumHookScope.HookedOnly)
        self.route = route or TextRoute(())  # `clone` of the host's Hook passes none

    def clone(self) -> "TextHook":
        copy = super().clone()
        copy.route = self.route
        return copy

    def on_apply_hooks(self, model: ModelPatcher, transformer_options: dict[str, Any]) -> None:
        """Of joined hooks the last one meets the text first, as of edits in a row; the model's own edits come after."""
        if self.strength == 0:
            return
        patches = transformer_options.setdefault("patches", {}).setdefault("attn2_patch", [])
        patches.insert(0, self.route.scaled(self.strength).to(model.load_device))


def edit_hook(model: ModelPatcher, edit: TimeEdit, strength: float = 1.0, where: str = CROSS_ATTENTION) -> HookGroup:
    """A group with one hook that edits the projections of `model` while it is active.

    It is a weight hook. Where weights are quantised or the model has an edit on the text route, it takes that route.

    Raises ValueError if `strength` is not finite, if the model has quantised layers and no text route, and as
    `projections_for`.
    """
    if not math.isfinite(strength):
        raise ValueError(f"strength is {strength}; it must be a finite number, such as 1.")
    projections = projections_for(model, edit, where)
    unpatchable = _stops_weight_hooks(model)
    by_text = has_text_route(projections) and (unpatchable or any_quantised(model, projections) or on_text_route(model))
    if unpatchable and not by_text:
        raise ValueError(
            f"The model ({type(model.model).__name__}) has quantised layers, which ComfyUI's hooks cannot patch; use TIME Edit "
            "Conditioning, for some of the steps together with ConditioningSetTimestepRange."
        )
    group = HookGroup()
    if by_text:
        group.add(TextHook(TextRoute((text_step(projections, edit.left, edit.right, strength),))))
        return group
    hook = WeightHook(strength_model=strength, strength_clip=0.0)
    adapter = TimeAdapter(set(), (edit.left, edit.right))
    hook.weights = dict.fromkeys((projection.patch_key for projection in projections), adapter)
    hook.weights_clip = {}
    hook.need_weight_init = False  # the weights are patches already and no file to be read
    group.add(hook)
    return group


def _stops_weight_hooks(model: ModelPatcher) -> bool:
    """Whether a layer is the host's QuantizedTensor: its weight hooks read all weights of a model before they change
    any, and fail at the scales of such layers (ModelPatcher.get_key_patches)."""
    return any(isinstance(parameter.data, QuantizedTensor) for parameter in model.model.parameters())
