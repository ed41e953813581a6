"""Uni-Inv, the inversion of UniEdit-Flow (arXiv 2504.13109)."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch

from ...model.noising import Noising
from .method import Method, Options, derivative
from .step import Denoise, Step, rms


def invert(
    denoise: Denoise, clean: torch.Tensor, sigmas: Sequence[float], noising: Noising, options: Options
) -> Iterator[Step]:
    """One model call a step, at the state that the last derivative predicts, where the sampling step back will ask too:

    w  = x + (s_next - s) d_last
    d  = (w - denoise(w, s_next)) / s_next ,   x += (s_next - s) d
    """
    x, slope = clean, None
    for sigma, next_sigma in pairwise(sigmas):
        w = noising.same_input(x, sigma, next_sigma) if slope is None else x + (next_sigma - sigma) * slope
        denoised = denoise(w, next_sigma)
        slope = derivative(w, denoised, next_sigma)
        x = x + (next_sigma - sigma) * slope
        yield Step(x, denoised, 1, rms(w - x))


METHOD = Method(invert, "arXiv 2504.13109", sampler="euler")
