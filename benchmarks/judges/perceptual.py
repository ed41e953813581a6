"""LPIPS (Zhang et al., CVPR 2018) with AlexNet: how different two pictures look.

Weights lie in `.cache/lpips` (`python -m tools.comfyui.perceptual`); those of the heads are the lpips package's own.
"""

from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from tools.comfyui.perceptual import WEIGHTS

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of pictures in -1..1
STRIDES, PADDINGS = (4, 1, 1, 1, 1), (2, 2, 1, 1, 1)
HALVED_BEFORE = (1, 2)  # convolutions after a max pooling
LEAST = 1e-10


class Lpips:
    """Raises FileNotFoundError if the weights are not there."""

    def __init__(self, weights: Path = WEIGHTS):
        if not weights.is_file():
            raise FileNotFoundError(f"{weights} is missing; `python -m tools.comfyui.perceptual` makes it.")
        self.weights = load_file(weights)

    @torch.inference_mode()
    def __call__(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Distances (n,) of pictures (n, H, W, 3) in 0..1; 0 where they are equal, about .5 for another subject."""
        total = torch.zeros(len(a))
        for number, (one, other) in enumerate(zip(self._features(a), self._features(b), strict=True)):
            squared = (F.normalize(one, eps=LEAST) - F.normalize(other, eps=LEAST)).square()
            total += (squared * self.weights[f"head{number}"][:, None, None]).sum(1).mean((1, 2))
        return total.double().numpy()

    def _features(self, pictures: np.ndarray) -> list[torch.Tensor]:
        x = torch.from_numpy(np.asarray(pictures, np.float32)).movedim(-1, 1) * 2 - 1
        x = (x - torch.tensor(SHIFT)[:, None, None]) / torch.tensor(SCALE)[:, None, None]
        found = []
        for number, (stride, padding) in enumerate(zip(STRIDES, PADDINGS, strict=True)):
            if number in HALVED_BEFORE:
                x = F.max_pool2d(x, 3, 2)
            weight, bias = self.weights[f"conv{number}.weight"], self.weights[f"conv{number}.bias"]
            x = F.relu(F.conv2d(x, weight, bias, stride, padding))
            found.append(x)
        return found


@cache
def lpips() -> Lpips:
    return Lpips()


class BackgroundLpips:
    """Of pictures (H, W, 3) in 0..1, black where pixels do not count, as PIE-Bench has them. Raises FileNotFoundError."""

    def __init__(self):
        self.of_pictures = lpips()

    def __call__(self, a: np.ndarray, b: np.ndarray, where: np.ndarray) -> float:
        one, other = ((picture * where[..., None])[None] for picture in (a, b))
        return float(self.of_pictures(one, other)[0])


def distances(a: np.ndarray, b: np.ndarray) -> dict[str, list[float]]:
    """Of pictures uint8 (n, H, W, 3): LPIPS, and the root of the mean squared difference of channels in 0..1.

    To five digits, which do not depend on how many threads add them up.
    """
    one, other = (np.float32(pictures) / 255 for pictures in (a, b))
    squared = np.square(one - other).mean((1, 2, 3), dtype=np.float64)
    return {"LPIPS": lpips()(one, other).round(5).tolist(), "RMSE": np.sqrt(squared).round(5).tolist()}
