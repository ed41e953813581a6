"""Grounds: plain ones, textures that are drawn here, and photographs that come inside scikit-image.

Each kind has the ways to draw it ("drawn" or "photograph") and the words for where a thing on it is.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import skimage
from PIL import Image

PLAIN = "plain"


@dataclass(frozen=True)
class Ground:
    """`sources`: ways to draw it. `words`: phrases that name it after a thing, or none."""

    kind: str
    sources: tuple[str, ...]
    words: tuple[str, ...]


GROUNDS = (
    Ground(PLAIN, ("drawn",), ("on a plain ground", "before a plain background")),
    Ground("grass", ("drawn", "photograph"), ("on grass", "on the grass", "on a meadow")),
    Ground("sand", ("drawn",), ("on sand", "on the beach")),
    Ground("water", ("drawn",), ("on water", "on the water")),
    Ground("brick", ("drawn", "photograph"), ("before a brick wall", "against a brick wall")),
    Ground("gravel", ("photograph",), ("on gravel", "on pebbles")),
    Ground("wood", ("photograph",), ("on a wooden table", "on wood")),
    Ground("space", ("photograph",), ("in space", "in outer space")),
)
BY_KIND = {ground.kind: ground for ground in GROUNDS}

# file in skimage.data, the part (left, top, right, bottom) that shows nothing else, and the tint of a grey photograph
PHOTOGRAPHS = {
    "grass": ("grass.png", (0, 0, 512, 512), (0.55, 0.82, 0.36)),
    "brick": ("brick.png", (0, 0, 512, 512), (0.98, 0.60, 0.47)),
    "gravel": ("gravel.png", (0, 0, 512, 512), (1.0, 0.96, 0.9)),
    "wood": ("coffee.png", (492, 0, 600, 400), None),
    "space": ("hubble_deep_field.jpg", (0, 0, 1000, 872), None),
}
SOFTNESS = 0.7  # of a photograph's contrast: a background, not the subject
BRIGHTER = {"grass": 1.15, "brick": 1.25, "gravel": 1.05, "wood": 1.1, "space": 1.2}


def draw_ground(rng: np.random.RandomState, kind: str, source: str, size: int) -> np.ndarray:
    """Pixels (size, size, 3) float32 in 0..1.

    Raises:
        ValueError: the world has no such ground, or not from this source.
    """
    if kind not in BY_KIND or source not in BY_KIND[kind].sources:
        raise ValueError(f"There is no ground {kind!r} from a {source!r}; the grounds are {', '.join(BY_KIND)}.")
    pixels = photographed(rng, kind, size) if source == "photograph" else DRAWN[kind](rng, size)
    gain = 1 + rng.uniform(-0.04, 0.04, 3)
    return np.clip(pixels * gain, 0, 1).astype(np.float32)


@cache
def photograph(kind: str) -> np.ndarray:
    """The usable part of a photograph, (h, w, 3) float32 in 0..1."""
    file, part, tint = PHOTOGRAPHS[kind]
    image = Image.open(Path(skimage.__file__).parent / "data" / file).convert("RGB").crop(part)
    pixels = np.asarray(image, np.float32) / 255
    pixels = pixels * BRIGHTER[kind] * np.array(tint or (1, 1, 1), np.float32)
    middle = pixels.mean((0, 1))
    return middle + SOFTNESS * (pixels - middle)


def photographed(rng: np.random.RandomState, kind: str, size: int) -> np.ndarray:
    """A square of the photograph, somewhere in it and of some size, mirrored or not."""
    whole = photograph(kind)
    longest = min(whole.shape[:2])
    side = int(rng.uniform(0.22, 0.45) * longest)
    top, left = (rng.randint(length - side + 1) for length in whole.shape[:2])
    square = whole[top : top + side, left : left + side, :][:, :: rng.choice([-1, 1])]
    eight_bits = (np.clip(square, 0, 1) * 255).astype(np.uint8)
    return np.asarray(Image.fromarray(eight_bits).resize((size, size), Image.Resampling.BICUBIC), np.float32) / 255


def noise(rng: np.random.RandomState, size: int, rows: int, columns: int) -> np.ndarray:
    """Smooth noise (size, size) with about that many bumps along each side, variance near one."""
    coarse = Image.fromarray(rng.randn(rows, columns).astype(np.float32))
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC))


def plain(rng: np.random.RandomState, size: int) -> np.ndarray:
    return np.full((size, size, 3), rng.uniform(0.8, 0.95)) + rng.uniform(-0.02, 0.02, 3)


def grass(rng: np.random.RandomState, size: int) -> np.ndarray:
    blades = 0.07 * noise(rng, size, size // 10, size // 2) + 0.04 * noise(rng, size, 6, 6)
    return np.array([0.44, 0.66, 0.30]) + blades[..., None] * np.array([1, 1, 0.6])


def sand(rng: np.random.RandomState, size: int) -> np.ndarray:
    y = np.linspace(0, 1, size)[:, None]
    ripples = 0.02 * np.sin(2 * np.pi * (7 * y + 0.35 * noise(rng, size, 4, 4) + rng.rand()))
    return np.array([0.89, 0.79, 0.58]) + (ripples + 0.035 * rng.randn(size, size))[..., None]


def water(rng: np.random.RandomState, size: int) -> np.ndarray:
    y = np.linspace(0, 1, size)[:, None]
    waves = np.sin(2 * np.pi * (10 * y + 0.4 * noise(rng, size, 6, 4) + rng.rand()))
    light = np.clip(waves - 0.55, 0, 1)
    return np.array([0.22, 0.52, 0.66]) + (0.03 * waves + 0.3 * light - 0.08 * y)[..., None] * np.array([0.9, 1, 1])


def brick(rng: np.random.RandomState, size: int) -> np.ndarray:
    height, width = size / rng.uniform(6.5, 9), size / rng.uniform(3, 4)
    y, x = np.mgrid[:size, :size] + rng.uniform(0, size, 2)[:, None, None]
    row = np.floor(y / height).astype(int)
    along = x / width + 0.5 * (row % 2)
    column = np.floor(along).astype(int)
    mortar = ((y / height - row) * height < 0.018 * size) | ((along - column) * width < 0.018 * size)
    tone = rng.uniform(-0.05, 0.05, (64, 64))[row % 64, column % 64] + 0.02 * rng.randn(size, size)
    wall = np.array([0.67, 0.33, 0.26]) + tone[..., None]
    return np.where(mortar[..., None], np.array([0.74, 0.58, 0.51]) + tone[..., None] / 2, wall)


DRAWN = {PLAIN: plain, "grass": grass, "sand": sand, "water": water, "brick": brick}
