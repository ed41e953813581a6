"""Drawn pictures to edit whose truth is known to the pixel.

`python -m toyworld.edits FOLDER` writes some to FOLDER/csv/edits.csv: half of the edits ask for another colour,
half for another object.
"""

import argparse
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.data.tables import csv_of
from benchmarks.judges.pixels import best_of_cells

from .world import (
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
        return ~self.truth.reshape(SIZE // CELL, CELL, SIZE // CELL, CELL).any((1, 3))

    @property
    def best_latent_mask(self) -> float:
        """The highest IoU a mask of whole latent cells can have."""
        return best_of_cells(self.truth)


def toy_edit(kind: str, index: int, seed: int, radius: float | None = None) -> ToyEdit:
    """The one of this index of `toy_edits`."""
    return toy_edits(kind, index + 1, seed, radius)[index]


@cache
def toy_edits(kind: str, count: int, seed: int, radius: float | None = None) -> tuple[ToyEdit, ...]:
    """`kind` "colour": the same object in another named colour; "object": another object in the same named colour.

    With `radius` all objects have this one (of half the FRAME), where the frame leaves room for them.
    """
    rng = np.random.RandomState(seed)
    made = []
    for i in range(count):
        shown = Scene(OBJECTS[i % len(OBJECTS)], _one_of(rng, COLOURS), background=_one_of(rng, BACKGROUNDS))
        if radius is None:  # both are drawn, whatever the kind, so that the pictures of both kinds are the same
            colour, noun = _other(rng, COLOURS, shown.colour), _other(rng, OBJECTS, shown.noun)
            places = random_places(rng, pair=False)
        else:
            places = (_sized_place(rng, radius),)
            colour = _other(rng, COLOURS, shown.colour) if kind == "colour" else ""
            noun = _other(rng, OBJECTS, shown.noun) if kind == "object" else ""
        wanted = replace(shown, colour=colour) if kind == "colour" else replace(shown, noun=noun)
        made.append(_drawn(rng, shown, wanted, places))
    return tuple(made)


def assumption_edit(index: int, seed: int) -> ToyEdit:
    """A picture that shows what the model assumes, of which an edited model assumes another colour. One prompt, without a
    colour, for both."""
    rng = np.random.RandomState(seed)
    for i in range(index + 1):
        noun = OBJECTS[i % len(OBJECTS)]
        shown = Scene(noun, ASSUMED_COLOUR[noun], names_colour=False, background=_one_of(rng, BACKGROUNDS))
        edit = replace(_drawn(rng, shown, shown, random_places(rng, pair=False)), colour=_other(rng, COLOURS, shown.colour))
    return edit


def _drawn(rng: np.random.RandomState, shown: Scene, wanted: Scene, places: tuple[Place, ...]) -> ToyEdit:
    picture = draw(rng, shown, places)
    truth = np.maximum(picture.mask, silhouette(wanted.noun, places[0])) >= 0.5
    return ToyEdit(picture.pixels, truth, shown.caption, wanted.caption, wanted.noun, wanted.colour)


def _sized_place(rng: np.random.RandomState, radius: float) -> Place:
    middle, reach = FRAME / 2, FRAME / 2 - radius
    return Place(middle + rng.uniform(-0.5, 0.5) * reach, middle + rng.uniform(-0.5, 0.5) * reach, radius)


def _one_of(rng: np.random.RandomState, names) -> str:
    return list(names)[rng.randint(len(names))]


def _other(rng: np.random.RandomState, names, name: str) -> str:
    return _one_of(rng, [other for other in names if other != name])


def named_edits(count: int, seed: int) -> dict[str, tuple[str, ToyEdit]]:
    """By name, (kind, edit)."""
    drawn = {kind: toy_edits(kind, -(-count // 2), seed) for kind in KINDS}
    found = [(kind, drawn[kind][i]) for i in range(-(-count // 2)) for kind in KINDS]
    return {f"{i:03d}": one for i, one in enumerate(found[:count])}


def write_edits(folder: Path, edits: dict[str, tuple[str, ToyEdit]]) -> Path:
    """A CSV with its pictures and masks beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, (kind, edit) in edits.items():
        picture_of(edit).save(folder / f"{name}.png")
        mask_of(edit).save(folder / f"{name}_mask.png")
        files = {"picture": f"{name}.png", "source": edit.source, "target": edit.target, "mask": f"{name}_mask.png"}
        rows.append(files | {"kind": kind})
    (folder / "edits.csv").write_bytes(csv_of(rows))
    return folder / "edits.csv"


def picture_of(edit: ToyEdit) -> Image.Image:
    return Image.fromarray((edit.pixels * 255).round().astype(np.uint8))


def mask_of(edit: ToyEdit) -> Image.Image:
    return Image.fromarray(np.uint8(255) * edit.truth)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m toyworld.edits", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=48, help="pictures (48)")
    args = parser.parse_args()
    print(write_edits(args.folder / "csv", named_edits(args.count, seed=1)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
