"""Drawing a scene, with the exact truth: which pixel belongs to what, and which pixels have its colour."""

from dataclasses import dataclass

import numpy as np

from .grounds import draw_ground
from .scenes import Scene, Subject
from .sprites import Sprite, person_sprite, resized, thing_sprite
from .things import Thing

SIZE = 128
HALF = 128  # of 255: a pixel belongs to what covers it by half or more
TINT = 0.03  # how much each channel of a sprite varies from picture to picture, at most


@dataclass(frozen=True)
class Place:
    """Where a sprite's centre is and how long its side is, as shares of the picture's side; `mirrored` left to right."""

    x: float
    y: float
    side: float
    mirrored: bool = False


@dataclass(frozen=True)
class Picture:
    """What is drawn and what is true of it.

    `pixels` float32 (size, size, 3) in 0..1. `labels` uint8 (size, size): 0 the ground, i + 1 the object i.
    `coloured` boolean (size, size): pixels of an object that have its subject's colour; none of people and of things
    without a colour. `places` one for each object; `subjects` the index in the scene's subjects for each.
    """

    scene: Scene
    pixels: np.ndarray
    labels: np.ndarray
    coloured: np.ndarray
    places: tuple[Place, ...]
    subjects: tuple[int, ...]


def sprite(subject: Subject) -> Sprite:
    if isinstance(subject.of, Thing):
        return thing_sprite(subject.of, subject.style, subject.colour)
    return person_sprite(subject.of, subject.style, subject.gender, subject.skin_tone)


def random_places(rng: np.random.RandomState, scene: Scene) -> tuple[Place, ...]:
    """Places that fit the scene: a single thing is small, middle or large; two stand side by side."""

    def near(x: float, y: float, side: float, by: float) -> Place:
        right, down, larger = rng.uniform(-by, by), rng.uniform(-2 * by, 2 * by), rng.uniform(0.94, 1.06)
        return Place(x + right, y + down, side * larger, rng.rand() < 0.5)

    if len(scene.subjects) == 2:
        return near(0.26, 0.5, 0.46, 0.03), near(0.74, 0.5, 0.46, 0.03)
    if scene.count == 1:
        side = rng.uniform(0.45, 0.9)
        margin = (1 - side) / 2
        right, down = rng.uniform(-0.9, 0.9, 2) * margin
        return (Place(0.5 + right, 0.5 + down, side, rng.rand() < 0.5),)
    side = rng.uniform(0.37, 0.43)
    spots = {2: [(0.26, 0.5), (0.74, 0.5)], 3: [(0.26, 0.28), (0.74, 0.28), (0.5, 0.73)]}
    corners = [(0.26, 0.27), (0.74, 0.27), (0.26, 0.73), (0.74, 0.73)]
    return tuple(near(x, y, side, 0.02) for x, y in spots.get(scene.count, corners))


def draw(rng: np.random.RandomState, scene: Scene, size: int = SIZE, places: tuple[Place, ...] | None = None) -> Picture:
    """Draw a scene. Same state of `rng` and same arguments, same picture; another size shows the same
    things at the same places. What comes later covers what came before.

    Raises:
        ValueError: a sprite would have to be made larger than it is rendered, or lie outside.
    """
    places = places or random_places(rng, scene)
    tints = 1 + rng.uniform(-TINT, TINT, (len(places), 3)).astype(np.float32)
    pixels = draw_ground(rng, scene.ground, scene.source, size)
    owners = (0, 1) if len(scene.subjects) == 2 else (0,) * len(places)
    labels = np.zeros((size, size), np.uint8)
    coloured = np.zeros((size, size), bool)
    for number, (owner, place, tint) in enumerate(zip(owners, places, tints, strict=True), start=1):
        one = resized(sprite(scene.subjects[owner]), round(place.side * size), place.mirrored)
        paste(pixels, labels, coloured, one, (place.x * size, place.y * size), number, tint)
    return Picture(scene, pixels, labels, coloured, tuple(places), owners)


def paste(
    pixels: np.ndarray,
    labels: np.ndarray,
    coloured: np.ndarray,
    one: Sprite,
    centre: tuple[float, float],
    number: int,
    tint: np.ndarray,
) -> None:
    """Put a sprite in front, into all three arrays; what reaches over the border is cut off."""
    side, size = len(one.rgba), len(labels)
    left, top = (round(c - side / 2) for c in centre)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, size), min(top + side, size)
    if x0 >= x1 or y0 >= y1:
        raise ValueError(f"A sprite of {side} pixels around {centre} lies outside a picture of {size}.")
    here = np.s_[y0:y1, x0:x1]
    there = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    rgba = one.rgba[there]
    alpha = rgba[..., 3:].astype(np.float32) / 255
    colour = np.clip(rgba[..., :3].astype(np.float32) / 255 * tint, 0, 1)
    pixels[here] = pixels[here] * (1 - alpha) + colour * alpha
    owned = rgba[..., 3] >= HALF
    labels[here][owned] = number
    coloured[here] = np.where(owned, one.part[there], coloured[here])
