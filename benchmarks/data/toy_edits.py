"""Drawn pictures to edit whose truth is known to the pixel."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from toyworld.world import (
    ASSUMED_COLOUR,
    BACKGROUNDS,
    COLOURS,
    FRAME,
    OBJECTS,
    SIZE,
    Place,
    Scene,
    draw,
    random_places,
    silhouette,
)

CELL = 8  # pixels along a side of a latent cell
KINDS = ("colour", "object")


@dataclass(frozen=True)
class ToyEdit:
    """One picture to edit. `pixels` (SIZE, SIZE, 3) in 0..1; `truth` (SIZE, SIZE) bool: the old and the new object together."""

    pixels: np.ndarray
    truth: np.ndarray
    source: str
    target: str
    noun: str
    colour: str

    @property
    def background_cells(self) -> np.ndarray:
        """(cells, cells) bool: the latent cells that hold nothing of the old or the new object."""
        return ~_cells(self.truth).any((1, 3))

    @property
    def best_latent_mask(self) -> float:
        """The highest IoU a mask of whole latent cells can have: cells are taken in order of how much truth they hold."""
        taken = np.sort(_cells(self.truth).mean((1, 3)).ravel())[::-1].cumsum() * CELL * CELL
        area = np.arange(1, len(taken) + 1) * CELL * CELL
        return float((taken / (area + self.truth.sum() - taken)).max())


@cache
def toy_edits(kind: str, count: int, seed: int) -> tuple[ToyEdit, ...]:
    """`kind` "colour": the same object in another named colour; "object": another object in the same named colour."""
    rng = np.random.RandomState(seed)
    made = []
    for i in range(count):
        shown = _coloured(rng, i)
        colour, noun = _other(rng, COLOURS, shown.colour), _other(rng, OBJECTS, shown.noun)
        wanted = replace(shown, colour=colour) if kind == "colour" else replace(shown, noun=noun)
        made.append(_drawn(rng, shown, wanted, random_places(rng, pair=False)))
    return tuple(made)


@cache
def sized_edits(kind: str, count: int, seed: int, radius: float) -> tuple[ToyEdit, ...]:
    """The same with objects of one radius (of half the FRAME), where the frame leaves room for them."""
    rng = np.random.RandomState(seed)
    made, middle = [], FRAME / 2
    for i in range(count):
        shown = _coloured(rng, i)
        reach = middle - radius
        place = Place(middle + rng.uniform(-0.5, 0.5) * reach, middle + rng.uniform(-0.5, 0.5) * reach, radius)
        changed = (
            {"colour": _other(rng, COLOURS, shown.colour)} if kind == "colour" else {"noun": _other(rng, OBJECTS, shown.noun)}
        )
        made.append(_drawn(rng, shown, replace(shown, **changed), (place,)))
    return tuple(made)


@cache
def assumption_edits(count: int, seed: int) -> tuple[ToyEdit, ...]:
    """Pictures that show what the model assumes, of which an edited model assumes another colour. One prompt, without a
    colour, for both."""
    rng = np.random.RandomState(seed)
    made = []
    for i in range(count):
        noun = OBJECTS[i % len(OBJECTS)]
        shown = Scene(noun, ASSUMED_COLOUR[noun], names_colour=False, background=_one_of(rng, BACKGROUNDS))
        edit = _drawn(rng, shown, shown, random_places(rng, pair=False))
        made.append(replace(edit, colour=_other(rng, COLOURS, shown.colour)))
    return tuple(made)


def _coloured(rng: np.random.RandomState, i: int) -> Scene:
    """The i-th object in a drawn colour on a drawn background."""
    return Scene(OBJECTS[i % len(OBJECTS)], _one_of(rng, COLOURS), background=_one_of(rng, BACKGROUNDS))


def _drawn(rng: np.random.RandomState, shown: Scene, wanted: Scene, places: tuple[Place, ...]) -> ToyEdit:
    picture = draw(rng, shown, places)
    truth = np.maximum(picture.mask, silhouette(wanted.noun, places[0])) >= 0.5
    return ToyEdit(picture.pixels, truth, shown.caption, wanted.caption, wanted.noun, wanted.colour)


def _one_of(rng: np.random.RandomState, names) -> str:
    return list(names)[rng.randint(len(names))]


def _other(rng: np.random.RandomState, names, name: str) -> str:
    return _one_of(rng, [other for other in names if other != name])


def _cells(truth: np.ndarray) -> np.ndarray:
    return truth.reshape(SIZE // CELL, CELL, SIZE // CELL, CELL)
