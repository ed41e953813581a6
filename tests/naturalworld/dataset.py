"""Many pictures of a split, with captions and truth, in arrays."""

from dataclasses import dataclass

import numpy as np

from .captions import caption
from .draw import SIZE, Picture, draw
from .scenes import Scene, random_scene, seed_of


@dataclass(frozen=True)
class Drawn:
    """`pixels` uint8 (n, size, size, 3), `labels` uint8 and `coloured` boolean (n, size, size)."""

    scenes: list[Scene]
    captions: list[str]
    pixels: np.ndarray
    labels: np.ndarray
    coloured: np.ndarray


def example(split: str, index: int, size: int = SIZE) -> Picture:
    """The picture number `index` of a split: its seed decides the scene, the places and the ground."""
    rng = np.random.RandomState(seed_of(split, index))
    return draw(rng, random_scene(rng), size)


def draw_split(split: str, count: int, first: int = 0, size: int = SIZE) -> Drawn:
    """`count` pictures of a split, from number `first` on."""
    pixels = np.empty((count, size, size, 3), np.uint8)
    labels, coloured = np.empty((count, size, size), np.uint8), np.empty((count, size, size), bool)
    scenes, captions = [], []
    for i in range(count):
        picture = example(split, first + i, size)
        pixels[i] = (picture.pixels * 255).round()
        labels[i], coloured[i] = picture.labels, picture.coloured
        scenes.append(picture.scene)
        captions.append(caption(picture.scene))
    return Drawn(scenes, captions, pixels, labels, coloured)
