from comfy_api.latest import io

from ...time_core.application.conditioning import edit_conditioning
from ..shared import time_inputs
from ..shared.checks import CheckedNode, checked
from ..shared.sockets import CATEGORY_TIME, TimeEditSocket


class TIMEEditConditioning(CheckedNode, io.ComfyNode):
    """The same edit on the text instead of on the weights."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TIMEEditConditioning",
            display_name="TIME Edit Conditioning",
            category=CATEGORY_TIME,
            description="Puts a TIME edit on a conditioning instead of on a model. On positive and negative both, it gives the "
            "same pictures as the edited model, also where the weights are quantised or text is not read by "
            "cross-attention.",
            search_aliases=["TIME", "concept edit", "conditioning edit"],
            inputs=[
                io.Conditioning.Input(
                    "conditioning",
                    tooltip="An encoded prompt. Edit the positive and the negative one: the edited model reads both.",
                ),
                TimeEditSocket.Input(
                    "time_edit", tooltip="An edit of keys and values in all layers, computed with the same text encoder."
                ),
                time_inputs.strength("Scales the edit: 0 is the original prompt, 1 the full edit, less than 0 the opposite."),
            ],
            outputs=[io.Conditioning.Output(display_name="CONDITIONING", tooltip="The edited prompt.")],
        )

    @classmethod
    @checked
    def execute(cls, conditioning, time_edit, strength) -> io.NodeOutput:
        return io.NodeOutput(edit_conditioning(conditioning, time_edit, strength))
