from comfy_api.latest import io, ui

from ...time_core.application.apply import ROUTES, apply_edit, projections_for
from ..shared import time_inputs
from ..shared.checks import CheckedNode, checked
from ..shared.sockets import CATEGORY_TIME, TimeEditSocket


class TIMEApplyEdit(CheckedNode, io.ComfyNode):
    """A finished edit on a model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TIMEApplyEdit",
            display_name="TIME Apply Edit",
            category=CATEGORY_TIME,
            description="Puts a TIME edit on a model, such as one that was loaded from a file. The model on the input stays "
            "as it is.",
            search_aliases=["TIME", "model editing", "concept edit"],
            inputs=[
                io.Model.Input("model", tooltip="The model to edit. LoRAs may come before or after this node."),
                TimeEditSocket.Input("time_edit", tooltip="From TIME Edit Model, TIME Compute Edit or Load TIME Edit."),
                time_inputs.strength("Scales the edit: 0 is the original model, 1 the full edit, less than 0 the opposite."),
                io.Combo.Input(
                    "route",
                    options=list(ROUTES),
                    default=ROUTES[0],
                    optional=True,
                    advanced=True,
                    tooltip="Weights: the edit is a patch of the weights. Text: the same edit on what the weights read, "
                    "exact also for fp8 and other quantised weights (SD and SDXL). Auto: text for quantised weights, else "
                    "weights.",
                ),
                time_inputs.where(),
            ],
            outputs=[io.Model.Output(display_name="MODEL", tooltip="The edited model.")],
        )

    @classmethod
    @checked
    def execute(cls, model, time_edit, strength, route="auto", where=time_inputs.CROSS_ATTENTION) -> io.NodeOutput:
        edited = apply_edit(model, time_edit, strength, where, route)
        count = len(projections_for(model, time_edit, where))
        summary = f"{count} projections edited at strength {strength:g}"
        return io.NodeOutput(edited, ui=ui.PreviewText(time_inputs.with_doubt(summary, model, time_edit)))
