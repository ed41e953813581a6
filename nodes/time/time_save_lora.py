import json
from dataclasses import asdict
from functools import partial

from comfy_api.latest import io, ui
from safetensors.torch import save

from ...time_core.application.apply import projections_for
from ...time_core.application.atomic import write_atomically
from ...time_core.application.lora import export_lora, require_strength
from ..shared import places, time_inputs
from ..shared.checks import CheckedNode, checked
from ..shared.interrupts import progress
from ..shared.sockets import CATEGORY_TIME, TimeEditSocket


class TIMESaveLoRA(CheckedNode, io.ComfyNode):
    """A TIME edit as a LoRA file for programs that do not know the pack."""

    RULES = (partial(places.save_path, kind=places.LORAS), require_strength)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TIMESaveLoRA",
            display_name="Save TIME Edit as LoRA",
            category=CATEGORY_TIME,
            description="Saves what a TIME edit changes in this model as a standard LoRA, for LoRA loaders here and elsewhere.",
            search_aliases=["TIME", "export lora"],
            is_output_node=True,
            inputs=[
                io.Model.Input("model", tooltip="The model before the edit; LoRAs on it count as part of it."),
                TimeEditSocket.Input("time_edit", tooltip="The edit to save."),
                io.String.Input(
                    "filename",
                    default="my edit",
                    tooltip="Name of the file, also with sub-folders: flowers/roses. A file of that name is replaced.",
                ),
                time_inputs.strength("The edit's strength when the LoRA is loaded at 1."),
                io.Float.Input(
                    "tolerance",
                    default=0.001,
                    min=0.0,
                    max=0.9,
                    step=0.001,
                    round=False,
                    tooltip="How much of each weight's change may be missing. Less: exact and larger; float16 itself "
                    "rounds at about 0.0005. More: a smaller file of a lower rank. 0: everything.",
                ),
                io.Combo.Input(
                    "folder",
                    options=list(places.FOLDERS),
                    default="models",
                    tooltip="models: models/loras, where Load LoRA finds it. output: output/loras.",
                ),
                time_inputs.where(),
            ],
            outputs=[],
        )

    @classmethod
    @checked
    def execute(
        cls, model, time_edit, filename, strength, tolerance, folder, where=time_inputs.CROSS_ATTENTION
    ) -> io.NodeOutput:
        path = places.save_path(folder, places.LORAS, filename)
        weights = {projection.name for projection in projections_for(model, time_edit, where)}
        lora = export_lora(model, time_edit, strength, tolerance, where, progress(2 * len(weights)))
        metadata = {
            "time_diffedit.pairs": json.dumps([asdict(pair) for pair in time_edit.pairs]),
            "time_diffedit.settings": json.dumps(asdict(time_edit.settings)),
            "time_diffedit.strength": repr(strength),
            "time_diffedit.tolerance": repr(tolerance),
        }
        with places.saving(path):
            write_atomically(path, save(lora.tensors, metadata))
        size = path.stat().st_size / 1e6
        note = (
            f"saved {places.label(folder, places.LORAS, path)}, {size:.2f} MB\n"
            f"{len(lora.errors)} weights, rank {lora.rank}, largest error {max(lora.errors):.2g} of a change"
        )
        return io.NodeOutput(ui=ui.PreviewText(note))
