from comfy_api.latest import io, ui

from ...time_core.equations.combine import AS_IN_THE_EDITS, combined, of_one_lambda
from ...time_core.prompts.pairs import PRESERVE_MODES
from ..shared import time_inputs
from ..shared.checks import CheckedNode, checked
from ..shared.interrupts import interruptible
from ..shared.sockets import CATEGORY_TIME, TimeEditSocket

MOST = 50
NAMES = [f"time_edit_{number}" for number in range(1, MOST + 1)]


class TIMECombineEdits(CheckedNode, io.ComfyNode):
    """Edits of several nodes or files, solved jointly again into one."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TIMECombineEdits",
            display_name="TIME Combine Edits",
            category=CATEGORY_TIME,
            description="Makes one TIME edit of several, also of saved ones by several people: their pairs are solved jointly "
            "again, so that no edit spoils another, as edits one after another do.",
            search_aliases=["TIME", "merge edits", "join edits", "several edits"],
            inputs=[
                io.Clip.Input("clip", tooltip="The text encoder that the edits were computed with."),
                io.Autogrow.Input(
                    "time_edits",
                    template=io.Autogrow.TemplateNames(TimeEditSocket.Input("time_edit"), names=NAMES, min=2),
                    tooltip="The edits, from Load TIME Edit, TIME Compute Edit, TIME Edit Model or another TIME Combine Edits. "
                    "Only what they ask for is read; their prompts are encoded again.",
                ),
                io.Float.Input(
                    "lamb",
                    display_name="lambda",
                    default=0.0,
                    min=0.0,
                    max=1e6,
                    step=0.01,
                    round=False,
                    optional=True,
                    tooltip="0: every edit keeps its own lambda. Else the lambda of all. More: weaker edits that disturb "
                    "other prompts less.",
                ),
                io.Combo.Input(
                    "preserve_mode",
                    options=[AS_IN_THE_EDITS, *PRESERVE_MODES],
                    default=AS_IN_THE_EDITS,
                    optional=True,
                    advanced=True,
                    tooltip="How all prompts that the edits preserve are kept: as TIME Edit Model says, or in the way that the "
                    "edits have in common.",
                ),
                time_inputs.prior("From TIME Prior, with the same clip. An edit's own prior is not in its file."),
                time_inputs.rho(
                    "How much dearer prior makes the directions that everyday prompts use. 0: none, also where an edit had one."
                ),
                io.Model.Input(
                    "model",
                    optional=True,
                    tooltip="Needed where the edits were computed with a model that puts text through a projector of its own. "
                    "Leave it out for SD and SDXL.",
                ),
                time_inputs.where(),
            ],
            outputs=[TimeEditSocket.Output(display_name="TIME_EDIT", tooltip="The joint edit.")],
        )

    @classmethod
    @checked
    def execute(
        cls,
        clip,
        time_edits,
        lamb=0.0,
        preserve_mode=AS_IN_THE_EDITS,
        prior=None,
        rho=1.0,
        model=None,
        where=time_inputs.CROSS_ATTENTION,
    ) -> io.NodeOutput:
        edits = {name: edit for name, edit in time_edits.items() if edit is not None}
        if not edits:
            raise ValueError("time_edits is empty; connect the edits to combine.")
        request = combined(edits, lamb or None, preserve_mode, prior, rho)
        reader = time_inputs.reader_of(clip, model, where)
        made, reading = next(iter(edits.values())).fingerprint, reader.fingerprint
        if not made.same_text(reading):
            raise ValueError(
                f"time_edits are for the text of {made}, but clip and model give that of {reading}; connect what the edits "
                "were computed with."
            )
        equations = time_inputs.encoded(reader, model, where, request)
        edit = interruptible(equations.edit, request.settings.lamb, with_curve=True)
        advice = edit.advice() if of_one_lambda(edits, lamb or None) else str(edit.verdict())
        note = f"{len(edits)} edits, {len(edit.pairs)} pairs, solved jointly\n{edit.summary()}\n{advice}"
        return io.NodeOutput(edit, ui=ui.PreviewText(note))
