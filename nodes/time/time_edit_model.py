from comfy_api.latest import io

from ...time_core.application.apply import apply_edit, projections_for
from ..shared import time_inputs
from ..shared.checks import CheckedNode, checked
from ..shared.sockets import CATEGORY_TIME, TimeEditSocket


class TIMEEditModel(CheckedNode, io.ComfyNode):
    """TIME: change what a model assumes, by a closed-form edit of its cross-attention keys and values."""

    RULES = time_inputs.EDIT_RULES

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TIMEEditModel",
            display_name="TIME Edit Model",
            category=CATEGORY_TIME,
            description="Changes what a text-to-image model assumes: 'a pack of roses' becomes a pack of blue roses. "
            "No training; the model on the input stays as it is.",
            search_aliases=[
                "TIME",
                "model editing",
                "concept edit",
                "implicit assumptions",
                "cross attention edit",
                "remove bias",
            ],
            has_intermediate_output=True,
            inputs=[
                io.Model.Input("model", tooltip="The model to edit. LoRAs may come before or after this node."),
                io.Clip.Input("clip", tooltip="The text encoder whose embeddings the model reads."),
                time_inputs.source(),
                time_inputs.destination(),
                time_inputs.lamb(),
                time_inputs.strength("Scales the finished edit: 0 is the original model, 1 the full edit."),
                time_inputs.edit_keys(),
                time_inputs.edit_values(),
                time_inputs.augmentations(),
                time_inputs.preserve(),
                *time_inputs.choices(),
                time_inputs.where(),
                *time_inputs.sparing(),
            ],
            outputs=[
                io.Model.Output(display_name="MODEL", tooltip="The edited model."),
                TimeEditSocket.Output(
                    display_name="TIME_EDIT", tooltip="The edit itself: its factors, settings and diagnostics."
                ),
            ],
        )

    @classmethod
    @checked
    def execute(
        cls, model, clip, source, destination, lamb, strength, where=time_inputs.CROSS_ATTENTION, **settings
    ) -> io.NodeOutput:
        inputs = time_inputs.EditInputs(source, destination, **settings)
        edit = time_inputs.compute(clip, model, where, inputs, lamb)
        edited = apply_edit(model, edit, strength, where)
        count = len(projections_for(model, edit, where))
        summary = f"{count} projections edited at strength {strength:g}\n{edit.summary()}\n{edit.advice()}"
        return io.NodeOutput(edited, edit, ui=time_inputs.report(edit, time_inputs.with_doubt(summary, model, edit, clip)))
