"""What may be done to a heat map before it is judged, and to a mask afterwards, frame by frame. A cell is one of its values."""

from collections.abc import Callable

import numpy as np
import torch
from scipy import ndimage


def smoothed(values: torch.Tensor, cells: float) -> torch.Tensor:
    """Blurred by a Gaussian; the edge of the picture counts as going on for ever.

    Args:
        values: (..., height, width).
        cells: standard deviation, >= 0; 0 changes nothing.
    """
    return values if cells == 0 else _frames(values, lambda frame: ndimage.gaussian_filter(frame, cells, mode="nearest"))


def grown(mask: torch.Tensor, cells: int) -> torch.Tensor:
    """Every masked part, larger by `cells` to all sides, in circles; smaller if negative.

    Parts do not shrink from the edge of the picture, because nothing is known of what is beyond it.

    Args:
        mask: (..., height, width) of 0 and 1.
        cells: 0 changes nothing.
    """
    return mask if cells == 0 else _frames(mask, lambda frame: _grown(frame > 0, cells))


def filled(mask: torch.Tensor) -> torch.Tensor:
    """Without holes: what cannot be reached from the edge of the picture without crossing the mask is masked too.

    Args:
        mask: (..., height, width) of 0 and 1. A diagonal line of cells is a wall.
    """
    return _frames(mask, lambda frame: ndimage.binary_fill_holes(frame > 0))


def connected(cells: np.ndarray, row: int, column: int) -> np.ndarray:
    """The part of `cells`, (height, width) bool, that can be reached from one of them by sides."""
    parts, _ = ndimage.label(cells)
    return parts == parts[row, column]


def _grown(frame: np.ndarray, cells: int) -> np.ndarray:
    if frame.all() or not frame.any():
        return frame
    if cells > 0:
        return ndimage.distance_transform_edt(~frame) <= cells
    return ndimage.distance_transform_edt(frame) > -cells


def _frames(values: torch.Tensor, change: Callable[[np.ndarray], np.ndarray]) -> torch.Tensor:
    frames = values.detach().reshape(-1, *values.shape[-2:]).numpy()
    return torch.from_numpy(np.stack([change(frame) for frame in frames])).to(values.dtype).reshape(values.shape)
