from functools import partial

from comfy_api.latest import io, ui

from ...time_core.application.edit_file import save_edit
from ..shared import places
from ..shared.checks import CheckedNode, checked
from ..shared.sockets import CATEGORY_TIME, TimeEditSocket


class TIMESaveEdit(CheckedNode, io.ComfyNode):
    """A TIME edit to a file that fits every checkpoint with the same text encoder."""

    RULES = (partial(places.save_path, kind=places.EDITS),)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TIMESaveEdit",
            display_name="Save TIME Edit",
            category=CATEGORY_TIME,
            description="Saves a TIME edit as a small file. It holds nothing of the model and fits every checkpoint with the "
            "same text encoder.",
            search_aliases=["TIME", "export edit"],
            is_output_node=True,
            inputs=[
                TimeEditSocket.Input("time_edit", tooltip="From TIME Edit Model or TIME Compute Edit."),
                io.String.Input(
                    "filename",
                    default="my edit",
                    tooltip="Name of the file, also with sub-folders: flowers/roses. A file of that name is replaced.",
                ),
                io.Combo.Input(
                    "folder",
                    options=list(places.FOLDERS),
                    default="models",
                    tooltip="models: models/time_edits, to keep. output: output/time_edits, beside the pictures. "
                    "Load TIME Edit finds both.",
                ),
            ],
            outputs=[TimeEditSocket.Output(display_name="TIME_EDIT", tooltip="The same edit.")],
        )

    @classmethod
    @checked
    def execute(cls, time_edit, filename, folder) -> io.NodeOutput:
        path = places.save_path(folder, places.EDITS, filename)
        with places.saving(path):
            save_edit(path, time_edit)
        note = f"saved {places.label(folder, places.EDITS, path)}: rank {time_edit.rank}, {path.stat().st_size / 1000:.0f} kB"
        return io.NodeOutput(time_edit, ui=ui.PreviewText(note))
