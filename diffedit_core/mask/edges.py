"""A heat map that follows the edges of its picture: one value a pixel instead of one a latent cell."""

from dataclasses import replace

import numpy as np
import torch
from scipy import ndimage

from .heatmap import Heatmap

FLATNESS = 1e-4
"""The variance of colours, of 0 .. 1, below which a place counts as flat (He et al.'s epsilon)."""


def along_edges(heatmap: Heatmap, picture: torch.Tensor, owners: list[int], reach: int) -> Heatmap:
    """Each heat map filtered by the picture under it, so that its values change where the picture's colours do.

    The guided filter (He, Sun, Tang: Guided Image Filtering, ECCV 2010): around each pixel the heat is taken for a linear
    function of the colours. Cells that differ because a thing covers a part of them only so become pixels of the thing.

    Args:
        heatmap: a value a cell.
        picture: (pictures, H, W, C) sRGB, 0 .. 1, of the size of the heat map's pictures.
        owners: for each picture, or each latent frame of each clip, which of `picture` lies under it.
        reach: cells to each side, >= 1, from which a pixel's linear function comes.

    Returns:
        A heat map of one value a pixel.

    Raises:
        ValueError: `picture` has another size.
    """
    size = require_size(heatmap, picture)
    guides = [one.numpy() for one in picture[..., :3].float().cpu()]
    coarse = heatmap.values.flatten(0, -3)[:, None]
    fine = torch.nn.functional.interpolate(coarse, size, mode="bicubic").numpy()[:, 0]
    window = 2 * reach * heatmap.cell + 1
    found = [guided(heat, guides[owners[i % len(owners)]], window) for i, heat in enumerate(fine)]
    values = torch.from_numpy(np.stack(found)).clamp(min=0).unflatten(0, heatmap.values.shape[:-2])
    return replace(heatmap, values=values, detail=heatmap.cell)


def require_size(heatmap: Heatmap, picture: torch.Tensor) -> tuple[int, int]:
    """(height, width) of both; ValueError if `picture`, as of `along_edges`, has another size than the heat map's."""
    *_, height, width = heatmap.values.shape
    size = height * heatmap.cell, width * heatmap.cell
    if picture.shape[1:3] != size:
        raise ValueError(
            f"picture is {picture.shape[2]} x {picture.shape[1]} pixels, but that of latent is {size[1]} x {size[0]}, so its "
            "edges cannot be followed; connect the picture that VAE Encode got, or set outline to cells."
        )
    return size


def guided(values: np.ndarray, guide: np.ndarray, window: int) -> np.ndarray:
    """(H, W) float32: `values` (H, W) as linear functions of the colours of `guide` (H, W, 3), from windows of so many pixels.

    By scipy's running means, whose time does not depend on the window; kornia's guided_blur, the same filter, takes a minute
    for a picture of a megapixel.
    """

    def means(of: np.ndarray) -> np.ndarray:
        return ndimage.uniform_filter(of, window, axes=(0, 1))

    mean, level = means(guide), means(values)
    with_values = means(guide * values[..., None]) - mean * level[..., None]
    colours = means(guide[..., :, None] * guide[..., None, :]) - mean[..., :, None] * mean[..., None, :]
    colours += FLATNESS * np.eye(3, dtype=colours.dtype)
    slopes = torch.linalg.solve(torch.from_numpy(colours), torch.from_numpy(with_values)).numpy()
    offsets = level - (slopes * mean).sum(-1)
    return (means(slopes) * guide).sum(-1) + means(offsets)
