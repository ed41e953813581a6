"""The surroundings of a mask, cut out at the size at which a model is good, and laid back over the whole picture."""

import math
from dataclasses import dataclass

import comfy.utils
import torch

from ..mask.masks import checked
from .composite import composite, cut_place, laid_on_zeros, require_channels, require_one_or_as_many
from .seams import AS_IT_IS, SEAMLESS, Fit, fitted

CELL = 8  # sides of what is cut out are multiples of it, as those of most latents are
Size = tuple[int, int]


@dataclass(frozen=True)
class Crop:
    """Windows cut out of pictures. All sizes are (height, width) in pixels.

    Attributes:
        places: top and left edge of the window in each picture, or one for all pictures.
        window: size of the window in the picture.
        size: to which the window was resized.
        original: size of the picture.
    """

    places: tuple[Size, ...]
    window: Size
    size: Size
    original: Size


def crop_around(mask: torch.Tensor, original: Size, context: float, size: int) -> Crop:
    """Where to cut so that each mask lies in the middle of its window, as far as the picture reaches.

    The window is a square, or, where it is larger than the picture's shorter side, as long as it must be and as wide as the
    picture. Of a picture that is too small for both, a strip at the mask's edge is left out.

    Args:
        mask: MASK, one for all pictures or one a picture, as large as the picture or as VAE Encode crops it.
        original: (height, width) of the pictures.
        context: surroundings on each side, in lengths of the mask's longer side, >= 0. All windows are as large as the mask
            that needs most wants it.
        size: longer side to which the window shall be resized, a multiple of CELL. The shorter one is a multiple, too, and
            the window has the same proportions, but for a rounding to whole pixels.

    Raises:
        ValueError: a mask of another size, or in which nothing is masked.
    """
    masks = _whole(mask, original)
    boxes = [_box(one, f"mask {i} of {len(masks)}" if len(masks) > 1 else "mask") for i, one in enumerate(masks, 1)]
    longest = max(end - begin for box in boxes for begin, end in box)
    window, resized = _window(round(longest * (1 + 2 * context)), original, size)
    places = tuple((_start(*rows, window[0], original[0]), _start(*columns, window[1], original[1])) for rows, columns in boxes)
    return Crop(places, window, resized, original)


def cut_out(pictures: torch.Tensor, crop: Crop) -> torch.Tensor:
    """The windows, resized.

    Args:
        pictures: (B, H, W, 3 or 4) in 0 .. 1, of the size `crop.original`.

    Returns:
        (B or crop.places, h, w, 3 or 4) float32 of the size `crop.size`, the pictures' own pixels where that is the window's.

    Raises:
        ValueError: another number of channels, or of pictures than of windows.
    """
    require_channels("picture", pictures)
    require_one_or_as_many("mask", len(crop.places), len(pictures), "of picture")
    return _resized(_windows(pictures.float(), crop), crop.size)


def cut_out_mask(mask: torch.Tensor, crop: Crop) -> torch.Tensor:
    """(masks, h, w) of the size `crop.size`: a pixel is masked as much as the most masked one that it stands for.

    Raises:
        ValueError: as `crop_around`.
    """
    windows = _windows(_whole(mask, crop.original).float(), crop)
    if math.prod(crop.size) < math.prod(crop.window):
        return torch.nn.functional.adaptive_max_pool2d(windows, crop.size)
    return _nearest(windows, crop.size)


def stitch(
    original: torch.Tensor,
    edited: torch.Tensor,
    crop: Crop,
    mask: torch.Tensor | None = None,
    feather: int = 0,
    fit: Fit = AS_IT_IS,
) -> torch.Tensor:
    """The edited windows laid back over the original; outside the mask, and outside the window, its own pixels exactly.

    Args:
        original: (1 or B, H, W, 3 or 4), of the size `crop.original`.
        edited: (B, h, w, 3 or 4), of the size `crop.size` or as VAE Encode crops it; what it cropped stays the original.
        crop: one window for all, or one for each edited.
        mask: MASK, one or B, of the size `crop.size` or as VAE Encode crops it. None: the whole window.
        feather: pixels of the original over which the edit fades in, from the edge of the mask or the window inwards, >= 0.
        fit: as of `composite`; the surroundings are those in the window. SEAMLESS: the outermost pixels of the window stay the
            original's, for it has no others to meet.

    Returns:
        (B, H, W, 3 or 4), channels as of `composite`.

    Raises:
        ValueError: sizes or numbers that do not belong together, or no surroundings to match colours to.
    """
    _require_original(original, crop)
    for name, given in (("original", original), ("edited", edited)):
        require_channels(name, given)
    inside = torch.ones(1, *crop.size) if mask is None else _mask_of_crop(mask, crop)
    for name, given in (("original", len(original)), ("crop", len(crop.places)), ("mask", len(inside))):
        require_one_or_as_many(name, given, len(edited))
    # Under --gpu-only a picture lies on the GPU, and a mask that was checked does not.
    windows = _resized(_uncropped(original, edited, crop).float(), crop.window).to(original.device)
    inside = _nearest(inside, crop.window).to(original.device)
    if fit.seam == SEAMLESS:
        inside = inside.expand(max(len(inside), len(crop.places)), -1, -1) * _within_rim(crop).to(inside.device)
    around = _windows(original.float(), crop).expand(len(edited), -1, -1, -1)
    windows = fitted(windows, around, inside > 0, fit)
    laid, covered = (laid_on_zeros(each, crop.original, crop.places) for each in (windows, inside))
    return composite(original, laid, covered, feather, Fit(soft_edge=fit.soft_edge))


def _whole(mask: torch.Tensor, original: Size) -> torch.Tensor:
    """(masks, H, W): the mask as large as the picture; what VAE Encode crops is not masked."""
    mask = checked(mask)
    place = cut_place(original, mask.shape[1:])
    if place is None:
        raise ValueError(
            f"mask is {_shown(mask.shape[1:])} pixels; it must be as large as picture, {_shown(original)}, or as VAE Encode "
            "crops it."
        )
    return laid_on_zeros(mask, original, [place])


def _mask_of_crop(mask: torch.Tensor, crop: Crop) -> torch.Tensor:
    """(masks, h, w) of the size of the crop."""
    mask = checked(mask).float()
    place = cut_place(crop.size, mask.shape[1:])
    if place is None:
        raise ValueError(
            f"mask is {_shown(mask.shape[1:])} pixels; it must be as large as the crop, {_shown(crop.size)}: the MASK of Crop "
            "Around Mask, or one made on its IMAGE."
        )
    return laid_on_zeros(mask, crop.size, [place])


def _box(mask: torch.Tensor, name: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """(top, bottom), (left, right) of what is masked at all; bottom and right lie beyond it."""
    masked = mask > 0
    if not masked.any():
        raise ValueError(f"{name} is 0 everywhere, so that there is nothing to crop around; mask what shall be edited.")
    ends = [torch.nonzero(masked.any(dim)).flatten() for dim in (1, 0)]
    rows, columns = ((int(end[0]), int(end[-1]) + 1) for end in ends)
    return rows, columns


def _window(side: int, original: Size, size: int) -> tuple[Size, Size]:
    """Size of a window at least `side` long, as far as the picture reaches, and the size to which it is resized."""
    shorter, longer = min(side, *original), min(side, max(original))
    resized = max(size * shorter // longer // CELL * CELL, CELL)
    # Both have the same proportions: the window becomes longer, or, where the picture ends, narrower.
    longer = min(round(shorter * size / resized), max(original))
    shorter = min(round(longer * resized / size), shorter)
    if original[0] <= original[1]:
        return (shorter, longer), (resized, size)
    return (longer, shorter), (size, resized)


def _start(begin: int, end: int, length: int, whole: int) -> int:
    """Where a stretch of `length` begins that has begin .. end in its middle, moved inside 0 .. whole."""
    return min(max((begin + end - length) // 2, 0), whole - length)


def _windows(whole: torch.Tensor, crop: Crop) -> torch.Tensor:
    """(pictures or places, h, w, ...): what lies in the window of each."""
    height, width = crop.window
    count = max(len(whole), len(crop.places))
    cut = []
    for i in range(count):
        top, left = crop.places[i % len(crop.places)]
        cut.append(whole[i % len(whole), top : top + height, left : left + width])
    return torch.stack(cut)


def _uncropped(original: torch.Tensor, edited: torch.Tensor, crop: Crop) -> torch.Tensor:
    """The edited picture at the crop's size: where VAE Encode cropped it, with the original around it."""
    place = cut_place(crop.size, edited.shape[1:3])
    if place is None:
        raise ValueError(
            f"edited is {_shown(edited.shape[1:3])} pixels; it must be as large as the crop, {_shown(crop.size)}, or as VAE "
            "Encode crops it: edit the IMAGE of Crop Around Mask."
        )
    if edited.shape[1:3] == crop.size:
        return edited
    around = _resized(_windows(original[..., : edited.shape[-1]].float(), crop), crop.size)
    return composite(around, edited, edited.new_ones(1, *edited.shape[1:3]))


def _within_rim(crop: Crop) -> torch.Tensor:
    """(places, h, w): 0 in the outermost pixels of the window where the picture goes on beyond them, else 1."""
    within = torch.ones(len(crop.places), *crop.window)
    for one, (top, left) in zip(within, crop.places, strict=True):
        one[:1] = float(top == 0)
        one[-1:] *= float(top + crop.window[0] == crop.original[0])
        one[:, :1] *= float(left == 0)
        one[:, -1:] *= float(left + crop.window[1] == crop.original[1])
    return within


def _resized(pictures: torch.Tensor, size: Size) -> torch.Tensor:
    """As the host resizes, with 8 bits a colour; those that have the size already stay as they are."""
    if pictures.shape[1:3] == size:
        return pictures
    return comfy.utils.common_upscale(pictures.movedim(-1, 1), size[1], size[0], "lanczos", "disabled").movedim(1, -1)


def _nearest(masks: torch.Tensor, size: Size) -> torch.Tensor:
    """Enlarged and reduced again, a mask is the same to the pixel."""
    return torch.nn.functional.interpolate(masks[:, None], size, mode="nearest-exact")[:, 0]


def _require_original(original: torch.Tensor, crop: Crop) -> None:
    if original.shape[1:3] != crop.original:
        raise ValueError(
            f"original is {_shown(original.shape[1:3])} pixels, but crop was cut out of {_shown(crop.original)}; connect the "
            "picture that Crop Around Mask cut."
        )


def _shown(size: tuple[int, ...]) -> str:
    return f"{size[1]} x {size[0]}"
