"""CLIP zero-shot through the host's own CLIP and CLIP-vision loaders."""

from collections.abc import Sequence

import numpy as np
import torch

from ..hosts.library import model_file

BATCH = 8


class ClipJudge:
    """`clip` in the host's models/text_encoders and `vision` in models/clip_vision, or paths; halves of the same CLIP."""

    cosines = True  # how well a wording fits; else only whether it does

    def __init__(self, clip: str, vision: str):
        import comfy.clip_vision
        import comfy.sd

        self.name = f"CLIP {clip}, {vision}"
        self.clip = comfy.sd.load_clip([str(model_file("text_encoders", clip))])
        self.vision = comfy.clip_vision.load(str(model_file("clip_vision", vision)))
        if self.vision is None:
            raise ValueError(f"--judge-vision {vision!r} is no CLIP vision model that the host knows.")

    def scores(self, pictures: np.ndarray, wordings: Sequence[str]) -> np.ndarray:
        """(pictures, wordings): cosines of uint8 (n, H, W, 3) and texts."""
        from time_core.zero_shot import scores

        pixels = torch.from_numpy(pictures).float() / 255
        parts = [scores(self.clip, self.vision, pixels[i : i + BATCH], list(wordings)) for i in range(0, len(pixels), BATCH)]
        return torch.cat(parts).double().numpy()
