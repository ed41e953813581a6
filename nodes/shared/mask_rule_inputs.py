"""The inputs that DiffEdit Mask and Heatmap to Mask share, and what both do with them."""

from comfy_api.latest import io

from ...diffedit_core.mask.heatmap import Heatmap
from ...diffedit_core.mask.mask_rule import RULES, MaskRule
from ...diffedit_core.mask.masks import to_picture_size
from .mask_shown import heatmap_files, preview_pictures


def threshold_ratio() -> io.Float.Input:
    return io.Float.Input(
        "threshold_ratio",
        default=3.0,
        min=0.1,
        max=100.0,
        step=0.1,
        tooltip="Read by rule 'mean ratio'. The heat map is cut off at this many times its mean and rescaled to 0..1. "
        "More: smaller masks.",
    )


def threshold() -> io.Float.Input:
    return io.Float.Input(
        "threshold",
        default=0.5,
        min=0.0,
        max=1.0,
        step=0.01,
        tooltip="Read by rules 'mean ratio' and 'paper'. Cells of the rescaled heat map at or above this may be edited. "
        "More: smaller masks.",
    )


def choices() -> list[io.Input]:
    """The rule and its settings beyond threshold_ratio and threshold."""
    return [
        io.Combo.Input(
            "rule",
            options=list(RULES),
            default=RULES[0],
            optional=True,
            tooltip="How cells are chosen from the heat map. Mean ratio: as diffusers does. Paper: between its lowest and "
            "highest value. Level: by the difference itself. Otsu: two groups of cells that differ most; finds large areas "
            "too. Area: as many as you say.",
        ),
        io.Float.Input(
            "area",
            default=20.0,
            min=0.1,
            max=100.0,
            step=0.5,
            optional=True,
            tooltip="Read by rule 'area'. Percent of the picture that is masked, the hottest cells first. More: larger masks.",
        ),
        io.Float.Input(
            "outliers",
            default=2.0,
            min=0.0,
            max=99.0,
            step=0.5,
            optional=True,
            advanced=True,
            tooltip="Read by rule 'paper'. Percent of the cells, the hottest, that count as extremes and are cut off before "
            "rescaling. More: larger masks, blind to what is smaller than this.",
        ),
        io.Float.Input(
            "level",
            default=0.05,
            min=0.0001,
            max=100.0,
            step=0.005,
            round=False,
            optional=True,
            advanced=True,
            tooltip="Read by rule 'level'. The difference of the two noise predictions, where 1 is as strong as the noise, "
            "from which a cell is masked. More: smaller masks.",
        ),
        io.Float.Input(
            "area_floor",
            default=0.5,
            min=0.0,
            max=100.0,
            step=0.1,
            optional=True,
            advanced=True,
            tooltip="Read by rule 'otsu'. Percent of the picture that is masked at least. More: single hot cells do not make "
            "a mask of their own.",
        ),
        io.Float.Input(
            "smooth",
            default=0.0,
            min=0.0,
            max=32.0,
            step=0.1,
            optional=True,
            advanced=True,
            tooltip="Blurs the heat map by so many latent cells (standard deviation) before the rule. More: rounder masks "
            "without specks, and less detail.",
        ),
        io.Int.Input(
            "grow",
            default=0,
            min=-64,
            max=64,
            optional=True,
            tooltip="Latent cells (mostly 8 pixels) by which the mask grows to all sides. Negative: it shrinks.",
        ),
        io.Boolean.Input(
            "fill_holes",
            default=False,
            optional=True,
            advanced=True,
            tooltip="Mask also what the mask encloses.",
        ),
    ]


def picture() -> io.Image.Input:
    return io.Image.Input(
        "picture",
        optional=True,
        tooltip="Shown under the heat map; the mask does not depend on it.",
    )


def rule_from(
    threshold_ratio: float,
    threshold: float,
    rule: str = MaskRule.name,
    area: float = MaskRule.area,
    outliers: float = MaskRule.outliers,
    level: float = MaskRule.level,
    area_floor: float = MaskRule.floor,
    smooth: float = MaskRule.smooth,
    grow: int = MaskRule.grow,
    fill_holes: bool = MaskRule.fill_holes,
) -> MaskRule:
    """The rule of the inputs. The defaults are for workflows that were saved before these inputs existed."""
    return MaskRule(rule, threshold_ratio, threshold, outliers, level, area_floor, area, smooth, grow, fill_holes)


def apply(cls, heatmap: Heatmap, rule: MaskRule, pictures: list[dict], **made_with):
    """The MASK, its coverage, and what the node shows.

    Args:
        pictures: files of what lies under the heat maps.
        made_with: by input name, what the heat map was made with, as far as the user can change it on this node.
    """
    seen, cells = rule.masked_cells(heatmap)
    mask = to_picture_size(cells, heatmap.cell, heatmap.cell_frames)
    shown = {
        "images": preview_pictures(cls, heatmap, seen, cells),
        "heatmap": heatmap_files(rule.smoothed(heatmap), {**_settings(rule), **made_with}),
        "picture": pictures,
    }
    return mask, cells.mean().item(), shown


def _settings(rule: MaskRule) -> dict:
    """The inputs of a rule; `rule_from` the other way round."""
    return {
        "threshold_ratio": rule.ratio,
        "threshold": rule.threshold,
        "rule": rule.name,
        "area": rule.area,
        "outliers": rule.outliers,
        "level": rule.level,
        "area_floor": rule.floor,
        "smooth": rule.smooth,
        "grow": rule.grow,
        "fill_holes": rule.fill_holes,
    }
