"""What is learned from: drawn pictures, their captions' tokens and what is true of them, kept in a folder.

A resumed run draws nothing.
"""

import json
from dataclasses import dataclass
from itertools import chain
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from smallmodel.tokens import END, token_ids

from .captions import caption
from .colours import COLOURS
from .dataset import example
from .draw import SIZE, Picture
from .grounds import GROUNDS
from .professions import GENDERS, PROFESSIONS, SKIN_TONES
from .scenes import MOST, Subject
from .things import THINGS

CHUNK = 500
CELL = 4  # pixels of a side of what the truth is told for
NOUNS = (*(thing.noun for thing in THINGS), *(profession.noun for profession in PROFESSIONS))


@dataclass(frozen=True)
class Truth:
    """What is in n pictures, in cells of 4 x 4 pixels.

    `cells` uint8 (n, h, w): the object that covers most of the cell, 0 for the ground. `coloured` boolean (n, h, w): most of
    the cell has its object's colour. `objects` int16 (n, 4, 4): for each object its index in NOUNS, COLOURS, GENDERS and
    SKIN_TONES, -1 for what it has not and for objects that are not there. `ground` uint8 (n,): index in GROUNDS.
    """

    cells: np.ndarray
    coloured: np.ndarray
    objects: np.ndarray
    ground: np.ndarray


@dataclass(frozen=True)
class TrainingData:
    """`pictures` uint8 (n, size, size, 3); `caption` (n,) row of `texts`; row 0 is the empty caption."""

    pictures: torch.Tensor
    texts: list[str]
    ids: torch.Tensor  # (texts, 77)
    ends: torch.Tensor  # (texts,): where the end token is
    caption: torch.Tensor
    truth: Truth

    def batch(self, which: torch.Tensor) -> torch.Tensor:
        """(B, 3, h, w) float32 in 0..1."""
        return self.pictures[which].movedim(-1, 1).float().div(255)

    def with_two(self) -> torch.Tensor:
        """Indices (m,) of the pictures that show two different things."""
        first, second = self.truth.objects[:, 0, 0], self.truth.objects[:, 1, 0]
        return torch.from_numpy(np.flatnonzero((second >= 0) & (second != first))).to(self.caption.device)


def make_training_data(
    folder: Path, count: int, size: int = SIZE, workers: int = 1, split: str = "train", device: str = "cpu"
) -> TrainingData:
    """The first `count` pictures of a split, drawn into `folder` unless they are there; what networks read is on `device`."""
    pictures, truth, captions = files = files_of(folder, count, size, split)
    if not captions.exists():
        folder.mkdir(parents=True, exist_ok=True)
        draw_into(files, count, size, workers, split)
    said = json.loads(captions.read_text())
    with np.load(truth) as kept:
        known = Truth(**kept)
    texts = ["", *sorted(set(said))]
    row = {text: i for i, text in enumerate(texts)}
    ids = torch.tensor([token_ids(text) for text in texts])
    caption_of = torch.tensor([row[text] for text in said])
    ends = (ids != END).sum(1)
    drawn = torch.from_numpy(np.load(pictures, mmap_mode="r+"))
    return TrainingData(drawn.to(device), texts, ids.to(device), ends.to(device), caption_of.to(device), known)


def files_of(folder: Path, count: int, size: int, split: str) -> tuple[Path, Path, Path]:
    """Where pictures, truth and captions are kept."""
    stem = folder / f"{split}-{count}-{size}"
    return stem.with_suffix(".npy"), stem.with_suffix(".npz"), stem.with_suffix(".json")


def draw_into(files: tuple[Path, Path, Path], count: int, size: int, workers: int, split: str) -> None:
    pictures, truth, captions = files
    np.lib.format.open_memmap(pictures, "w+", np.uint8, (count, size, size, 3)).flush()
    chunks = [(pictures, split, min(CHUNK, count - first), first, size) for first in range(0, count, CHUNK)]
    with get_context("spawn").Pool(workers) as pool:
        said, parts = zip(*pool.imap(_draw_chunk, chunks), strict=True)
    fields = Truth.__dataclass_fields__
    np.savez(truth, **{name: np.concatenate([getattr(part, name) for part in parts]) for name in fields})
    unfinished = captions.with_suffix(".tmp")
    unfinished.write_text(json.dumps(list(chain.from_iterable(said))))
    unfinished.replace(captions)  # last, so that its presence says that all is there


def _draw_chunk(arguments: tuple[Path, str, int, int, int]) -> tuple[list[str], Truth]:
    file, split, count, first, size = arguments
    pictures = np.lib.format.open_memmap(file, "r+")
    captions, rows = [], []
    for i in range(count):
        picture = example(split, first + i, size)
        pictures[first + i] = (picture.pixels * 255).round()
        captions.append(caption(picture.scene))
        rows.append(truth_of(picture))
    pictures.flush()
    return captions, Truth(*(np.stack(field) for field in zip(*rows, strict=True)))


def truth_of(picture: Picture) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The fields of Truth for one picture."""
    labels, coloured = _blocks(picture.labels), _blocks(picture.coloured)
    covered = np.stack([(labels == number).sum(-1) for number in range(len(picture.subjects) + 1)])
    objects = np.full((MOST, 4), -1, np.int16)
    for number, owner in enumerate(picture.subjects):
        objects[number] = properties(picture.scene.subjects[owner])
    kinds = [ground.kind for ground in GROUNDS]
    return covered.argmax(0).astype(np.uint8), coloured.mean(-1) > 0.5, objects, np.uint8(kinds.index(picture.scene.ground))


def properties(subject: Subject) -> tuple[int, int, int, int]:
    """Indices in NOUNS, COLOURS, GENDERS and SKIN_TONES, -1 for what the subject has not."""
    told = ((list(COLOURS), subject.colour), (GENDERS, subject.gender), (SKIN_TONES, subject.skin_tone))
    return NOUNS.index(subject.noun), *(-1 if value is None else names.index(value) for names, value in told)


def _blocks(pixels: np.ndarray) -> np.ndarray:
    """(h, w) as (h / 4, w / 4, 16)."""
    h, w = pixels.shape
    return pixels.reshape(h // CELL, CELL, w // CELL, CELL).swapaxes(1, 2).reshape(h // CELL, w // CELL, -1)
