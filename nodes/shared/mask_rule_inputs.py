"""The inputs that DiffEdit Mask and Heatmap to Mask share, and what both do with them."""

from dataclasses import asdict

from comfy_api.latest import io, ui

from ...diffedit_core.mask.heatmap import Heatmap
from ...diffedit_core.mask.mask_rule import RULES, MaskRule
from ...diffedit_core.mask.masks import to_picture_size
from .choice import Chosen, chosen, shown_as
from .mask_shown import heatmap_files, preview_pictures

CELLS, EDGES = OUTLINES = ("cells", "edges of picture")
REACH = 4  # docs/natural_settings.md, masks by outline


def rule() -> io.DynamicCombo.Input:
    return io.DynamicCombo.Input(
        "rule",
        options=[
            io.DynamicCombo.Option("mean ratio", [_threshold_ratio(), _threshold()]),
            io.DynamicCombo.Option("paper", [_outliers(), _threshold()]),
            io.DynamicCombo.Option("level", [_level()]),
            io.DynamicCombo.Option("otsu", [_area_floor()]),
            io.DynamicCombo.Option("area", [_area()]),
        ],
        tooltip="How cells are chosen from the heat map. Mean ratio: as diffusers does. Paper: between its lowest and "
        "highest value. Level: by the difference itself. Otsu: two groups of cells that differ most; finds large areas "
        "too. Area: as many as you say.",
    )


def _threshold_ratio() -> io.Float.Input:
    return io.Float.Input(
        "threshold_ratio",
        default=3.0,
        min=0.1,
        max=100.0,
        step=0.1,
        tooltip="The heat map is cut off at this many times its mean and rescaled to 0..1. More: smaller masks.",
    )


def _threshold() -> io.Float.Input:
    return io.Float.Input(
        "threshold",
        default=0.5,
        min=0.0,
        max=1.0,
        step=0.01,
        tooltip="Cells of the rescaled heat map at or above this may be edited. More: smaller masks.",
    )


def _outliers() -> io.Float.Input:
    return io.Float.Input(
        "outliers",
        default=2.0,
        min=0.0,
        max=99.0,
        step=0.5,
        tooltip="Percent of the cells, the hottest, that count as extremes and are cut off before rescaling. More: larger "
        "masks, blind to what is smaller than this.",
    )


def _level() -> io.Float.Input:
    return io.Float.Input(
        "level",
        default=0.05,
        min=0.0001,
        max=100.0,
        step=0.005,
        round=False,
        tooltip="The difference of the two noise predictions, where 1 is as strong as the noise, from which a cell is "
        "masked. More: smaller masks.",
    )


def _area_floor() -> io.Float.Input:
    return io.Float.Input(
        "area_floor",
        default=0.5,
        min=0.0,
        max=100.0,
        step=0.1,
        tooltip="Percent of the picture that is masked at least. More: single hot cells do not make a mask of their own.",
    )


def _area() -> io.Float.Input:
    return io.Float.Input(
        "area",
        default=20.0,
        min=0.1,
        max=100.0,
        step=0.5,
        tooltip="Percent of the picture that is masked, the hottest cells first. More: larger masks.",
    )


def outline() -> io.DynamicCombo.Input:
    reach = io.Int.Input(
        "reach",
        default=REACH,
        min=1,
        max=64,
        tooltip="Latent cells (mostly 8 pixels) around a pixel whose colours say what belongs together. More: whole things of "
        "few colours; less: what is only near.",
    )
    return io.DynamicCombo.Input(
        "outline",
        options=[io.DynamicCombo.Option(CELLS, []), io.DynamicCombo.Option(EDGES, [reach])],
        optional=True,
        tooltip="What the outline of the mask follows. Cells: the latent's, in steps of mostly 8 pixels, as published. Edges "
        "of picture: to the pixel, where the colours of picture change.",
    )


def shaping() -> list[io.Input]:
    """What is done to the heat map before the rule, and to the mask after it."""
    return [
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
            advanced=True,
            tooltip="Latent cells (mostly 8 pixels) by which the mask grows to all sides. Negative: it shrinks.",
        ),
        io.Boolean.Input(
            "fill_holes",
            default=False,
            optional=True,
            advanced=True,
            tooltip="Mask also what the mask encloses.",
        ),
        io.String.Input(
            "strokes",
            default="",
            optional=True,
            advanced=True,
            extra_dict={"hidden": True},  # as the host's Painter hides what is drawn: the view shows it
            tooltip="What was drawn over the mask in the node's view, the last thing that is done to it: painted, erased, "
            "areas added and removed. Empty: the rule's mask.",
        ),
    ]


def picture() -> io.Image.Input:
    return io.Image.Input(
        "picture",
        optional=True,
        tooltip="Shown under the heat map, and followed by the mask where outline says so.",
    )


def rule_from(rule: dict | None, outline: dict | None = None, **shape) -> MaskRule:
    """The rule that the inputs `rule`, `outline` and `shaping` say. Raises ValueError for an option that is none."""
    choice = chosen("rule", rule, RULES)
    kind, settings = chosen("outline", outline, OUTLINES) if outline else (CELLS, {})
    reach = settings.get("reach", REACH) if kind == EDGES else 0
    return MaskRule(RULES[choice.option](**choice.settings), reach=reach, **shape)


def apply(cls, heatmap: Heatmap, rule: MaskRule, picture, pictures: list[ui.SavedResult], made_with: dict | None = None):
    """The MASK, its coverage, and what the node shows.

    Args:
        picture: IMAGE of what lies under the heat maps, or None.
        pictures: files of it, or of what stands for it.
        made_with: by the name of its widget, what the heat map was made with, as far as the user can change it on this node.
    """
    prepared = rule.prepared(heatmap, picture)
    seen, masked = rule.masked(prepared)
    mask = to_picture_size(masked, prepared.pixels, heatmap.cell_frames)
    shown = {
        "images": preview_pictures(cls, prepared, seen, masked),
        "heatmap": heatmap_files(prepared, _settings(rule) | (made_with or {})),
        "picture": pictures,
    }
    return mask, masked.mean().item(), shown


def _settings(rule: MaskRule) -> dict:
    """A rule by the names of its widgets; `rule_from` the other way round."""
    (option,) = [option for option, kind in RULES.items() if isinstance(rule.rule, kind)]
    settings = asdict(rule)
    reach = settings.pop("reach")
    outline = Chosen(EDGES, {"reach": reach}) if reach else Chosen(CELLS, {})
    return shown_as("rule", Chosen(option, settings.pop("rule"))) | shown_as("outline", outline) | settings
