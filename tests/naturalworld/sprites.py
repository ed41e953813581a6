"""Sprites: what is pasted into pictures, with the part of it that has its colour, at the size it is pasted at."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from .colours import NAMES, colour_names, main_colour, main_part, turned
from .pictures import picture
from .professions import Profession, picture_name
from .render import render
from .things import LEAST_TOLD, Thing

LARGEST = 128  # pixels; sprites are rendered at this size and only made smaller
MEASURED_AT = 96  # pixels


@dataclass(frozen=True)
class Sprite:
    """`rgba` uint8 (n, n, 4), straight alpha; `part` boolean (n, n): the pixels that have the thing's colour."""

    rgba: np.ndarray
    part: np.ndarray


def named_share(rgba: np.ndarray, part: np.ndarray, colour: str) -> float:
    """Which share of the pixels in `part` has this colour's name."""
    names = colour_names(rgba[part][:, :3] / 255)
    return float((names == NAMES.index(colour)).mean())


@cache
def drawn_as_named(style: str, name: str, colour: str) -> bool:
    """Does this style draw the picture in this colour already? If not, it is turned even where the colour is natural."""
    svg = picture(style, name)
    rgba = render(svg, MEASURED_AT)
    part = main_part(svg, main_colour(style, name).fills, MEASURED_AT)
    return named_share(rgba, part, colour) >= LEAST_TOLD


@cache
def thing_sprite(thing: Thing, style: str, colour: str | None) -> Sprite:
    """A thing in a colour, or as it is drawn where it has none.

    Raises:
        ValueError: a colour for a thing whose colour is not turned.
    """
    if colour is not None and thing.colour is None:
        raise ValueError(f"A {thing.noun} is not turned to {colour}: its table entry has no colour.")
    svg = picture(style, thing.picture)
    if colour is None:
        return Sprite(render(svg, LARGEST), np.zeros((LARGEST, LARGEST), bool))
    as_it_is = colour == thing.colour and drawn_as_named(style, thing.picture, colour)
    shown = svg if as_it_is else turned(style, thing.picture, colour)
    return Sprite(render(shown, LARGEST), coloured_part(style, thing.picture))


@cache
def coloured_part(style: str, name: str) -> np.ndarray:
    return main_part(picture(style, name), main_colour(style, name).fills, LARGEST)


@cache
def person_sprite(profession: Profession, style: str, gender: str, skin_tone: str) -> Sprite:
    rgba = render(picture(style, picture_name(profession, gender, skin_tone)), LARGEST)
    return Sprite(rgba, np.zeros((LARGEST, LARGEST), bool))


def resized(sprite: Sprite, side: int, mirrored: bool) -> Sprite:
    """The sprite with `side` pixels a side, at most its own; colours are averaged by their alpha."""
    if side > len(sprite.rgba):
        raise ValueError(f"A sprite of {len(sprite.rgba)} pixels is not made larger; {side} were asked for.")
    if side < len(sprite.rgba):
        rgba = np.array(Image.fromarray(sprite.rgba).resize((side, side), Image.Resampling.BOX))
        part = np.array(Image.fromarray(sprite.part.astype(np.uint8) * 255).resize((side, side), Image.Resampling.BOX)) >= 128
        sprite = Sprite(rgba, part)
    return Sprite(sprite.rgba[:, ::-1], sprite.part[:, ::-1]) if mirrored else sprite
