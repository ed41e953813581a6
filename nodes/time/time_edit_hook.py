from comfy_api.latest import io

from ...time_core.application.hook import edit_hook
from ..shared import time_inputs
from ..shared.checks import CheckedNode, checked
from ..shared.sockets import CATEGORY_TIME, TimeEditSocket


class TIMEEditHook(CheckedNode, io.ComfyNode):
    """A TIME edit that acts for some of the steps, or for one prompt only."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TIMEEditHook",
            display_name="Create Hook TIME Edit",
            category=CATEGORY_TIME,
            description="Makes a TIME edit a hook: Set Hook Keyframes schedules it over the steps, and Cond Set Props gives it "
            "to one prompt or region.",
            search_aliases=["TIME", "scheduled edit", "hook"],
            inputs=[
                io.Model.Input("model", tooltip="The model that is sampled; it says which weights the edit belongs on."),
                TimeEditSocket.Input("time_edit", tooltip="The edit."),
                time_inputs.strength("Scales the edit; keyframes multiply it further."),
                io.Hooks.Input("prev_hooks", optional=True, tooltip="Hooks to be joined with this one."),
                time_inputs.where(),
            ],
            outputs=[io.Hooks.Output(display_name="HOOKS", tooltip="For Set Hook Keyframes and Cond Set Props.")],
        )

    @classmethod
    @checked
    def execute(cls, model, time_edit, strength, prev_hooks=None, where=time_inputs.CROSS_ATTENTION) -> io.NodeOutput:
        hooks = edit_hook(model, time_edit, strength, where)
        return io.NodeOutput(hooks if prev_hooks is None else prev_hooks.clone_and_combine(hooks))
