"""CLIP zero-shot through the host's own CLIP and CLIP-vision loaders."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from ..hosts.library import model_file

KEPT_TEXTS = 10_000


class ClipJudge:
    """`clip` and `vision` are halves of one CLIP, as Load CLIP and Load CLIP Vision give them.

    `patches`: does the vision half show them, by which structures are compared? Raises ValueError if the halves do not fit one
    another or lack a projection, before there is a picture to judge.
    """

    cosines = True  # how well a wording fits; else only whether it does

    def __init__(self, clip, vision, patches: bool = True):
        from time_core.balance import zero_shot  # the host is on the path only now

        self.clip, self.vision, self._zero_shot = clip, vision, zero_shot
        self.structure = vision if patches else None
        self._text = lru_cache(KEPT_TEXTS)(self._embedded)
        self.scores(np.zeros((1, 64, 64, 3), np.uint8), ["a picture"])

    def scores(self, pictures: np.ndarray, wordings: Sequence[str]) -> np.ndarray:
        """(pictures, wordings): cosines of uint8 (n, H, W, 3) and texts."""
        seen = self.embeddings(pictures)
        return seen @ np.stack([self._text(wording, seen.shape[1]) for wording in wordings]).T

    def embeddings(self, pictures: np.ndarray) -> np.ndarray:
        """(pictures, d), of unit length, of uint8 (n, H, W, 3)."""
        return self._zero_shot.picture_embeddings(self.vision, torch.from_numpy(pictures).float() / 255).double().numpy()

    def _embedded(self, wording: str, width: int) -> np.ndarray:
        return self._zero_shot.text_embeddings(self.clip, [wording], width)[0].double().numpy()


def load_clip_judge(clip: str, vision: str) -> ClipJudge:
    """From names in the host's models/text_encoders and models/clip_vision, or paths. Raises ValueError as ClipJudge does."""
    import comfy.clip_vision
    import comfy.sd

    text_half = comfy.sd.load_clip([str(model_file("text_encoders", clip))])
    vision_half = comfy.clip_vision.load(str(model_file("clip_vision", vision)))
    if vision_half is None:
        raise ValueError(f"--judge-vision {vision!r} is no CLIP vision model that the host knows.")
    return ClipJudge(text_half, vision_half)
