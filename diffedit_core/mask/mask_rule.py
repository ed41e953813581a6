"""From a Heatmap to a mask, by one of the rules and the user's settings."""

from dataclasses import dataclass, replace
from typing import Protocol

import torch

from . import rules
from .cell_shapes import filled, grown, smoothed
from .edges import along_edges, require_size
from .heatmap import Heatmap
from .pictures_of_heatmap import pictures_of
from .strokes import parse_strokes, require_places, touched_up

ROUNDING = 1e-5
"""Difference, in units of the noise, up to which two predictions are the same but for rounding."""


class Rule(Protocol):
    """A rule of `rules` with its settings, by the names that users give them."""

    def judged(self, values: torch.Tensor) -> rules.Judged: ...


@dataclass(frozen=True)
class MeanRatio:
    threshold_ratio: float = 3.0
    threshold: float = 0.5

    def judged(self, values: torch.Tensor) -> rules.Judged:
        return rules.mean_ratio(values, self.threshold_ratio, self.threshold)


@dataclass(frozen=True)
class Paper:
    outliers: float = 2.0
    threshold: float = 0.5

    def judged(self, values: torch.Tensor) -> rules.Judged:
        return rules.paper(values, self.outliers, self.threshold)


@dataclass(frozen=True)
class Level:
    level: float = 0.05

    def judged(self, values: torch.Tensor) -> rules.Judged:
        return rules.level(values, self.level)


@dataclass(frozen=True)
class Otsu:
    area_floor: float = 0.5

    def judged(self, values: torch.Tensor) -> rules.Judged:
        return rules.otsu(values, self.area_floor)


@dataclass(frozen=True)
class Area:
    area: float = 20.0

    def judged(self, values: torch.Tensor) -> rules.Judged:
        return rules.area(values, self.area)


RULES: dict[str, type[Rule]] = {
    "mean ratio": MeanRatio,
    "paper": Paper,
    "level": Level,
    "otsu": Otsu,
    "area": Area,
}


@dataclass(frozen=True)
class MaskRule:
    """How heat maps are judged.

    Attributes:
        rule: one of RULES with its settings.
        smooth: standard deviation, in cells, of a Gaussian that blurs the heat map first.
        reach: cells to each side from which the heat map then takes the edges of its picture; 0: the mask is made of cells.
        grow: cells by which the mask then grows, or shrinks if negative.
        fill_holes: whether its holes are then filled.
        strokes: what a person drew over it in the end (see `strokes`).
    """

    rule: Rule = MeanRatio()
    smooth: float = 0.0
    reach: int = 0
    grow: int = 0
    fill_holes: bool = False
    strokes: str = ""

    def prepared(self, heatmap: Heatmap, picture: torch.Tensor | None = None) -> Heatmap:
        """The heat maps that are judged.

        Args:
            heatmap: a value a cell.
            picture: IMAGE of what lies under them (see `pictures_of`), which `reach` asks for.

        Raises:
            ValueError: a heat map is zero everywhere, but for rounding: the two sides agree; or `picture` is missing or
                does not fit.
        """
        _require_difference(heatmap.values)
        blurred = replace(heatmap, values=smoothed(heatmap.values, self.smooth))
        return along_edges(blurred, *_below(heatmap, picture), self.reach) if self.reach else blurred

    def require_picture(self, picture: torch.Tensor | None, heatmap: Heatmap) -> None:
        """Raises ValueError if the picture that `reach` asks for is missing or does not fit; to be asked before a heat map is
        calculated, of one that is still 0."""
        if self.reach:
            require_size(heatmap, _below(heatmap, picture)[0])

    def require_places(self, pictures: int, frames: int = 1) -> None:
        """Raises ValueError for strokes on a picture, or a frame of a clip, that there is not; to be asked likewise."""
        require_places(parse_strokes(self.strokes), pictures, frames)

    def masked(self, prepared: Heatmap) -> rules.Judged:
        """Every pair judged by its own statistics; a cell, or a pixel, is masked if any pair masks it.

        Strokes come last, so that what was drawn stays as it was drawn.

        Returns:
            The heat maps as the rule sees them, (pairs, pictures, [frames,] height, width) in 0 .. 1, and the mask,
            (pictures, [frames,] height, width) float32 of 0 and 1.

        Raises:
            ValueError: `strokes` cannot be read, or are of other pictures.
        """
        seen, cells = zip(*(self.rule.judged(pair) for pair in prepared.values), strict=True)
        mask = grown(torch.stack(cells).amax(dim=0), self.grow * prepared.detail + prepared.rim)
        mask = filled(mask) if self.fill_holes else mask
        strokes = parse_strokes(self.strokes)
        return torch.stack(seen), touched_up(mask, rules.united(prepared.values), strokes) if strokes else mask


def _below(heatmap: Heatmap, picture: torch.Tensor | None) -> tuple[torch.Tensor, list[int]]:
    """`pictures_of`; ValueError if there is no picture."""
    if picture is None:
        raise ValueError(
            "outline follows the edges of picture, but picture is not connected; connect it, or set outline to cells."
        )
    return pictures_of(heatmap, picture)


def _require_difference(values: torch.Tensor) -> None:
    equal = (values.flatten(2).amax(dim=2) <= ROUNDING).nonzero().tolist()
    if equal:
        pair, picture = equal[0]
        of_pair = f" (pair {pair} of {len(values)})" if len(values) > 1 else ""
        raise ValueError(
            f"target and source make the model predict the same everywhere in picture {picture}{of_pair}, so there is "
            "nothing to mask; change target or source so that they describe different things, or compare with a "
            "target_model that differs from model under these prompts."
        )
