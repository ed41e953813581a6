"""What is learned from: drawn pictures and their captions' tokens, kept in a folder so that a resumed run draws nothing."""

import json
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from toyworld.words import END, token_ids

from .dataset import draw_split
from .draw import SIZE

CHUNK = 500


@dataclass(frozen=True)
class TrainingData:
    """`pictures` uint8 (n, size, size, 3), on disk; `caption` (n,) row of `texts`; row 0 is the empty caption."""

    pictures: np.ndarray
    texts: list[str]
    ids: torch.Tensor  # (texts, 77)
    ends: torch.Tensor  # (texts,): where the end token is
    caption: torch.Tensor

    def batch(self, which: torch.Tensor) -> torch.Tensor:
        """Pictures (B, 3, size, size) float32 in 0..1."""
        return torch.from_numpy(self.pictures[which.numpy()]).movedim(-1, 1).float().div(255)


def make_training_data(folder: Path, count: int, size: int = SIZE, workers: int = 1, split: str = "train") -> TrainingData:
    """The first `count` pictures of a split, drawn unless the folder has them."""
    stem = folder / f"{split}-{count}-{size}"
    pictures, captions = stem.with_suffix(".npy"), stem.with_suffix(".json")
    if not captions.exists():
        folder.mkdir(parents=True, exist_ok=True)
        captions.with_suffix(".tmp").write_text(json.dumps(_draw(pictures, split, count, size, workers)))
        captions.with_suffix(".tmp").replace(captions)  # last, so that its presence says that all is there
    said = json.loads(captions.read_text())
    texts = ["", *sorted(set(said))]
    row = {text: i for i, text in enumerate(texts)}
    ids = torch.tensor([token_ids(text) for text in texts])
    caption = torch.tensor([row[text] for text in said])
    return TrainingData(np.load(pictures, mmap_mode="r"), texts, ids, (ids != END).sum(1), caption)


def _draw(file: Path, split: str, count: int, size: int, workers: int) -> list[str]:
    chunks = [(split, min(CHUNK, count - first), first, size) for first in range(0, count, CHUNK)]
    kept = np.lib.format.open_memmap(file, "w+", np.uint8, (count, size, size, 3))
    captions = []
    with get_context("spawn").Pool(workers) as pool:
        for (_, n, first, _), (pixels, said) in zip(chunks, pool.imap(_chunk, chunks), strict=True):
            kept[first : first + n] = pixels
            captions += said
    kept.flush()
    return captions


def _chunk(arguments: tuple[str, int, int, int]) -> tuple[np.ndarray, list[str]]:
    drawn = draw_split(*arguments)
    return drawn.pixels, drawn.captions
