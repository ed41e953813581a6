"""Training data: drawn pictures, their latents, and what their captions say, word by word."""

from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import torch
from smallmodel.tokens import END, token_ids

from .autoencoder import encode
from .world import BACKGROUNDS, COLOURS, OBJECTS, draw, plural, random_scene

CHUNK = 1000
PICTURES_KEPT = 300  # per chunk, for training the decoder
NO_COLOUR = len(COLOURS)
NO_NOUN = -1


@dataclass(frozen=True)
class Captions:
    """All distinct captions; row 0 is the empty one. Positions count tokens, the begin token being 0."""

    texts: list[str]
    ids: torch.Tensor  # (n, 77)
    length: torch.Tensor  # index of the end token
    noun: torch.Tensor  # index into OBJECTS, or NO_NOUN
    colour: torch.Tensor  # index into COLOURS, or NO_COLOUR
    pair: torch.Tensor  # 0 or 1
    background: torch.Tensor  # index into BACKGROUNDS
    noun_position: torch.Tensor
    colour_position: torch.Tensor  # 0 where no colour is named


@dataclass(frozen=True)
class Dataset:
    latents: torch.Tensor  # (n, 4, h, w)
    caption: torch.Tensor  # (n,) row of captions
    captions: Captions
    pictures: torch.Tensor  # uint8 (m, 3, H, W)


def read_caption(text: str) -> tuple[int, int, int, int, int, int]:
    """(noun, colour, pair, background, noun position, colour position) of a caption. Every word is one token."""
    words = text.split()
    nouns = {name: i for i, noun in enumerate(OBJECTS) for name in (noun, plural(noun))}
    colours = {name: i for i, name in enumerate(COLOURS)}
    noun_at = next((i for i, word in enumerate(words) if word in nouns), None)
    colour_at = next((i for i, word in enumerate(words) if word in colours), None)
    background = next(i for i, phrase in reversed(list(enumerate(BACKGROUNDS))) if text.endswith(phrase))
    return (
        NO_NOUN if noun_at is None else nouns[words[noun_at]],
        NO_COLOUR if colour_at is None else colours[words[colour_at]],
        int("two" in words),
        background,
        0 if noun_at is None else noun_at + 1,
        0 if colour_at is None else colour_at + 1,
    )


def read_captions(texts: list[str]) -> Captions:
    ids = torch.tensor([token_ids(text) for text in texts])
    length = (ids != END).sum(1)
    wrong = [text for text, n in zip(texts, length.tolist(), strict=True) if len(text.split()) + 1 != n]
    if wrong:
        raise ValueError(f"Captions whose words are not one token each: {wrong[:3]}. Choose other words.")
    return Captions(texts, ids, length, *torch.tensor([read_caption(text) for text in texts]).unbind(1))


def _draw_chunk(seed: int) -> tuple[torch.Tensor, list[str], torch.Tensor]:
    torch.set_num_threads(1)
    rng = np.random.RandomState(seed)
    scenes = [random_scene(rng) for _ in range(CHUNK)]
    pictures = torch.from_numpy(np.stack([draw(rng, scene).pixels for scene in scenes])).permute(0, 3, 1, 2)
    kept = (pictures[:PICTURES_KEPT] * 255).round().to(torch.uint8)
    return encode(pictures), [scene.caption for scene in scenes], kept


def make_dataset(size: int, seed: int, cache: Path) -> Dataset:
    """Draw `size` pictures (a multiple of 1000); kept in `cache`, so that a resumed run does not draw them again."""
    path = cache / f"data-{size}-{seed}.pt"
    if path.exists():
        stored = torch.load(path)
    else:
        with Pool() as pool:
            chunks = pool.map(_draw_chunk, [1000 * seed + i for i in range(size // CHUNK)], chunksize=1)
        latents, texts, pictures = zip(*chunks, strict=True)
        stored = {"latents": torch.cat(latents), "texts": sum(texts, []), "pictures": torch.cat(pictures)}
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(stored, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").replace(path)
    distinct = ["", *sorted(set(stored["texts"]))]
    row = {text: i for i, text in enumerate(distinct)}
    caption = torch.tensor([row[text] for text in stored["texts"]])
    return Dataset(stored["latents"], caption, read_captions(distinct), stored["pictures"])
