"""What is measured of an edited picture of the natural world, whose truth is known to the pixel."""

from typing import Any

import numpy as np
import torch
from naturalworld.edits import NaturalEdit

from ..hosts.library import to_bytes
from .perceptual import BackgroundLpips
from .pixels import left_as_it_was, psnr


def judged(judge: Any, edit: NaturalEdit, image: torch.Tensor, original: np.ndarray | None = None) -> dict[str, float]:
    """Whether the target is told and not the source, what stayed as it was, and what became of the background.

    `image`: IMAGE of one picture. `original`: (H, W, 3) in 0..1, with which its background is compared; None: the picture that
    was given.
    """
    ((target, source),) = judge.scores(to_bytes(image), [edit.target, edit.source])
    picture, original = image[0].clamp(0, 1).numpy(), edit.pixels if original is None else original
    return {
        "told": float(target > source),
        "left as it was": left_as_it_was(edit.pixels, edit.wanted, picture, edit.truth),
        "background PSNR": psnr(picture, original, ~edit.truth),
        "background LPIPS": BackgroundLpips()(original, picture, ~edit.truth),
    }
