"""From a heat map to masked cells: one rule a function. Each picture is judged by its own heat map alone.

`values` are heat maps (pictures, [frames,] height, width), >= 0 and not zero everywhere; a video clip counts as one
picture. Every rule returns two tensors of that shape: the heat map as the rule sees it, in 0 .. 1, to be shown, and the
masked cells, float32, 1 = may change.
"""

import math

import torch

Judged = tuple[torch.Tensor, torch.Tensor]

# `_coherence` of a mask from which on it counts as a region. Of single cells scattered at random it is 0; masks of edits
# in the toy world have 0.5 to 0.9.
REGION = 0.3


def mean_ratio(values: torch.Tensor, ratio: float, threshold: float) -> Judged:
    """diffusers' rule: cut off at `ratio` times the mean, which becomes 1, and take what reaches `threshold`.

    StableDiffusionDiffEditPipeline, mask_thresholding_ratio, which there takes the mean over the whole batch. At ratio 3
    and threshold 0.5 these are the cells above 1.5 times the mean, hence at most two thirds of a picture.

    Args:
        ratio: > 0.
        threshold: 0 .. 1.
    """
    cut = ratio * mean(values)
    rescaled = (values.double() / _each(cut, values)).clamp(0, 1).float()
    return rescaled, (rescaled >= threshold).float()


def paper(values: torch.Tensor, outliers: float, threshold: float) -> Judged:
    """The paper's rule: remove extremes, rescale from 0 to 1 by minimum and maximum, take what reaches `threshold`.

    DiffEdit (Couairon et al., 2023), section 3.2. Its main text does not say how extremes are removed; here the cells
    above a percentile are set to it.

    Args:
        outliers: percentage of the cells that count as extremes, 0 .. < 100.
        threshold: 0 .. 1.
    """
    flat = values.flatten(1).double()
    highest = _quantile(flat, 1 - outliers / 100)
    lowest = flat.amin(dim=1)
    span = (highest - lowest).clamp(min=torch.finfo(torch.float64).tiny)
    rescaled = ((values.double() - _each(lowest, values)) / _each(span, values)).clamp(0, 1).float()
    return rescaled, (rescaled >= threshold).float()


def level(values: torch.Tensor, level: float) -> Judged:
    """The cells whose difference itself reaches `level`, whatever the rest of the picture does.

    Args:
        level: > 0, in units of the noise: the mean difference of the two noise predictions over the channels.
    """
    return (values / (2 * level)).clamp(0, 1), (values >= level).float()


def otsu(values: torch.Tensor, floor: float) -> Judged:
    """Otsu's threshold (1979): the split of the cells into two groups that explains most of their variance.

    Every value is tried as the threshold, not a histogram's bins. Where only a very small part of a picture changed, the
    background's own spread can win, and the mask is scattered all over it. Such an upper group is split again, until the
    mask is a region; if it never becomes one, the first split stands.

    Args:
        floor: percentage of the cells below which a mask is not made, 0 .. 100.
    """
    cells = torch.stack([_otsu_cells(picture, floor) for picture in values.double()])
    return _of_highest(values), cells.float()


def area(values: torch.Tensor, area: float) -> Judged:
    """The hottest cells, as many as make up `area` percent of the picture, rounded to whole cells and at least one.

    Of equal cells the earlier ones in reading order are taken.

    Args:
        area: 0 .. 100.
    """
    flat = values.flatten(1)
    count = max(1, int(flat.shape[1] * area / 100 + 0.5))
    hottest = flat.sort(dim=1, descending=True, stable=True).indices[:, :count]
    cells = torch.zeros_like(flat).scatter(1, hottest, 1.0)
    return _of_highest(values), cells.reshape(values.shape)


def mean(values: torch.Tensor) -> torch.Tensor:
    """(pictures,) float64: the mean of each heat map."""
    return values.flatten(1).double().mean(dim=1)


def united(values: torch.Tensor) -> torch.Tensor:
    """(pairs, ...) as one heat map (...), float64: of each cell its hottest pair's value, in means of that pair's heat map."""
    return torch.stack([pair.double() / _each(mean(pair), pair) for pair in values]).amax(dim=0)


def _quantile(flat: torch.Tensor, share: float) -> torch.Tensor:
    """torch.quantile along the rows of (pictures, cells), by operations that round in the same way on every machine."""
    ascending = flat.sort(dim=1).values
    rank = share * (flat.shape[1] - 1)
    below, above = ascending[:, math.floor(rank)], ascending[:, math.ceil(rank)]
    return below + (rank - math.floor(rank)) * (above - below)


def _otsu_cells(picture: torch.Tensor, floor: float) -> torch.Tensor:
    """Masked cells of one picture ([frames,] height, width), bool."""
    ascending = picture.flatten().sort().values
    fewest = max(1, int(len(ascending) * floor / 100 + 0.5))
    size = _upper_group(ascending, fewest)
    first = cells = picture >= ascending[-size]
    while _coherence(cells) < REGION:
        smaller = _upper_group(ascending[-size:], fewest)
        if smaller == size:
            return first
        size = smaller
        cells = picture >= ascending[-size]
    return cells


def _upper_group(ascending: torch.Tensor, fewest: int) -> int:
    """The size of the upper group of the split that explains most variance, >= `fewest`; all cells if none is allowed."""
    count = len(ascending)
    sums = ascending.cumsum(0)
    below = torch.arange(1, count)
    above = count - below
    gap = (sums[-1] - sums[:-1]) / above - sums[:-1] / below
    allowed = (ascending[1:] > ascending[:-1]) & (above >= fewest)
    if not allowed.any():
        return count
    return count - 1 - int(torch.where(allowed, below * above * gap**2, -1.0).argmax())


def _coherence(cells: torch.Tensor) -> float:
    """How much more often than by chance the neighbours of masked cells are masked, 0 (chance) .. 1 (always).

    Args:
        cells: ([frames,] height, width) bool.
    """
    share = float(cells.double().mean())
    pairs = [cells[..., 1:, :] & cells[..., :-1, :], cells[..., 1:] & cells[..., :-1]]
    count = sum(pair.numel() for pair in pairs)
    if share == 1 or count == 0:
        return 1.0
    both = sum(int(pair.sum()) for pair in pairs) / count
    return (both / share - share) / (1 - share)


def _of_highest(values: torch.Tensor) -> torch.Tensor:
    return values / _each(values.flatten(1).amax(dim=1), values)


def _each(numbers: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """(pictures,) numbers in the shape of `values`, to be broadcast."""
    return numbers.reshape(-1, *[1] * (values.ndim - 1))
