from comfy_api.latest import io

from ...diffedit_core.mask.strokes import parse_strokes
from ..shared import mask_rule_inputs
from ..shared.checks import CheckedNode, checked
from ..shared.mask_shown import picture_files
from ..shared.sockets import CATEGORY_DIFFEDIT, HeatmapSocket


class HeatmapToMask(CheckedNode, io.ComfyNode):
    """Judge a heat map by another rule, without asking the model again."""

    RULES = (parse_strokes,)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeatmapToMask",
            display_name="Heatmap to Mask",
            category=CATEGORY_DIFFEDIT,
            description="Makes a mask of a heat map from DiffEdit Mask, with other settings, in no time.",
            search_aliases=["DiffEdit", "threshold", "Otsu", "re-threshold heat map"],
            has_intermediate_output=True,
            inputs=[
                HeatmapSocket.Input("heatmap", tooltip="From DiffEdit Mask."),
                mask_rule_inputs.rule(),
                mask_rule_inputs.outline(),
                mask_rule_inputs.picture(),
                *mask_rule_inputs.shaping(),
            ],
            outputs=[
                io.Mask.Output(display_name="MASK", tooltip="1 where the picture may change, at picture size."),
                io.Float.Output(display_name="coverage", tooltip="Share of the picture that is masked, 0..1."),
            ],
        )

    @classmethod
    @checked
    def execute(cls, heatmap, rule=None, outline=None, picture=None, **shape) -> io.NodeOutput:
        judged_by = mask_rule_inputs.rule_from(rule, outline, **shape)
        below = [] if picture is None else picture_files(cls, heatmap, picture)
        mask, coverage, shown = mask_rule_inputs.apply(cls, heatmap, judged_by, picture, below)
        return io.NodeOutput(mask, coverage, ui=shown)
