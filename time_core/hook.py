"""A TIME edit as the host's hook, to be scheduled over the steps or to be carried by one conditioning."""

import math

from comfy.hooks import HookGroup, WeightHook
from comfy.model_patcher import ModelPatcher

from .adapter import CROSS_ATTENTION, TimeAdapter, projections_for
from .time_edit import TimeEdit


def edit_hook(model: ModelPatcher, edit: TimeEdit, strength: float = 1.0, where: str = CROSS_ATTENTION) -> HookGroup:
    """A group with one weight hook that edits the projections of `model` while it is active.

    Raises ValueError if `strength` is not finite, and as `projections_for`.
    """
    if not math.isfinite(strength):
        raise ValueError(f"strength is {strength}; it must be a finite number, such as 1.")
    adapter = TimeAdapter(set(), (edit.left, edit.right))
    hook = WeightHook(strength_model=strength, strength_clip=0.0)
    hook.weights = {projection.patch_key: adapter for projection in projections_for(model, edit, where)}
    hook.weights_clip = {}
    hook.need_weight_init = False  # the weights are patches already and no file to be read
    group = HookGroup()
    group.add(hook)
    return group
