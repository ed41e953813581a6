"""DDIM inversion as published and as in diffusers."""

import torch

from .step import Denoise, Step, same_model_input


def ddim_step(denoise: Denoise, x: torch.Tensor, sigma: float, next_sigma: float) -> Step:
    """One step of diffusers' DDIMInverseScheduler (eps-prediction, set_alpha_to_one=True), in the host's space.

    The model sees the unchanged input at the timestep of the *higher* level:

        w  = x sqrt((1 + s_next^2) / (1 + s^2))
        x += (s_next - s) (w - denoise(w, s_next)) / s_next

    The first step, from sigma = 0, needs no special case, since the higher level is never 0.
    """
    w = same_model_input(x, sigma, next_sigma)
    denoised = denoise(w, next_sigma)
    return Step(x + (next_sigma - sigma) * (w - denoised) / next_sigma, denoised, model_calls=1)
