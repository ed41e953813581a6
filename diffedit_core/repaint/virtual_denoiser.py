"""A denoiser that makes any sampler repaint inside a mask and retrace a known way outside it."""

from collections.abc import Callable
from typing import Any

import torch

from ..inversion.methods.step import each
from .background import Background


class VirtualDenoiser:
    """Inside the mask the model, outside it the denoiser whose ODE solution is the background's way.

    DiffEdit replaces the background by the trajectory after every step. Here the sampler is told instead that, outside
    the mask, the derivative (x - denoised) / sigma is the way's slope:

        x        <-  m x + (1 - m) at(sigma)
        denoised <-  m denoised + (1 - m) (at(sigma) - sigma slope)

    so that it follows the way by itself, also through the intermediate evaluations of higher-order samplers, and ends
    on the clean picture as sigma -> 0.

    Attributes:
        inner_model: the wrapped model. The host's samplers look at it.
    """

    def __init__(
        self,
        inner_model: Callable[..., torch.Tensor],
        background: Background,
        mask_at: Callable[[torch.Tensor, dict[str, Any]], torch.Tensor] | None,
    ):
        """
        Args:
            inner_model: (x, sigma (B,), **extra) -> denoised.
            background: on the device of x.
            mask_at: (sigma (B,), extra) -> mask that broadcasts to x; None where the model paints everywhere.
        """
        self.inner_model = inner_model
        self._background = background
        self._mask_at = mask_at

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor, **extra: Any) -> torch.Tensor:
        """Denoised estimate (B, C, ..., h, w) at x and sigma (B,). `extra` goes to the inner model."""
        if self._mask_at is None or not self._background.in_force(float(sigma[0])):
            return self.inner_model(x, sigma, **extra)
        mask = self._mask_at(sigma, extra)
        state, slope = self._background.at(sigma)
        seen = x * mask + state * (1 - mask) if self._background.shown else x
        denoised = self.inner_model(seen, sigma, **extra)
        return denoised * mask + (state - each(sigma, x) * slope) * (1 - mask)
