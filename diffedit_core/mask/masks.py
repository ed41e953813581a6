"""Masks between picture size and latent size. 1 = may change, 0 = stays; values between are kept."""

import torch

ROUNDING = 1e-3
"""By how much filters and resizing carry a mask's values over 0 and 1."""


def to_picture_size(mask: torch.Tensor, cell: int, cell_frames: int = 1) -> torch.Tensor:
    """Latent cells as pixels, each cell a square of equal pixels.

    Args:
        mask: (pictures, h, w), or (clips, frames, h, w) for video.
        cell: picture pixels along a side of a cell.
        cell_frames: picture frames that a latent frame covers; the first one always covers one.

    Returns:
        (pictures, h * cell, w * cell); for video (clips * picture frames, h * cell, w * cell), clip after clip, as the
        host orders the frames of an IMAGE.
    """
    if mask.ndim == 4:
        later = mask[:, 1:].repeat_interleave(cell_frames, dim=1)
        mask = torch.cat([mask[:, :1], later], dim=1).flatten(0, 1)
    return mask.repeat_interleave(cell, dim=-2).repeat_interleave(cell, dim=-1)


def to_latent_size(mask: torch.Tensor, latent_shape: tuple[int, ...], cell: int, cell_frames: int = 1) -> torch.Tensor:
    """A MASK of any size as latent cells: a cell may change as much as the pixel that it touches and that may change most.

    So whatever is masked is repainted whole, to the last pixel of a thin line; what a cell holds beside it is for
    `composite` to keep. Soft values stay, a mask made by `to_picture_size` comes back exactly, and a mask smaller than the
    latent is enlarged by the same rule. A mask as large as a picture that VAE Encode crops to a multiple of `cell` is
    cropped alike, at the centre, so that it does not shift.

    Args:
        mask: (height, width), (masks, height, width) or (masks, 1, height, width), values 0 .. 1. One mask for all, one
            a picture, or, for video, one a latent frame or one a picture frame (then a latent frame gets the most of the
            frames that it covers), for one clip or for each. Fewer masks than pictures repeat in order if they divide them.
        latent_shape: (pictures, channels, h, w), or (clips, channels, frames, h, w).
        cell: picture pixels along a side of a latent cell.
        cell_frames: picture frames that a latent frame covers; the first one always covers one.

    Returns:
        (pictures, 1, h, w) or (clips, 1, frames, h, w) float32 on the CPU; one picture or clip if all share the masks.

    Raises:
        ValueError: shape, values or number of the masks do not fit.
    """
    mask = checked(mask)
    pictures, _, *frames, height, width = latent_shape
    mask = cropped(cropped(mask.float(), -2, height, cell), -1, width, cell)
    mask = torch.nn.functional.adaptive_max_pool2d(mask, (height, width))
    if frames:
        return _for_clips(mask, pictures, frames[0], cell_frames)
    if pictures % len(mask):
        raise ValueError(f"mask holds {len(mask)} masks for {pictures} picture(s); connect one mask for all, or one for each.")
    return _in_turn(mask[:, None], pictures)


def cropped(pixels: torch.Tensor, dim: int, cells: int, cell: int) -> torch.Tensor:
    """The centre that VAE Encode keeps (comfy/sd.py, vae_encode_crop_pixels), if `pixels` have the size that it was given."""
    surplus = pixels.shape[dim] - cells * cell
    return pixels.narrow(dim, surplus // 2, cells * cell) if 0 < surplus < cell else pixels


def checked(mask: torch.Tensor) -> torch.Tensor:
    """A MASK as (masks, height, width) on the CPU.

    Values that are off by rounding, as a blurred mask's are, count as 0 and 1.

    Raises:
        ValueError: another shape, or values that are not finite or not in 0 .. 1.
    """
    if mask.ndim == 4 and mask.shape[1] == 1:
        mask = mask[:, 0]
    if mask.ndim == 2:
        mask = mask[None]
    if mask.ndim != 3 or mask.numel() == 0:
        raise ValueError(f"mask has the shape {tuple(mask.shape)}; it must be (masks, height, width).")
    if not torch.isfinite(mask).all():
        raise ValueError("mask contains values that are not finite; check the node that made it.")
    least, most = float(mask.min()), float(mask.max())
    if least < -ROUNDING or most > 1 + ROUNDING:
        raise ValueError(
            f"mask has values from {least:.7g} to {most:.7g}; they must lie in 0 to 1: clamp them, or divide them by the most "
            "that the node which made it can give (255 for bytes)."
        )
    if least < 0 or most > 1:
        mask = mask.clamp(0, 1)
    return mask.cpu() if mask.is_floating_point() else mask.float().cpu()


def _for_clips(mask: torch.Tensor, clips: int, frames: int, cell_frames: int) -> torch.Tensor:
    """(masks, h, w) as (clips or 1, 1, frames, h, w)."""
    picture_frames = 1 + (frames - 1) * cell_frames
    readings = sorted({1, frames, picture_frames})  # how many masks a clip may have
    counts = {each: len(mask) // each for each in readings if len(mask) % each == 0}
    fitting = [each for each, count in counts.items() if count in (1, clips)]
    fitting = fitting or [each for each, count in counts.items() if clips % count == 0]
    if len(fitting) != 1:
        doubt = f", which could be {' or '.join(map(str, fitting))} for each clip" if fitting else ""
        raise ValueError(
            f"mask holds {len(mask)} masks for {clips} clip(s) of {picture_frames} frames ({frames} in the latent){doubt}; "
            f"connect one mask for all, or {clips * picture_frames}, one for each frame of each clip."
        )
    mask = mask.unflatten(0, (-1, fitting[0]))
    if fitting[0] == 1:
        mask = mask.expand(-1, frames, -1, -1)
    elif fitting[0] != frames:
        later = mask[:, 1:].unflatten(1, (frames - 1, cell_frames)).amax(dim=2)
        mask = torch.cat([mask[:, :1], later], dim=1)
    return _in_turn(mask[:, None], clips)


def _in_turn(masks: torch.Tensor, pictures: int) -> torch.Tensor:
    """One mask a picture, repeated in order; a single one stays single, for all."""
    return masks if len(masks) == 1 else masks.repeat(pictures // len(masks), *[1] * (masks.ndim - 1))
