"""From a Heatmap to a mask, by one of the rules and the user's settings."""

from dataclasses import dataclass, replace

import torch

from . import rules
from .cell_shapes import filled, grown, smoothed
from .heatmap import Heatmap

MEAN_RATIO, PAPER, LEVEL, OTSU, AREA = "mean ratio", "paper", "level", "otsu", "area"
RULES = (MEAN_RATIO, PAPER, LEVEL, OTSU, AREA)

ROUNDING = 1e-5
"""Difference, in units of the noise, up to which two predictions are the same but for rounding."""


@dataclass(frozen=True)
class MaskRule:
    """How heat maps are judged.

    Attributes:
        name: one of RULES; each reads only its own settings, see `rules`.
        ratio: mean ratio.
        threshold: mean ratio and paper.
        outliers: paper, percent of the cells.
        level: level.
        floor: otsu, percent of the cells.
        area: area, percent of the cells.
        smooth: standard deviation, in cells, of a Gaussian that blurs the heat map first.
        grow: cells by which the mask then grows, or shrinks if negative.
        fill_holes: whether its holes are filled in the end.
    """

    name: str = MEAN_RATIO
    ratio: float = 3.0
    threshold: float = 0.5
    outliers: float = 2.0
    level: float = 0.05
    floor: float = 0.5
    area: float = 20.0
    smooth: float = 0.0
    grow: int = 0
    fill_holes: bool = False

    def smoothed(self, heatmap: Heatmap) -> Heatmap:
        """The heat maps that are judged."""
        return replace(heatmap, values=smoothed(heatmap.values, self.smooth))

    def masked_cells(self, heatmap: Heatmap) -> rules.Judged:
        """Every pair judged by its own statistics; a cell is masked if any pair masks it.

        Returns:
            The heat maps as the rule sees them, (pairs, pictures, [frames,] height, width) in 0 .. 1, and the mask,
            (pictures, [frames,] height, width) float32 of 0 and 1.

        Raises:
            ValueError: a heat map is zero everywhere, but for rounding: the two sides agree.
        """
        _require_difference(heatmap.values)
        seen, cells = zip(*(self._judged(pair) for pair in self.smoothed(heatmap).values), strict=True)
        mask = grown(torch.stack(cells).amax(dim=0), self.grow)
        return torch.stack(seen), filled(mask) if self.fill_holes else mask

    def _judged(self, values: torch.Tensor) -> rules.Judged:
        if self.name == MEAN_RATIO:
            return rules.mean_ratio(values, self.ratio, self.threshold)
        if self.name == PAPER:
            return rules.paper(values, self.outliers, self.threshold)
        if self.name == LEVEL:
            return rules.level(values, self.level)
        if self.name == OTSU:
            return rules.otsu(values, self.floor)
        if self.name == AREA:
            return rules.area(values, self.area)
        raise ValueError(f"rule is {self.name!r}; it must be one of {', '.join(RULES)}.")


def _require_difference(values: torch.Tensor) -> None:
    equal = (values.flatten(2).amax(dim=2) <= ROUNDING).nonzero().tolist()
    if equal:
        pair, picture = equal[0]
        of_pair = f" (pair {pair} of {len(values)})" if len(values) > 1 else ""
        raise ValueError(
            f"target and source make the model predict the same everywhere in picture {picture}{of_pair}, so there is "
            "nothing to mask; change target or source so that they describe different things, or connect a target_model "
            "that differs from model under these prompts."
        )
