"""Photographs: DiffEdit's masks of real photographs beside an outside opinion, ISNet's foreground.

Measured only: the natural world's model has seen no thing but drawn ones, and what stands in front of a photograph need not be
what an edit has to change.
"""

from pathlib import Path
from typing import ClassVar

import numpy as np
import skimage
from PIL import Image, ImageOps

from tools.presets import DIFFEDIT, presets

from ..hosts.editing import Asked, DiffEditNodes
from ..hosts.library import NATURAL, LibraryHost, Sampling
from ..judges.foreground import foreground
from ..judges.pixels import best_of_cells, iou
from ..run.measurement import Workplace
from .study import SEED, Numbers, Part, Study

PHOTOGRAPHS = {  # in scikit-image's wheel: what is seen, and what an edit would ask for
    "chelsea.png": ("a cat", "a dog"),
    "rocket.jpg": ("a rocket", "an airplane"),
    "horse.png": ("a horse", "a cow"),
    "astronaut.png": ("a woman", "a man"),
    "camera.png": ("a man", "a woman"),
}
SETTINGS = ("published", "recommended", "another thing")
NOISE = (0.2, 0.5)
NOTE = (
    "The middle of each photograph at 128 pixels. *IoU* with what ISNet sees in front, *masked*: the share of the picture. The "
    "last rows mask everything, and the latent cells that would have the highest IoU."
)


class Photographs(Study):
    """Masks of photographs beside ISNet's foreground."""

    name = "photographs"
    checkpoint: ClassVar[str] = NATURAL
    sampling: ClassVar[Sampling] = Sampling(128, steps=20, cfg=3.0)

    def parts(self) -> dict[str, Part]:
        return {"photographs": Part(photographs, self.few(len(PHOTOGRAPHS), 1), NOTE)}


def photographs(worker: Workplace, subject: int) -> Numbers:
    name = list(PHOTOGRAPHS)[subject]
    asked = photograph(name, worker.host.sampling.size)
    return {"masks of photographs": rows(worker.host, Path(name).stem, asked, foreground(whole(name)))}


def rows(host: LibraryHost, name: str, asked: Asked, front: np.ndarray) -> dict[str, dict[str, float]]:
    """By setting, IoU with `front`, bool (side, side) of any size, and the share that is masked."""
    seen = np.asarray(Image.fromarray(front).resize(asked.pixels.shape[1::-1], Image.Resampling.BOX))
    picture = host.image(asked.pixels)
    latent, found = host.encoded(picture), {}
    for level in NOISE:
        for setting in SETTINGS:
            changes = SEED | presets(DIFFEDIT)[setting] | {"noise_strength": level}
            mask = DiffEditNodes(host).contrast(latent, asked.source, asked.target, changes, picture=picture)[0]
            found[f"noise {level:g}, {setting}"] = mask[0].numpy() >= 0.5
    found["everything"] = np.ones_like(seen)
    measured = {setting: {f"IoU, {name}": iou(mask, seen), "masked": float(mask.mean())} for setting, mask in found.items()}
    return measured | {"highest of latent cells": {f"IoU, {name}": best_of_cells(seen), "masked": float(seen.mean())}}


def photograph(name: str, size: int) -> Asked:
    picture = Image.fromarray(whole(name)).resize((size, size), Image.Resampling.LANCZOS)
    return Asked(np.asarray(picture), *PHOTOGRAPHS[name])


def whole(name: str) -> np.ndarray:
    """The middle of a photograph, uint8 (side, side, 3)."""
    picture = Image.open(Path(skimage.__file__).parent / "data" / name).convert("RGB")
    return np.asarray(ImageOps.fit(picture, (min(picture.size),) * 2))
