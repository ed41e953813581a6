"""Keep an inversion's noise predictions close to white noise, as pix2pix-zero and diffusers do.

Two penalties on the predicted noise, each followed down its gradient: correlation of the noise with shifted copies of
itself over a pyramid of sizes, and the divergence of its mean and variance from 0 and 1
(Parmar et al., arXiv 2302.03027; StableDiffusionDiffEditPipeline.invert).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from ..model.noise import generator
from ..model.noising import Noising
from .methods.step import Denoise

SMALLEST = 8  # rows of the coarsest level of the pyramid


@dataclass(frozen=True)
class Regularisation:
    """
    Attributes:
        num_reg_steps: rounds after every model call, >= 1.
        lambda_auto_corr: weight of the first penalty, >= 0.
        lambda_kl: weight of the second, >= 0.
        num_auto_corr_rolls: gradient steps of the first penalty a round, each with other shifts; they share its weight. >= 1.
        seed: of the shifts.
        pictures: for each picture of the batch the number that decides its shifts.
    """

    num_reg_steps: int = 5
    lambda_auto_corr: float = 20.0
    lambda_kl: float = 20.0
    num_auto_corr_rolls: int = 5
    seed: int = 0
    pictures: Sequence[int] = (0,)


def regularised(denoise: Denoise, regularisation: Regularisation | None, noising: Noising) -> Denoise:
    """`denoise`, with the noise that its estimates imply regularised. Each picture by itself, in a stream of its own."""
    if regularisation is None:
        return denoise
    # One stream a picture, which lasts for the whole inversion.
    shifts = [generator(regularisation.seed, k) for k in regularisation.pictures]

    def wrapped(x: torch.Tensor, sigma: float) -> torch.Tensor:
        denoised = denoise(x, sigma)
        rows = [
            _regularise(x[i : i + 1], denoised[i : i + 1], sigma, regularisation, noising, shifts[i]) for i in range(len(x))
        ]
        return torch.cat(rows)

    return wrapped


def _regularise(x, denoised, sigma: float, regularisation: Regularisation, noising: Noising, shifts) -> torch.Tensor:
    """diffusers moves the network's *output* against the gradient. Output, noise and denoised depend linearly on one
    another: `noise_share` is d noise / d output, and denoised moves by -sigma `picture_share` times the output."""
    if noising.flow:
        noise_share, picture_share = (1 - sigma) / noising.noise_scale, 1.0
    elif noising.velocity:
        noise_share = picture_share = 1 / math.sqrt(1 + sigma**2)
    else:
        noise_share = picture_share = 1.0
    noise = noising.noise_of(x, denoised, sigma)
    moved = torch.zeros_like(noise)

    def follow(penalty, weight: float) -> torch.Tensor:
        return moved - weight * noise_share * _gradient(penalty, noise + noise_share * moved)

    for _ in range(regularisation.num_reg_steps):
        if regularisation.lambda_auto_corr > 0:
            rolls = regularisation.num_auto_corr_rolls
            for _ in range(rolls):
                moved = follow(lambda n: auto_correlation(n, shifts), regularisation.lambda_auto_corr / rolls)
        if regularisation.lambda_kl > 0:
            moved = follow(divergence, regularisation.lambda_kl)
    return denoised - sigma * picture_share * moved


def auto_correlation(noise: torch.Tensor, shifts: torch.Generator) -> torch.Tensor:
    """How much a noise (1, C, ..., h, w) resembles itself shifted along either axis, summed over channels (and frames)
    and a pyramid of halved sizes; 0 for white noise, but for chance."""
    total = noise.new_zeros(())
    for channel in noise.reshape(-1, 1, 1, *noise.shape[-2:]):
        while True:
            shift = int(torch.randint(max(1, channel.shape[2] // 2), (1,), generator=shifts))
            for axis in (2, 3):
                total = total + (channel * channel.roll(shift, axis)).mean() ** 2
            if min(channel.shape[2:]) <= SMALLEST:
                break
            channel = torch.nn.functional.avg_pool2d(channel, 2)
    return total


def divergence(noise: torch.Tensor) -> torch.Tensor:
    """Twice the Kullback-Leibler divergence of a normal distribution with this mean and variance from the standard one."""
    variance = noise.var()
    return variance + noise.mean() ** 2 - 1 - torch.log(variance + 1e-7)


def _gradient(penalty: Callable[[torch.Tensor], torch.Tensor], noise: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode(False), torch.enable_grad():
        leaf = noise.clone().requires_grad_()
        (slope,) = torch.autograd.grad(penalty(leaf), leaf)
    return slope
