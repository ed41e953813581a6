"""DDIM inversion as published (Song, Meng, Ermon, arXiv 2010.02502) and as in diffusers' DDIMInverseScheduler."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch

from ...model.noising import Noising
from .method import Method, Options, derivative
from .step import Denoise, Step, rms


def invert(
    denoise: Denoise, clean: torch.Tensor, sigmas: Sequence[float], noising: Noising, options: Options
) -> Iterator[Step]:
    """One model call a step. The network sees its unchanged input at the timestep of the *higher* level:

        w  = the state at s_next that looks to the network as x does at s
        x += (s_next - s) (w - denoise(w, s_next)) / s_next

    The first step, from sigma = 0, needs no special case, since the higher level is never 0.
    """
    x = clean
    for sigma, next_sigma in pairwise(sigmas):
        w = noising.same_input(x, sigma, next_sigma)
        denoised = denoise(w, next_sigma)
        slope = sampling_slope = derivative(w, denoised, next_sigma)
        if noising.velocity:
            slope = _noise_from_velocity(x, w, denoised, sigma, next_sigma)
        missed = w - (next_sigma - sigma) * sampling_slope - x  # by the sampling step back from w
        x = x + (next_sigma - sigma) * slope
        yield Step(x, denoised, 1, rms(missed))


def _noise_from_velocity(x, w, denoised, sigma: float, next_sigma: float) -> torch.Tensor:
    """diffusers turns v into noise at the *source* level, although the network saw the timestep of the other."""
    vp, next_vp = math.sqrt(1 + sigma**2), math.sqrt(1 + next_sigma**2)
    velocity = (w / next_vp**2 - denoised) * next_vp / next_sigma
    return (velocity + sigma * x / vp) / vp


METHOD = Method(invert, "arXiv 2010.02502", sampler="euler")
