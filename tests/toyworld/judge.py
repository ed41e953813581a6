"""The judge: reads object, colour, count and position from the pixels alone, for drawn and generated pictures."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import ndimage

from .world import COLOURS, FRAME, OBJECTS, SIZE, Place, silhouette

FOREGROUND_CONTRAST = 0.25  # largest channel difference to the background, 0..1
SMALLEST_OBJECT = 160  # pixels of a 128 x 128 picture
PROFILE_CELLS = 40
PROFILE_REACH = 1.7  # in units of the square root of the object's area


@dataclass(frozen=True)
class Verdict:
    """`noun`, `colour` of the largest object (None when nothing is there), how many objects, and their union.

    `centre` is (x, y) in the 64 x 64 frame; `mask` is boolean (SIZE, SIZE).
    """

    noun: str | None
    colour: str | None
    count: int
    centre: tuple[float, float] | None
    mask: np.ndarray


def judge(pixels: np.ndarray) -> Verdict:
    """Judge a picture (SIZE, SIZE, 3) in 0..1."""
    pixels = np.asarray(pixels, np.float32)
    if pixels.shape != (SIZE, SIZE, 3):
        raise ValueError(f"pixels has shape {pixels.shape}; the judge reads ({SIZE}, {SIZE}, 3).")
    foreground = ndimage.binary_opening(_contrast(pixels) > FOREGROUND_CONTRAST)
    labels, found = ndimage.label(foreground)
    areas = ndimage.sum_labels(foreground, labels, range(1, found + 1)) if found else np.array([])
    objects = [label for label in np.argsort(-areas) + 1 if areas[label - 1] >= SMALLEST_OBJECT]
    if not objects:
        return Verdict(None, None, 0, None, np.zeros((SIZE, SIZE), bool))
    largest = labels == objects[0]
    y, x = ndimage.center_of_mass(largest)
    return Verdict(
        noun=_nearest_object(largest),
        colour=nearest_colour(pixels[ndimage.binary_erosion(largest) if largest.sum() > 400 else largest]),
        count=len(objects),
        centre=((x + 0.5) * FRAME / SIZE, (y + 0.5) * FRAME / SIZE),
        mask=np.isin(labels, objects),
    )


def nearest_colour(pixels: np.ndarray) -> str:
    """The palette colour for which most of the pixels (n, 3) vote."""
    names = list(COLOURS)
    palette = np.array([COLOURS[name] for name in names], np.float32) / 255
    votes = ((pixels[:, None] - palette[None]) ** 2).sum(-1).argmin(1)
    return names[int(np.bincount(votes, minlength=len(names)).argmax())]


def _contrast(pixels: np.ndarray) -> np.ndarray:
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return np.abs(pixels - np.median(border, axis=0)).max(-1)


def _profile(mask: np.ndarray) -> np.ndarray:
    """A mask moved to its centroid and scaled to unit area, so that position and size do not matter."""
    cy, cx = ndimage.center_of_mass(mask)
    reach = PROFILE_REACH * np.sqrt(mask.sum())
    steps = np.linspace(-reach, reach, PROFILE_CELLS)
    grid = np.meshgrid(cy + steps, cx + steps, indexing="ij")
    return ndimage.map_coordinates(mask.astype(np.float32), grid, order=1)


@cache
def _profiles() -> dict[str, np.ndarray]:
    return {noun: _profile(silhouette(noun, Place(32, 32, 22)) > 0.5) for noun in OBJECTS}


def _nearest_object(mask: np.ndarray) -> str:
    profile = _profile(mask)

    def overlap(other: np.ndarray) -> float:
        return float(np.minimum(profile, other).sum() / np.maximum(profile, other).sum())

    return max(OBJECTS, key=lambda noun: overlap(_profiles()[noun]))
