"""Masks between picture size and latent size. 1 = may change, 0 = stays; values between are kept."""

import torch


def to_picture_size(mask: torch.Tensor, cell: int) -> torch.Tensor:
    """(pictures, h, w) latent cells -> (pictures, h * cell, w * cell) pixels, each cell a square of equal pixels."""
    return mask.repeat_interleave(cell, dim=-2).repeat_interleave(cell, dim=-1)


def to_latent_size(mask: torch.Tensor, latent_shape: tuple[int, ...], cell: int) -> torch.Tensor:
    """A MASK of any size as latent cells: each cell gets the mean of the pixels that it covers, weighted by area.

    So a thin line fades but never vanishes, soft values stay, a mask made by `to_picture_size` comes back exactly, and
    a mask smaller than the latent is enlarged by the same rule. A mask as large as a picture that VAE Encode crops to
    a multiple of `cell` is cropped alike, at the centre, so that it does not shift.

    Args:
        mask: (height, width), (pictures, height, width) or (pictures, 1, height, width), values 0 .. 1.
        latent_shape: (pictures, channels, h, w). One mask serves all pictures.
        cell: picture pixels along a side of a latent cell.

    Returns:
        (pictures, 1, h, w) float32; (1, 1, h, w) for a single mask.

    Raises:
        ValueError: shape, values or number of the masks do not fit.
    """
    if mask.ndim == 4 and mask.shape[1] == 1:
        mask = mask[:, 0]
    if mask.ndim == 2:
        mask = mask[None]
    if mask.ndim != 3 or mask.numel() == 0:
        raise ValueError(f"mask has the shape {tuple(mask.shape)}; it must be (masks, height, width).")
    if not torch.isfinite(mask).all():
        raise ValueError("mask contains values that are not finite; check the node that made it.")
    if mask.min() < 0 or mask.max() > 1:
        raise ValueError(f"mask has values from {float(mask.min()):.4g} to {float(mask.max()):.4g}; they must lie in 0 to 1.")
    pictures, _, height, width = latent_shape
    if len(mask) not in (1, pictures):
        raise ValueError(f"mask holds {len(mask)} masks for {pictures} picture(s); connect one mask for all, or one for each.")
    mask = _crop(_crop(mask.double().cpu(), -2, height, cell), -1, width, cell)
    rows, columns = _area_weights(mask.shape[-2], height), _area_weights(mask.shape[-1], width)
    return (rows @ mask @ columns.T).clamp(0, 1).float()[:, None]


def _crop(mask: torch.Tensor, dim: int, cells: int, cell: int) -> torch.Tensor:
    """The centre that VAE Encode keeps (comfy/sd.py, vae_encode_crop_pixels), if the mask has the picture's size."""
    surplus = mask.shape[dim] - cells * cell
    return mask.narrow(dim, surplus // 2, cells * cell) if 0 < surplus < cell else mask


def _area_weights(pixels: int, cells: int) -> torch.Tensor:
    """(cells, pixels) float64: the share of each cell that each pixel covers.

    Measured in whole units of 1 / (pixels * cells), so that a pixel outside a cell weighs exactly 0.
    """
    cell_start = torch.arange(cells)[:, None] * pixels
    pixel_start = torch.arange(pixels)[None] * cells
    end = torch.minimum(cell_start + pixels, pixel_start + cells)
    return (end - torch.maximum(cell_start, pixel_start)).clamp(min=0).double() / pixels
