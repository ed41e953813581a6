"""Colours by name: what each means, which name a pixel has, and turning a picture's main colour to another one.

A picture's main colour is a cluster of its fills: those with enough chroma whose hue is near the picture's strongest one.
Only these fills are replaced in the SVG text, so edges stay exact, and leaves, eyes and wheels keep their colours.
"""

import re
from dataclasses import dataclass
from functools import cache

import numpy as np

from .oklch import from_oklch, hue_difference, lab_of, to_oklab, to_oklch
from .pictures import picture
from .render import render

# OKLCH: lightness, chroma, hue. Each is what a picture's main pixels are turned to in the median.
COLOURS = {
    "red": (0.58, 0.22, 27),
    "orange": (0.75, 0.17, 60),
    "yellow": (0.88, 0.17, 97),
    "green": (0.62, 0.18, 143),
    "blue": (0.57, 0.18, 256),
    "purple": (0.48, 0.20, 303),
    "pink": (0.79, 0.12, 352),
    "brown": (0.45, 0.075, 55),
}
# What a pixel can be besides; nothing is turned to these. A black thing has no room for darker parts and a white one none
# for lighter ones, so that a black cat loses its face and a white ball its seams.
NEUTRALS = {"black": (0.24, 0.0, 0), "grey": (0.6, 0.0, 0), "white": (0.95, 0.0, 0)}
NAMES = (*COLOURS, *NEUTRALS)
LIGHTNESS_WEIGHT = 0.6  # of lightness beside the two colour axes, when a pixel is given a name

FILL = re.compile(r'\b(fill|stroke|stop-color)="(#[0-9a-fA-F]{3}(?:[0-9a-fA-F]{3})?)"')
LEAST_CHROMA = 0.04  # of a fill that can belong to the main colour
HUE_REACH = 32.0  # degrees from the main hue; a fill within it belongs to the main colour
KEPT_LIGHTNESS = 0.6  # share of a fill's difference in lightness from the main colour that stays
KEPT_HUE = 0.4  # the same for hue
MOST_CHROMA = 1.25  # times the colour's own chroma
MEASURED_AT = 96  # pixels, when a picture's main colour is looked for


@dataclass(frozen=True)
class Main:
    """A picture's main colour in OKLCH (median lightness and chroma of its pixels, the hue that most chroma has), and the
    fills that make it, as they are written and in a fixed order."""

    lch: tuple[float, float, float]
    fills: tuple[str, ...]


def colour_names(rgb: np.ndarray) -> np.ndarray:
    """Indices into NAMES (...) of sRGB (..., 3) in 0..1: the nearest in OKLab."""
    weights = np.array([LIGHTNESS_WEIGHT, 1, 1])
    palette = lab_of(np.array([*COLOURS.values(), *NEUTRALS.values()])) * weights
    return ((to_oklab(rgb)[..., None, :] * weights - palette) ** 2).sum(-1).argmin(-1)


def main_hue(rgba: np.ndarray) -> float:
    """The hue that most of the chroma of a picture (h, w, 4) uint8 has, in degrees."""
    seen = rgba[rgba[..., 3] >= 128][:, :3] / 255
    _, chroma, hue = to_oklch(seen).T
    weight = chroma * (chroma >= LEAST_CHROMA)
    angles = np.arange(0, 360, 3.0)
    near = np.exp(-((hue_difference(hue[None], angles[:, None]) / 15) ** 2))
    peak = angles[(near * weight).sum(1).argmax()]
    close = np.abs(hue_difference(hue, peak)) <= HUE_REACH
    total = (weight * close).sum()
    return float(peak + (hue_difference(hue, peak) * weight * close).sum() / total) % 360 if total else 0.0


def fills(svg: str) -> set[str]:
    return {match[2] for match in FILL.finditer(svg)}


def to_rgb(fill: str) -> np.ndarray:
    digits = fill[1:] if len(fill) == 7 else "".join(2 * digit for digit in fill[1:])
    return np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)]) / 255


def to_hex(rgb: np.ndarray) -> str:
    return "#" + "".join(f"{int(round(255 * value)):02x}" for value in np.clip(rgb, 0, 1))


def repaint(svg: str, paint: dict[str, str]) -> str:
    """The SVG text with the fills that are keys of `paint` replaced."""
    return FILL.sub(lambda match: f'{match[1]}="{paint.get(match[2], match[2])}"', svg)


@cache
def main_colour(style: str, name: str) -> Main:
    """The main colour of a picture.

    Raises:
        ValueError: it has none.
    """
    svg = picture(style, name)
    rgba = render(svg, MEASURED_AT)
    centre = main_hue(rgba)
    lch = {fill: to_oklch(to_rgb(fill)) for fill in fills(svg)}
    near = [fill for fill, (_, c, h) in lch.items() if c >= LEAST_CHROMA and abs(hue_difference(h, centre)) <= HUE_REACH]
    chosen = tuple(sorted(near))
    inside = main_part(svg, chosen, MEASURED_AT)
    if not inside.any():
        raise ValueError(f"{style}'s {name} has no main colour: no fill with a chroma of {LEAST_CHROMA} or more is seen.")
    lightness, chroma, _ = np.median(to_oklch(rgba[inside][:, :3] / 255), 0)
    return Main((float(lightness), float(chroma), centre), chosen)


def main_part(svg: str, chosen: tuple[str, ...], size: int) -> np.ndarray:
    """Boolean (size, size): pixels that the chosen fills cover by half or more."""
    paint = {fill: "#fff" if fill in chosen else "#000" for fill in fills(svg)}
    rgba = render(repaint(svg, paint), size)
    return (rgba[..., 0] >= 128) & (rgba[..., 3] >= 128)


def turned(style: str, name: str, colour: str) -> str:
    """The picture's SVG text with its main colour turned to a named one; light and dark parts stay lighter and darker."""
    main = main_colour(style, name)
    lightness, chroma, centre = main.lch
    to = COLOURS[colour]
    before = to_oklch(np.array([to_rgb(fill) for fill in main.fills]))
    after = np.stack(
        [
            np.clip(to[0] + KEPT_LIGHTNESS * (before[:, 0] - lightness), 0.1, 0.98),
            to[1] * np.minimum(before[:, 1] / chroma, MOST_CHROMA),
            to[2] + KEPT_HUE * hue_difference(before[:, 2], centre),
        ],
        -1,
    )
    return repaint(picture(style, name), dict(zip(main.fills, map(to_hex, from_oklch(after)), strict=True)))
