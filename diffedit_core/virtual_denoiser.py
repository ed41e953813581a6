"""A denoiser that makes any sampler repaint inside a mask and retrace a trajectory outside it."""

from collections.abc import Callable
from typing import Any

import torch

from .trajectory import Trajectory


class VirtualDenoiser:
    """Inside the mask the model, outside it the denoiser whose ODE solution is the stored trajectory.

    DiffEdit replaces the background by the trajectory after every step. Here the sampler is told instead that, outside
    the mask, the derivative (x - denoised) / sigma is the trajectory's slope:

        x        <-  m x + (1 - m) at(sigma)
        denoised <-  m denoised + (1 - m) (at(sigma) - sigma slope)

    so that it follows the trajectory by itself, also through the intermediate evaluations of higher-order samplers,
    and ends on the clean picture as sigma -> 0.

    Attributes:
        inner_model: the wrapped model. The host's samplers look at it.
    """

    def __init__(
        self,
        inner_model: Callable[..., torch.Tensor],
        trajectory: Trajectory,
        mask_at: Callable[[torch.Tensor, dict[str, Any]], torch.Tensor] | None,
    ):
        """
        Args:
            inner_model: (x, sigma (B,), **extra) -> denoised.
            trajectory: on the device of x.
            mask_at: (sigma (B,), extra) -> mask that broadcasts to x; None where the model paints everywhere.
        """
        self.inner_model = inner_model
        self._trajectory = trajectory
        self._mask_at = mask_at

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor, **extra: Any) -> torch.Tensor:
        """Denoised estimate (B, C, h, w) at x and sigma (B,). `extra` goes to the inner model."""
        if self._mask_at is None:
            return self.inner_model(x, sigma, **extra)
        mask = self._mask_at(sigma, extra)
        state, slope = self._trajectory.state_at(sigma)
        denoised = self.inner_model(x * mask + state * (1 - mask), sigma, **extra)
        return denoised * mask + (state - sigma[:, None, None, None] * slope) * (1 - mask)
