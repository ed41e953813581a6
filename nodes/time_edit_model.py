from comfy_api.latest import io, ui

from ..time_core.adapter import apply_edit
from ..time_core.edit import build_edit
from ..time_core.projections import cross_attention_keys
from ..time_core.prompts import parse_lines, parse_pairs
from .sockets import CATEGORY_TIME, TimeEditSocket


class TIMEEditModel(io.ComfyNode):
    """TIME: change what a model assumes, by a closed-form edit of its cross-attention keys and values."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TIMEEditModel",
            display_name="TIME Edit Model",
            category=CATEGORY_TIME,
            description="Changes what a text-to-image model assumes: 'a pack of roses' becomes a pack of blue roses. "
            "No training; the model on the input stays as it is.",
            search_aliases=["TIME", "model editing", "concept edit", "implicit assumptions", "cross attention edit"],
            inputs=[
                io.Model.Input("model", tooltip="The model to edit. LoRAs may come before or after this node."),
                io.Clip.Input("clip", tooltip="The text encoder whose embeddings the model reads."),
                io.String.Input(
                    "source",
                    multiline=True,
                    default="A pack of roses",
                    tooltip="The prompt whose assumption is wrong. One prompt a line; all lines are edited together.",
                ),
                io.String.Input(
                    "destination",
                    multiline=True,
                    default="A pack of blue roses",
                    tooltip="What the source should mean: the same words in the same order, with others inserted. "
                    "Line i belongs to line i of source.",
                ),
                io.Float.Input(
                    "lamb",
                    display_name="lambda",
                    default=0.1,
                    min=1e-6,
                    max=1e6,
                    step=0.01,
                    round=False,
                    tooltip="How firmly the weights are held where they are. "
                    "Less: a complete edit that reaches further. "
                    "More: a weaker edit that disturbs other prompts less. "
                    "Published value 0.1; useful range 0.01 to 10000.",
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=-10.0,
                    max=10.0,
                    step=0.05,
                    tooltip="Scales the finished edit: 0 is the original model, 1 the full edit.",
                ),
                io.Boolean.Input("edit_keys", default=True, tooltip="Edit the key projections."),
                io.Boolean.Input("edit_values", default=True, tooltip="Edit the value projections."),
                io.String.Input(
                    "augmentations",
                    multiline=True,
                    default="A photo of \nAn image of \nA picture of ",
                    tooltip="Beginnings, one a line, that are put before source and destination, so that the edit "
                    "holds in other sentences too. Empty: only the prompts themselves.",
                ),
                io.String.Input(
                    "preserve",
                    multiline=True,
                    default="",
                    tooltip="Prompts, one a line, whose meaning must stay. Do not list what the edit is meant to change.",
                ),
            ],
            outputs=[
                io.Model.Output(display_name="MODEL", tooltip="The edited model."),
                TimeEditSocket.Output(
                    display_name="TIME_EDIT", tooltip="The edit itself: its factors, settings and diagnostics."
                ),
            ],
        )

    @classmethod
    def execute(
        cls, model, clip, source, destination, lamb, strength, edit_keys, edit_values, augmentations, preserve
    ) -> io.NodeOutput:
        pairs = parse_pairs(source, destination)
        edit = build_edit(clip, pairs, lamb, parse_lines(augmentations), parse_lines(preserve))
        edited = apply_edit(model, edit, strength, edit_keys, edit_values)
        names = cross_attention_keys(model, edit.text_width).chosen(edit_keys, edit_values)
        summary = f"{len(names)} projections edited at strength {strength:g}\n{edit.summary()}"
        return io.NodeOutput(edited, edit, ui=ui.PreviewText(summary))
