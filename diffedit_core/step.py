"""What all inversion methods have in common: one step from a noise level to the next higher one."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch

Denoise = Callable[[torch.Tensor, float], torch.Tensor]
"""(x (B, C, h, w), sigma) -> the guided model's denoised estimate, of the same shape."""


class Step(NamedTuple):
    """The result of one step.

    Attributes:
        state: (B, C, h, w) at the higher level.
        denoised: the model's estimate of the clean picture on the way, for previews.
        model_calls: how often the model was asked.
        residual: (B,) how far one sampling step back from the last state that was checked misses the state before
            (root mean square); None where the method does not measure it.
    """

    state: torch.Tensor
    denoised: torch.Tensor
    model_calls: int
    residual: torch.Tensor | None = None


def same_model_input(x: torch.Tensor, sigma: float, next_sigma: float) -> torch.Tensor:
    """The state at `next_sigma` that looks to an eps model as x does at `sigma`: its input is x / sqrt(1 + sigma^2)."""
    return x * math.sqrt((1 + next_sigma**2) / (1 + sigma**2))
