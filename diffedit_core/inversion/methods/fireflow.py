"""FireFlow (arXiv 2412.07517): the midpoint rule at one model call a step."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch

from ...model.noising import Noising
from .method import Method, Options, Path, derivative
from .midpoint import from_clean, half_and_whole
from .step import Denoise, Step


def invert(
    denoise: Denoise, clean: torch.Tensor, sigmas: Sequence[float], noising: Noising, options: Options
) -> Iterator[Step]:
    """The half step goes along the slope in the middle of the step *before*, so that only the middle is asked."""
    yield (step := from_clean(denoise, clean, sigmas[1], noising))
    slope = (step.state - clean) / sigmas[1]
    yield from _walk(denoise, step.state, slope, sigmas[1:])


def sample(denoise: Denoise, path: Path, sigmas: Sequence[float], noising: Noising) -> Iterator[Step]:
    """The same downwards; the first step is a whole midpoint step."""
    x = path.states[-1]
    yield (step := half_and_whole(denoise, x, sigmas[0], sigmas[1]))
    slope = (step.state - x) / (sigmas[1] - sigmas[0])
    yield from _walk(denoise, step.state, slope, sigmas[1:])


def _walk(denoise: Denoise, x: torch.Tensor, slope: torch.Tensor, sigmas: Sequence[float]) -> Iterator[Step]:
    for sigma, next_sigma in pairwise(sigmas):
        middle = (sigma + next_sigma) / 2
        half = x + (middle - sigma) * slope
        denoised = denoise(half, middle)
        slope = derivative(half, denoised, middle)
        x = x + (next_sigma - sigma) * slope
        yield Step(x, denoised, model_calls=1)


METHOD = Method(invert, "arXiv 2412.07517", sample=sample)
