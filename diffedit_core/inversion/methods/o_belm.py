"""O-BELM (arXiv 2410.07273): a two-step scheme that is its own inverse."""

from collections.abc import Iterator, Sequence

import torch

from ...model.noising import Noising
from .fixed_point import CONVERGING, fixed_point_step
from .method import Method, Options, Path, derivative
from .step import Denoise, Step


def invert(
    denoise: Denoise, clean: torch.Tensor, sigmas: Sequence[float], noising: Noising, options: Options
) -> Iterator[Step]:
    """With h_i = s_i - s_(i-1) and r = h_(i+1) / h_i:

        x_(i+1) = r^2 x_(i-1) + (1 - r^2) x_i + h_(i+1) (1 + r) d(x_i, s_i)

    One model call a step. The first step has no state before it and is made by fixed-point iteration.
    """
    yield (step := fixed_point_step(denoise, clean, sigmas[0], sigmas[1], noising, CONVERGING))
    before, x = clean, step.state
    for i in range(1, len(sigmas) - 1):
        h, next_h = sigmas[i] - sigmas[i - 1], sigmas[i + 1] - sigmas[i]
        before, x, denoised = x, *_leap(denoise, before, x, sigmas[i], next_h, next_h / h)
        yield Step(x, denoised, model_calls=1)


def sample(denoise: Denoise, path: Path, sigmas: Sequence[float], noising: Noising) -> Iterator[Step]:
    """The same solved for x_(i-1). The first step down is the stored state: two neighbours are needed to go on.

    With the conditioning of the inversion it undoes every step but for rounding, whatever the model says. That holds for
    the model's own answers alone, so what is to be kept of the path is blended into the states, never into an answer.
    """
    above = path.blend(path.state(0), None, 0)
    x = path.blend(path.state(1), above, 1)
    yield Step(x, x, model_calls=0)
    for i in range(1, len(sigmas) - 1):
        h, next_h = sigmas[i - 1] - sigmas[i], sigmas[i] - sigmas[i + 1]
        below, denoised = _leap(denoise, above, x, sigmas[i], -next_h, next_h / h)
        above, x = x, path.blend(below, x, i + 1)
        yield Step(x, denoised, model_calls=1)


def _leap(denoise: Denoise, before: torch.Tensor, x: torch.Tensor, sigma: float, h: float, r: float):
    """From x and the state before it to the next one, `h` away in sigma. Returns that and the denoised estimate at x."""
    denoised = denoise(x, sigma)
    return r**2 * before + (1 - r**2) * x + h * (1 + r) * derivative(x, denoised, sigma), denoised


METHOD = Method(invert, "arXiv 2410.07273", sample=sample, own_levels=True, fewest_steps=2)
