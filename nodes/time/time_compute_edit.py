from comfy_api.latest import io

from ..shared import time_inputs
from ..shared.checks import CheckedNode, checked
from ..shared.sockets import CATEGORY_TIME, TimeEditSocket


class TIMEComputeEdit(CheckedNode, io.ComfyNode):
    """The edit alone, for TIME Apply Edit, TIME Edit Conditioning and the saving nodes."""

    RULES = time_inputs.EDIT_RULES

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TIMEComputeEdit",
            display_name="TIME Compute Edit",
            category=CATEGORY_TIME,
            description="Computes a TIME edit from prompts and puts it on nothing yet: apply it to models, to conditionings, "
            "or save it. Most edits need the text encoder alone.",
            search_aliases=["TIME", "model editing", "concept edit"],
            has_intermediate_output=True,
            inputs=[
                io.Clip.Input("clip", tooltip="The text encoder whose embeddings the models read."),
                time_inputs.source(),
                time_inputs.destination(),
                time_inputs.lamb(),
                time_inputs.edit_keys(),
                time_inputs.edit_values(),
                time_inputs.augmentations(),
                time_inputs.preserve(),
                *time_inputs.choices(),
                io.Model.Input(
                    "model",
                    optional=True,
                    tooltip="Needed for models that put text through a projector of their own before the keys and values "
                    "(Wan, PixArt, LTXV and others). Leave it out for SD and SDXL, and for editing conditionings.",
                ),
                time_inputs.where(),
                *time_inputs.sparing(),
            ],
            outputs=[
                TimeEditSocket.Output(
                    display_name="TIME_EDIT", tooltip="The edit itself: its factors, settings and diagnostics."
                )
            ],
        )

    @classmethod
    @checked
    def execute(
        cls, clip, source, destination, lamb, model=None, where=time_inputs.CROSS_ATTENTION, **settings
    ) -> io.NodeOutput:
        inputs = time_inputs.EditInputs(source, destination, **settings)
        edit = time_inputs.compute(clip, model, where, inputs, lamb)
        summary = time_inputs.with_doubt(f"{edit.summary()}\n{edit.advice()}", model, edit, clip)
        return io.NodeOutput(edit, ui=time_inputs.report(edit, summary))
