"""Inversion of the sampling step itself, by fixed-point iteration (AIDI, arXiv 2309.04907; FPI, arXiv 2312.12540)."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch

from ...model.noising import Noising
from .method import Method, Options, derivative
from .step import Denoise, Step, each, rms

CONVERGED = 1e-6
"""Residual, as a share of the state's own root mean square, at which float32 has nothing more to give."""

CONVERGING = 8
"""Refinements that suffice for a short step."""


def invert(
    denoise: Denoise, clean: torch.Tensor, sigmas: Sequence[float], noising: Noising, options: Options
) -> Iterator[Step]:
    """`options.refinements` model calls a step, fewer where it converges before.

    Raises:
        ValueError: fewer than one refinement.
    """
    if options.refinements < 1:
        raise ValueError(f"refinements is {options.refinements}; fixed point needs at least 1.")
    x = clean
    for sigma, next_sigma in pairwise(sigmas):
        yield (step := fixed_point_step(denoise, x, sigma, next_sigma, noising, options.refinements))
        x = step.state


def fixed_point_step(
    denoise: Denoise, x: torch.Tensor, sigma: float, next_sigma: float, noising: Noising, refinements: int
) -> Step:
    """The state from which one Euler (= DDIM) sampling step leads back to x: the w that solves w = g(w), with

        g(w) = x + (s_next - s) (w - denoise(w, s_next)) / s_next

    |w - g(w)| is exactly what the sampling step back from w misses. The search starts at the state that looks to the
    network as x does, where DDIM inversion asks; for eps and flow models one refinement *is* ddim. Where a step is too
    long, plain iteration oscillates: a move towards g(w) is therefore kept only if it lowers the residual, and halved
    otherwise. Each picture is judged by itself, and left alone once it has converged.

    Args:
        x: (B, C, ..., h, w) at `sigma`.
        sigma, next_sigma: the lower and the higher level.
        refinements: >= 1, the most model calls.
    """
    best = noising.same_input(x, sigma, next_sigma)
    best_denoised = denoise(best, next_sigma)
    image = x + (next_sigma - sigma) * derivative(best, best_denoised, next_sigma)
    residual = rms(best - image)
    share = torch.ones_like(residual)
    calls = 1
    while calls < refinements and (residual > CONVERGED * rms(best)).any():
        trial = torch.lerp(best, image, each(share, x))
        trial_denoised = denoise(trial, next_sigma)
        trial_image = x + (next_sigma - sigma) * derivative(trial, trial_denoised, next_sigma)
        calls += 1
        searching = residual > CONVERGED * rms(best)
        better = searching & (rms(trial - trial_image) < residual)
        kept = each(better, x)
        best = torch.where(kept, trial, best)
        best_denoised = torch.where(kept, trial_denoised, best_denoised)
        image = torch.where(kept, trial_image, image)
        residual = rms(best - image)
        share = torch.where(searching & ~better, share / 2, share)
    return Step(torch.lerp(best, image, each(share, x)), best_denoised, calls, residual)


METHOD = Method(invert, "arXiv 2309.04907, 2312.12540", sampler="euler")
