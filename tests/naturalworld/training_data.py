"""What is learned from: drawn pictures, their captions' tokens and what is true of them, kept in a folder.

A resumed run draws nothing. Drawing goes on in processes of its own while the first networks learn from what is there.
"""

import json
import time
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from threading import Thread

import numpy as np
import torch
from toyworld.words import END, token_ids

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
    truth: Truth | None

    def batch(self, which: torch.Tensor) -> torch.Tensor:
        return as_floats(self.pictures[which])


def as_floats(pictures: torch.Tensor) -> torch.Tensor:
    """uint8 (B, h, w, 3) as (B, 3, h, w) float32 in 0..1."""
    return pictures.movedim(-1, 1).float().div(255)


class Drawing:
    """Draws the first `count` pictures of a split into a folder, unless they are there; `drawn` says how many are."""

    def __init__(self, folder: Path, count: int, size: int = SIZE, workers: int = 1, split: str = "train"):
        stem = folder / f"{split}-{count}-{size}"
        self.files = [stem.with_suffix(suffix) for suffix in (".npy", ".npz", ".json")]
        self.count, self.drawn, self.error = count, 0, None
        self.thread = Thread(target=self._draw, args=(split, count, size, workers), daemon=True)
        if self.files[-1].exists():
            self.drawn = count
        else:
            folder.mkdir(parents=True, exist_ok=True)
            np.lib.format.open_memmap(self.files[0], "w+", np.uint8, (count, size, size, 3)).flush()
            self.thread.start()
        self.pictures = torch.from_numpy(np.load(self.files[0], mmap_mode="r+"))

    def _draw(self, split: str, count: int, size: int, workers: int) -> None:
        pictures, truth, captions = self.files
        said, parts = [], []
        chunks = [(pictures, split, min(CHUNK, count - first), first, size) for first in range(0, count, CHUNK)]
        try:
            with get_context("spawn").Pool(workers) as pool:
                for texts, part in pool.imap(_draw_chunk, chunks):
                    said += texts
                    parts.append(part)
                    self.drawn = min(count, self.drawn + CHUNK)
            fields = Truth.__dataclass_fields__
            np.savez(truth, **{name: np.concatenate([getattr(part, name) for part in parts]) for name in fields})
            unfinished = captions.with_suffix(".tmp")
            unfinished.write_text(json.dumps(said))
            unfinished.replace(captions)  # last, so that its presence says that all is there
        except BaseException as error:  # told to whoever waits for the pictures
            self.error = error

    def wait_for(self, count: int) -> None:
        """Until so many are drawn."""
        while self.drawn < count and not self.error:
            time.sleep(0.05)
        if self.error:
            raise self.error

    def finished(self, device: str = "cpu") -> TrainingData:
        """All of it, when it is drawn; what the networks read is moved to `device`."""
        if self.thread.ident:
            self.thread.join()
        self.wait_for(self.count)
        said = json.loads(self.files[-1].read_text())
        with np.load(self.files[1]) as kept:
            truth = Truth(**kept)
        texts = ["", *sorted(set(said))]
        row = {text: i for i, text in enumerate(texts)}
        ids = torch.tensor([token_ids(text) for text in texts])
        caption_of = torch.tensor([row[text] for text in said])
        ends = (ids != END).sum(1)
        return TrainingData(self.pictures.to(device), texts, ids.to(device), ends.to(device), caption_of.to(device), truth)


def make_training_data(folder: Path, count: int, size: int = SIZE, workers: int = 1, split: str = "train") -> TrainingData:
    return Drawing(folder, count, size, workers, split).finished()


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
