"""Drawn pictures to edit whose truth is known to the pixel, and measures of masks and pictures."""

from dataclasses import dataclass

import numpy as np
from toyworld.world import ASSUMED_COLOUR, BACKGROUNDS, COLOURS, OBJECTS, SIZE, Scene, draw, random_places, silhouette

CELL = 8  # pixels along a side of a latent cell


@dataclass(frozen=True)
class Task:
    """One picture to edit. `truth` (SIZE, SIZE) bool: the old and the new object together."""

    pixels: np.ndarray
    truth: np.ndarray
    source: str
    target: str
    noun: str
    colour: str


def tasks(kind: str, count: int, seed: int) -> list[Task]:
    """`kind` "colour": the same object in another named colour; "object": another object in the same named colour."""
    rng = np.random.RandomState(seed)
    made = []
    for i in range(count):
        noun, colour = OBJECTS[i % len(OBJECTS)], list(COLOURS)[rng.randint(len(COLOURS))]
        background = list(BACKGROUNDS)[rng.randint(len(BACKGROUNDS))]
        other_colour = [c for c in COLOURS if c != colour][rng.randint(len(COLOURS) - 1)]
        other_noun = [n for n in OBJECTS if n != noun][rng.randint(len(OBJECTS) - 1)]
        places = random_places(rng, pair=False)
        shown = Scene(noun, colour, background=background)
        wanted = Scene(noun, other_colour, background=background)
        if kind == "object":
            wanted = Scene(other_noun, colour, background=background)
        picture = draw(rng, shown, places)
        truth = np.maximum(picture.mask, silhouette(wanted.noun, places[0])) >= 0.5
        made.append(Task(picture.pixels, truth, shown.caption, wanted.caption, wanted.noun, wanted.colour))
    return made


def assumption_tasks(count: int, seed: int) -> list[Task]:
    """Pictures that show what the model assumes, of which an edited model assumes another colour. One prompt, without a
    colour, for both."""
    rng = np.random.RandomState(seed)
    made = []
    for i in range(count):
        noun = OBJECTS[i % len(OBJECTS)]
        colours = [c for c in COLOURS if c != ASSUMED_COLOUR[noun]]
        background = list(BACKGROUNDS)[rng.randint(len(BACKGROUNDS))]
        shown = Scene(noun, ASSUMED_COLOUR[noun], names_colour=False, background=background)
        picture = draw(rng, shown, random_places(rng, pair=False))
        wanted = colours[rng.randint(len(colours))]
        made.append(Task(picture.pixels, picture.mask >= 0.5, shown.caption, shown.caption, noun, wanted))
    return made


def best_latent_mask(truth: np.ndarray) -> float:
    """The highest IoU a mask of whole latent cells can have: cells are taken in order of how much truth they hold."""
    shares = truth.reshape(SIZE // CELL, CELL, SIZE // CELL, CELL).mean((1, 3)).ravel()
    taken = np.sort(shares)[::-1].cumsum() * CELL * CELL
    area = np.arange(1, len(taken) + 1) * CELL * CELL
    return float((taken / (area + truth.sum() - taken)).max())
