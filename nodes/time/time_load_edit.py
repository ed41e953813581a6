from functools import partial

from comfy_api.latest import io, ui

from ...time_core.application.edit_file import load_edit
from ...time_core.prompts.text import TextReader
from ..shared import places
from ..shared.checks import CheckedNode, checked
from ..shared.sockets import CATEGORY_TIME, TimeEditSocket


class TIMELoadEdit(CheckedNode, io.ComfyNode):
    """A saved TIME edit, checked against the text encoder."""

    RULES = (partial(places.find, places.EDITS),)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TIMELoadEdit",
            display_name="Load TIME Edit",
            category=CATEGORY_TIME,
            description="Loads a saved TIME edit, for TIME Apply Edit or TIME Edit Conditioning. One that was made for another "
            "text encoder is refused.",
            search_aliases=["TIME", "import edit"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=places.saved(places.EDITS),
                    tooltip="Files in models/time_edits and output/time_edits. New ones appear when the page is refreshed.",
                ),
                io.Clip.Input("clip", tooltip="The text encoder of the checkpoint that the edit shall be used with."),
            ],
            outputs=[TimeEditSocket.Output(display_name="TIME_EDIT", tooltip="The edit as it was saved.")],
        )

    @classmethod
    def fingerprint_inputs(cls, file, **linked) -> str | float:
        """A file that was saved anew is loaded anew, and one whose name is linked and not known yet, always."""
        if file is None:
            return float("nan")
        status = places.find(places.EDITS, file).stat()
        return f"{status.st_mtime_ns} {status.st_size}"

    @classmethod
    @checked
    def execute(cls, file, clip) -> io.NodeOutput:
        edit = load_edit(places.find(places.EDITS, file), TextReader(clip).fingerprint)
        return io.NodeOutput(edit, ui={**ui.PreviewText(edit.summary()).as_dict(), "time_edit": [edit.report()]})
