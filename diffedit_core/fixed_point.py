"""Inversion of the sampling step itself, by fixed-point iteration."""

import torch

from .step import Denoise, Step, same_model_input

CONVERGED = 1e-6
"""Residual, as a share of the state's own root mean square, at which float32 has nothing more to give."""


def fixed_point_step(denoise: Denoise, x: torch.Tensor, sigma: float, next_sigma: float, refinements: int) -> Step:
    """The state from which one Euler (= DDIM) sampling step leads back to x: the w that solves w = g(w), with

        g(w) = x + (s_next - s) (w - denoise(w, s_next)) / s_next

    (AIDI, arXiv 2309.04907; FPI, arXiv 2312.12540). |w - g(w)| is exactly what the sampling step back from w misses.
    The search starts where `ddim_step` does, so one refinement *is* ddim. Where a step is too long, plain iteration
    oscillates: a move towards g(w) is therefore kept only if it lowers the residual, and halved otherwise. Each picture
    is judged by itself, and left alone once it has converged.

    Args:
        x: (B, C, h, w) at `sigma`.
        sigma, next_sigma: the lower and the higher level.
        refinements: >= 1, the most model calls.
    """
    best = same_model_input(x, sigma, next_sigma)
    best_denoised = denoise(best, next_sigma)
    image = x + (next_sigma - sigma) * (best - best_denoised) / next_sigma
    residual = _rms(best - image)
    share = torch.ones_like(residual)
    calls = 1
    while calls < refinements and (residual > CONVERGED * _rms(best)).any():
        trial = torch.lerp(best, image, _each(share))
        trial_denoised = denoise(trial, next_sigma)
        trial_image = x + (next_sigma - sigma) * (trial - trial_denoised) / next_sigma
        calls += 1
        searching = residual > CONVERGED * _rms(best)
        better = searching & (_rms(trial - trial_image) < residual)
        best = torch.where(_each(better), trial, best)
        best_denoised = torch.where(_each(better), trial_denoised, best_denoised)
        image = torch.where(_each(better), trial_image, image)
        residual = _rms(best - image)
        share = torch.where(searching & ~better, share / 2, share)
    return Step(torch.lerp(best, image, _each(share)), best_denoised, calls, residual)


def _rms(x: torch.Tensor) -> torch.Tensor:
    return x.flatten(1).square().mean(dim=1).sqrt()


def _each(values: torch.Tensor) -> torch.Tensor:
    return values[:, None, None, None]
