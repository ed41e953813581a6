"""DiffEdit's blend with the background as published, for a way back that must hear the model's own answers."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch

from .background import Background


class BackgroundBlend:
    """Between two steps x <- m x + (1 - m) at(sigma), once at each level where the background is in force.

    The virtual denoiser lets a sampler follow the background by a slope, which only samplers that integrate along slopes do.
    o-belm's leap and ddpm's ancestral step undo a step of the inversion from its very state and the model's very answer: here
    they get both.

    A step's mask is that of the level from which it goes. The level between two steps is blended by the smaller of their
    masks: so a cell that is to join joins from the background's state, and a soft one is blended once. A background that is
    not shown has no states: it leads from where the step began straight to the clean picture.
    """

    def __init__(
        self,
        background: Background,
        clean: torch.Tensor,
        mask_at: Callable[[torch.Tensor, dict[str, Any]], torch.Tensor] | None,
        sigmas: torch.Tensor,
        extra: dict[str, Any],
    ):
        """
        Args:
            background: on the device of the states.
            clean: (B, C, ..., h, w) the picture, in raw model space.
            mask_at: (sigma (B,), extra) -> mask that broadcasts to a state; None where the model paints everywhere.
            sigmas: (m + 1,) descending, the levels between which is stepped.
            extra: what the model is called with.
        """
        self._background = background
        self._clean = clean
        self._mask_at = mask_at
        self._sigmas = sigmas
        self._extra = extra

    def __call__(self, x: torch.Tensor, before: torch.Tensor | None, i: int) -> torch.Tensor:
        """A Blend: the state (B, C, ..., h, w) from which the walk goes on at the i-th level."""
        if self._background.shown:
            masks = [mask for step in (i - 1, i) if (mask := self._mask_of_step(step, len(x))) is not None]
            if not masks:
                return x
            state, _ = self._background.at(self._sigmas[i].expand(len(x)))
            return _mixed(x, state, reduce(torch.minimum, masks))
        mask = self._mask_of_step(i - 1, len(x))
        if mask is None or before is None:
            return x
        return _mixed(x, torch.lerp(self._clean, before, self._sigmas[i] / self._sigmas[i - 1]), mask)

    def estimate(self, denoised: torch.Tensor, i: int) -> torch.Tensor:
        """The model's estimate after the i-th step, with the clean picture outside the mask."""
        mask = self._mask_of_step(i, len(denoised))
        return denoised if mask is None else _mixed(denoised, self._clean, mask)

    def _mask_of_step(self, i: int, batch: int) -> torch.Tensor | None:
        """None where the step is none of the schedule, or the model paints everywhere."""
        steps = len(self._sigmas) - 1
        if self._mask_at is None or not 0 <= i < steps or not self._background.in_force(float(self._sigmas[i])):
            return None
        return self._mask_at(self._sigmas[i].expand(batch), self._extra)


def _mixed(inside: torch.Tensor, outside: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return inside * mask + outside * (1 - mask)
