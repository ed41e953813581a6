"""Pictures to edit whose truth is known to the pixel: `python -m naturalworld.edits FOLDER` writes them with a table.

A picture and the one that is asked for are drawn alike but for what changes, so that the truth is where they differ. A third
each asks for another colour, for another thing, and for a change of one of two things; each of these with small, middle and
large things on plain grounds, drawn textures and photographs.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.data.tables import csv_of

from .captions import caption
from .colours import COLOURS
from .draw import Place, draw
from .grounds import GROUNDS, PLAIN
from .scenes import Scene, Subject, one_of, seed_of
from .things import COLOURED, THINGS

KINDS = ("colour", "kind", "one of two")
SIDES = {"small": (0.27, 0.33), "middle": (0.45, 0.58), "large": (0.72, 0.86)}
SIDES_OF_TWO = {"small": (0.24, 0.28), "middle": (0.33, 0.38), "large": (0.43, 0.48)}
GROUND_SOURCES = {
    "plain": [(ground, "drawn") for ground in GROUNDS if ground.kind == PLAIN],
    "drawn texture": [(ground, "drawn") for ground in GROUNDS if ground.kind != PLAIN and "drawn" in ground.sources],
    "photograph": [(ground, "photograph") for ground in GROUNDS if "photograph" in ground.sources],
}
CELLS = tuple(product(KINDS, SIDES, GROUND_SOURCES))
FIRST = 900_000_000  # index in a split, beyond those of its scenes
DIFFERS = 4 / 255


@dataclass(frozen=True)
class NaturalEdit:
    """`pixels` and `wanted` (SIZE, SIZE, 3) float32 in 0..1; `truth` boolean (SIZE, SIZE): where they differ; `thing`: where
    what changes is in `pixels`, to its outline; `other`: where the second thing is, which stays as it is; None where there is
    but one."""

    kind: str
    size: str
    ground: str
    source: str
    target: str
    pixels: np.ndarray
    wanted: np.ndarray
    truth: np.ndarray
    thing: np.ndarray
    other: np.ndarray | None


def natural_edits(split: str, count: int) -> Iterator[NaturalEdit]:
    """The first `count` of a split; every 27 have each combination of kind, size and ground once."""
    for index in range(count):
        yield natural_edit(split, index)


def natural_edit(split: str, index: int) -> NaturalEdit:
    kind, size, ground = CELLS[index % len(CELLS)]
    seed = seed_of(split, FIRST + index)
    rng = np.random.RandomState(seed)
    changes_colour = kind == "colour" or (kind == "one of two" and rng.rand() < 0.5)
    first, changed = coloured_pair(rng) if changes_colour else kinds_pair(rng)
    subjects, places = [first], [single_place(rng, SIDES[size])]
    if kind == "one of two":
        nouns = {first.noun, changed.noun}
        subjects.append(Subject(one_of(rng, [thing for thing in THINGS if thing.noun not in nouns])))
        subjects[1] = replace(subjects[1], colour=subjects[1].of.colour)
        places = places_of_two(rng, SIDES_OF_TWO[size])
    where, source = one_of(rng, GROUND_SOURCES[ground])
    shown = Scene(
        tuple(subjects), 1, where.kind, source, ground != "plain", rng.randint(len(where.words)), rng.randint(2**31 - 1)
    )
    wanted = replace(shown, subjects=(changed, *subjects[1:]))
    before, after = (draw(np.random.RandomState(seed), scene, places=tuple(places)) for scene in (shown, wanted))
    truth = np.abs(before.pixels - after.pixels).max(-1) > DIFFERS
    other = before.labels == 2 if len(subjects) == 2 else None
    shown_and_wanted = caption(shown), caption(wanted), before.pixels, after.pixels
    return NaturalEdit(kind, size, ground, *shown_and_wanted, truth, before.labels == 1, other)


def coloured_pair(rng: np.random.RandomState) -> tuple[Subject, Subject]:
    """A thing in a colour that its caption names, and in another one."""
    thing = one_of(rng, COLOURED)
    one, other = (list(COLOURS)[i] for i in rng.permutation(len(COLOURS))[:2])
    if rng.rand() < 0.5:
        one, other = thing.colour, one if one != thing.colour else other
    return Subject(thing, one, True), Subject(thing, other, True)


def kinds_pair(rng: np.random.RandomState) -> tuple[Subject, Subject]:
    """Two different things as they are by nature."""
    one, other = (THINGS[i] for i in rng.permutation(len(THINGS))[:2])
    return Subject(one, one.colour), Subject(other, other.colour)


def single_place(rng: np.random.RandomState, sides: tuple[float, float]) -> Place:
    side = rng.uniform(*sides)
    right, down = rng.uniform(-0.9, 0.9, 2) * (1 - side) / 2
    return Place(0.5 + right, 0.5 + down, side, rng.rand() < 0.5)


def places_of_two(rng: np.random.RandomState, sides: tuple[float, float]) -> list[Place]:
    """Left and right of one another; captions of two say which is where, so the first is the left one."""
    side = rng.uniform(*sides)
    return [Place(x + rng.uniform(-0.02, 0.02), 0.5 + rng.uniform(-0.05, 0.05), side, rng.rand() < 0.5) for x in (0.26, 0.74)]


def write_edits(folder: Path, split: str, count: int) -> Path:
    """A table with its pictures beside it: what is shown, where it changes, what is wanted, where the other thing is."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, edit in enumerate(natural_edits(split, count)):
        files = {"picture": edit.pixels, "mask": edit.truth, "wanted": edit.wanted, "other": edit.other}
        row = {"source": edit.source, "target": edit.target, "kind": edit.kind, "size": edit.size, "ground": edit.ground}
        for name, pixels in files.items():
            row[name] = "" if pixels is None else f"{number:03d}_{name}.png"
            if pixels is not None:
                Image.fromarray((np.float32(pixels) * 255).round().astype(np.uint8)).save(folder / row[name])
        rows.append(row)
    (folder / "edits.csv").write_bytes(csv_of(rows))
    return folder / "edits.csv"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m naturalworld.edits", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--split", default="test", choices=("validation", "test"))
    parser.add_argument("--count", type=int, default=6 * len(CELLS), help="pictures (162)")
    options = parser.parse_args()
    print(write_edits(options.folder, options.split, options.count))


if __name__ == "__main__":
    main()
