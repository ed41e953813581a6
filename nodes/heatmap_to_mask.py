from comfy_api.latest import io

from . import mask_rule_inputs
from .sockets import CATEGORY_DIFFEDIT, HeatmapSocket


class HeatmapToMask(io.ComfyNode):
    """Judge a heat map by another rule, without asking the model again."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeatmapToMask",
            display_name="Heatmap to Mask",
            category=CATEGORY_DIFFEDIT,
            description="Makes a mask of a heat map from DiffEdit Mask, with other settings, in no time.",
            search_aliases=["DiffEdit", "threshold", "Otsu", "re-threshold heat map"],
            inputs=[
                HeatmapSocket.Input("heatmap", tooltip="From DiffEdit Mask."),
                mask_rule_inputs.threshold_ratio(),
                mask_rule_inputs.threshold(),
                *mask_rule_inputs.choices(),
            ],
            outputs=[
                io.Mask.Output(display_name="MASK", tooltip="1 where the picture may change, at picture size."),
                io.Float.Output(display_name="coverage", tooltip="Share of the picture that is masked, 0..1."),
            ],
        )

    @classmethod
    def execute(cls, heatmap, threshold_ratio, threshold, **choices) -> io.NodeOutput:
        rule = mask_rule_inputs.rule_from(threshold_ratio, threshold, **choices)
        mask, coverage, previews = mask_rule_inputs.apply(cls, heatmap, rule)
        return io.NodeOutput(mask, coverage, ui=previews)
