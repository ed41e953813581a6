"""The explicit midpoint rule, which is RF-Solver's second order (arXiv 2411.04746)."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch

from ...model.noising import Noising
from .method import Method, Options, Path, derivative
from .step import Denoise, Step


def invert(
    denoise: Denoise, clean: torch.Tensor, sigmas: Sequence[float], noising: Noising, options: Options
) -> Iterator[Step]:
    """Two model calls a step: half a step to see the slope in its middle, then the whole step along it.

    The first step knows no slope at sigma = 0 and asks in its middle at once.
    """
    x = clean
    for sigma, next_sigma in pairwise(sigmas):
        if sigma == 0:
            yield (step := from_clean(denoise, x, next_sigma, noising))
        else:
            yield (step := half_and_whole(denoise, x, sigma, next_sigma))
        x = step.state


def sample(denoise: Denoise, path: Path, sigmas: Sequence[float], noising: Noising) -> Iterator[Step]:
    """The same rule downwards."""
    x = path.states[-1]
    for sigma, next_sigma in pairwise(sigmas):
        yield (step := half_and_whole(denoise, x, sigma, next_sigma))
        x = step.state


def half_and_whole(denoise: Denoise, x: torch.Tensor, sigma: float, next_sigma: float) -> Step:
    """One midpoint step from sigma > 0."""
    middle = (sigma + next_sigma) / 2
    half = x + (middle - sigma) * derivative(x, denoise(x, sigma), sigma)
    denoised = denoise(half, middle)
    return Step(x + (next_sigma - sigma) * derivative(half, denoised, middle), denoised, model_calls=2)


def from_clean(denoise: Denoise, clean: torch.Tensor, next_sigma: float, noising: Noising) -> Step:
    """The step from sigma = 0, along the slope in its middle."""
    half = noising.same_input(clean, 0.0, next_sigma / 2)
    denoised = denoise(half, next_sigma / 2)
    return Step(clean + next_sigma * derivative(half, denoised, next_sigma / 2), denoised, model_calls=1)


METHOD = Method(invert, "arXiv 2411.04746", sample=sample)
