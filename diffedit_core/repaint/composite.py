"""An edited picture laid over the original, in pixels."""

from collections.abc import Sequence

import torch
from scipy import ndimage

from ..mask.masks import checked
from .seams import AS_IT_IS, Fit, fitted
from .soft_edge import softened

CHANNELS = (3, 4)
# VAE Encode crops pictures to a multiple of the VAE's cell; these are the cells there are.
CELLS = (1, 2, 4, 8, 16, 32, 64)


def composite(
    original: torch.Tensor,
    edited: torch.Tensor,
    mask: torch.Tensor,
    feather: int = 0,
    fit: Fit = AS_IT_IS,
) -> torch.Tensor:
    """The edited picture where the mask is 1, the original's own pixels, exactly, where it is 0, a blend between.

    A smaller edited picture is one that VAE Encode cropped at the centre: it is laid where it was cut out, and the strip
    around it stays the original.

    Args:
        original: (1 or B, H, W, 3 or 4) sRGB, 0 .. 1.
        edited: (B, H, W, 3 or 4), or as cropped.
        mask: MASK, one or B, as large as the one or the other picture. 1 = edited.
        feather: pixels over which the edited picture fades in, from the edge of the mask inwards, >= 0. The edge of the
            picture is none.
        fit: what is done before that to the edited picture's colours, and to the edge of the mask.

    Returns:
        (B, H, W, 3 or 4). Where one of the pictures has no alpha channel: the original keeps its own; an original
        without counts as opaque.

    Raises:
        ValueError: sizes, numbers or channels that do not belong together, or no surroundings to match colours to.
    """
    require_channels("original", original)
    require_channels("edited", edited)
    top, left = _place(original, edited)
    mask = _placed_mask(checked(mask).to(original.device), original, edited, top, left)
    count = len(edited)
    for name, given in (("original", len(original)), ("mask", len(mask))):
        require_one_or_as_many(name, given, count)
    soft = softened(mask, original, fit.soft_edge) if fit.soft_edge else mask
    weight = _feathered(soft, feather)[..., None]
    channels = max(original.shape[-1], edited.shape[-1])
    result = _with_channels(original, channels).expand(count, -1, -1, -1).clone()
    window = result[:, top : top + edited.shape[1], left : left + edited.shape[2]]
    inside, weight = (each[:, top : top + edited.shape[1], left : left + edited.shape[2]] for each in (mask > 0, weight))
    new = fitted(edited.to(window), window, inside, fit)
    if new.shape[-1] < channels:
        new = torch.cat([new, window[..., new.shape[-1] :]], dim=-1)
    window.copy_(torch.where(weight == 0, window, window * (1 - weight) + new * weight))
    return result


def require_channels(name: str, pictures: torch.Tensor) -> None:
    if pictures.shape[-1] not in CHANNELS:
        raise ValueError(f"{name} has {pictures.shape[-1]} channels; it must have 3 colours, or 3 and alpha.")


def require_one_or_as_many(name: str, given: int, count: int, others: str = "edited") -> None:
    if given not in (1, count):
        raise ValueError(f"{name} holds {given} picture(s) for {count} {others}; connect one for all, or one for each.")


def cut_place(whole: tuple[int, ...], part: tuple[int, ...]) -> tuple[int, int] | None:
    """Top and left edge of the part of a picture that VAE Encode keeps (comfy/sd.py, vae_encode_crop_pixels).

    Both sizes are (height, width). None: VAE Encode cuts no such part out of such a picture.
    """
    if not any(all(p == w - w % cell for w, p in zip(whole, part, strict=True)) for cell in CELLS):
        return None
    return (whole[0] - part[0]) // 2, (whole[1] - part[1]) // 2


def _place(original: torch.Tensor, edited: torch.Tensor) -> tuple[int, int]:
    """Top and left edge of the edited picture in the original."""
    whole, part = original.shape[1:3], edited.shape[1:3]
    place = cut_place(whole, part)
    if place is None:
        raise ValueError(
            f"edited is {part[1]} x {part[0]} pixels, original {whole[1]} x {whole[0]}; edited must have the original's size, "
            "or the size that VAE Encode crops it to (a multiple of 8 or so, by less than that smaller)."
        )
    return place


def _placed_mask(mask: torch.Tensor, original: torch.Tensor, edited: torch.Tensor, top: int, left: int) -> torch.Tensor:
    """(masks, H, W): the mask at the original's size, 0 where there is no edited picture."""
    whole, part = original.shape[1:3], edited.shape[1:3]
    if mask.shape[1:] not in (whole, part):
        raise ValueError(
            f"mask is {mask.shape[2]} x {mask.shape[1]} pixels; it must be as large as original, {whole[1]} x {whole[0]}, "
            f"or as edited, {part[1]} x {part[0]}."
        )
    if mask.shape[1:] == whole:
        mask = mask[:, top : top + part[0], left : left + part[1]]
    return laid_on_zeros(mask, whole, [(top, left)])


def laid_on_zeros(pieces: torch.Tensor, whole: tuple[int, ...], places: Sequence[tuple[int, int]]) -> torch.Tensor:
    """Each piece at its place in a larger one of zeros.

    Args:
        pieces: (pieces, h, w, ...).
        whole: (H, W).
        places: top and left edge of each piece. One piece or one place stands for all.

    Returns:
        (pieces or places, H, W, ...).
    """
    count = max(len(pieces), len(places))
    laid = pieces.new_zeros(count, *whole, *pieces.shape[3:])
    height, width = pieces.shape[1:3]
    for i in range(count):
        top, left = places[i % len(places)]
        laid[i, top : top + height, left : left + width] = pieces[i % len(pieces)]
    return laid


def _feathered(mask: torch.Tensor, feather: int) -> torch.Tensor:
    """Weights (masks, H, W): the mask, less near the pixels where it is 0."""
    if feather == 0:
        return mask
    return torch.stack([one * _fade(one > 0, feather) for one in mask])


def _fade(inside: torch.Tensor, feather: int) -> torch.Tensor:
    """(H, W) 0 outside, rising to 1 within more than `feather` pixels from the nearest pixel outside."""
    if inside.all():
        return inside.float()
    distance = torch.from_numpy(ndimage.distance_transform_edt(inside.cpu().numpy())).to(inside.device)
    return (distance / (feather + 1)).clamp(max=1).float()


def _with_channels(picture: torch.Tensor, channels: int) -> torch.Tensor:
    missing = channels - picture.shape[-1]
    return torch.cat([picture, picture.new_ones(*picture.shape[:-1], missing)], dim=-1) if missing else picture
