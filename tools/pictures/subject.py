"""What the demo and the templates' small pictures show: the toy world's rose, or the user's own subject."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..comfyui.environment import SetupError
from ..workflows.examples import EXAMPLE_PICTURE, TOY_CHECKPOINT


@dataclass(frozen=True)
class Subject:
    """What the demo shows: the edit, prompts around it, and how to sample."""

    checkpoint: str
    source: str
    destination: str
    related: tuple[str, ...]
    unrelated: tuple[str, ...]
    picture_shows: str
    picture_shall_show: str
    size: int
    steps: int
    cfg: float
    seeds: int
    lamb: float
    is_toy: bool


def subject(env=os.environ) -> Subject:
    """The toy world's rose, or the user's own subject where the environment names one."""
    toy = not env.get("CHECKPOINT")
    source = env.get("SOURCE") or ("a rose" if toy else "A pack of roses")
    destination = env.get("DESTINATION") or ("a blue rose" if toy else "A pack of blue roses")
    base = source[:1].lower() + source[1:]
    own_words = bool(env.get("SOURCE"))
    return Subject(
        checkpoint=TOY_CHECKPOINT if toy else Path(env["CHECKPOINT"]).name,
        source=source,
        destination=destination,
        related=("a painting of a rose", "two roses", "a rose on grass")
        if toy and not own_words
        else (f"a painting of {base}", f"{base} on a table"),
        unrelated=("a car", "a leaf", "a heart") if toy else ("a photo of a dog", "a red car"),
        picture_shows="a red rose" if toy and not own_words else source,
        picture_shall_show="a blue rose" if toy and not own_words else destination,
        size=int(env.get("SIZE") or (128 if toy else 512)),
        steps=int(env.get("STEPS") or 20),
        cfg=float(env.get("CFG") or (3.0 if toy else 7.5)),
        seeds=int(env.get("SEEDS") or 4),
        lamb=float(env.get("LAMBDA") or 0.1),
        is_toy=toy,
    )


def demo_picture(what: Subject, folder: Path) -> tuple[Path, np.ndarray | None]:
    """The picture to edit, and the object's exact mask where it is known (a drawn picture)."""
    if given := os.environ.get("IMAGE"):
        if not Path(given).is_file():
            raise SetupError(f"IMAGE={given} does not exist. Give the path of a picture.")
        return Path(given), None
    from toyworld.world import Scene, draw

    picture = draw(np.random.RandomState(3), Scene("rose", "red"))
    pixels = Image.fromarray((picture.pixels * 255).round().astype(np.uint8))
    path = folder / EXAMPLE_PICTURE
    pixels.resize((what.size, what.size), Image.Resampling.BICUBIC).save(path)
    return path, picture.mask if what.is_toy else None
