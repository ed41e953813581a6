"""What all inversion methods have in common: steps between two noise levels."""

from collections.abc import Callable
from typing import NamedTuple

import torch

Denoise = Callable[[torch.Tensor, float], torch.Tensor]
"""(x (B, C, ..., h, w), sigma) -> the guided model's denoised estimate, of the same shape."""


class Step(NamedTuple):
    """The result of one step, up (towards noise) or down.

    Attributes:
        state: (B, C, ..., h, w) at the level that was reached.
        denoised: the model's estimate of the clean picture on the way, for previews.
        model_calls: how often the model was asked.
        residual: (B,) going up, how far one sampling step back from the last state that was checked misses the state
            before (root mean square); None where the method does not measure it.
        kept: what only the way back needs and the states do not tell; None for most methods.
    """

    state: torch.Tensor
    denoised: torch.Tensor
    model_calls: int
    residual: torch.Tensor | None = None
    kept: torch.Tensor | None = None


def rms(x: torch.Tensor) -> torch.Tensor:
    """(B,) root mean square of each picture."""
    return x.flatten(1).square().mean(dim=1).sqrt()


def each(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """One value a picture, (B,), shaped to be multiplied with (B, C, ..., h, w)."""
    return values.reshape(-1, *[1] * (like.ndim - 1))
