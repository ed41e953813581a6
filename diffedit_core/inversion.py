"""From a clean picture up to its noise."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

import torch

from .ddim import ddim_step
from .fixed_point import fixed_point_step
from .step import Denoise, Step

Stepper = Callable[[Denoise, torch.Tensor, float, float], Step]

METHODS = ("ddim", "fixed point")


def stepper(method: str, refinements: int) -> Stepper:
    """The step function of one of METHODS. `refinements` (>= 1) is read by "fixed point" only.

    Raises:
        ValueError: no such method, or fewer than one refinement.
    """
    if method == "ddim":
        return ddim_step
    if method == "fixed point":
        if refinements < 1:
            raise ValueError(f"refinements is {refinements}; fixed point needs at least 1.")
        return partial(fixed_point_step, refinements=refinements)
    raise ValueError(f"method is {method!r}; choose one of {', '.join(METHODS)}.")


def invert(step: Stepper, denoise: Denoise, clean: torch.Tensor, sigmas: torch.Tensor) -> Iterator[Step]:
    """Walk up from `clean` (B, C, h, w), which is the state at sigmas[0] = 0; one `Step` for each level above.

    Taking the clean picture for the state at 0 is diffusers' set_alpha_to_one=True.
    """
    state = clean
    for sigma, next_sigma in pairwise(sigmas.tolist()):
        result = step(denoise, state, sigma, next_sigma)
        yield result
        state = result.state
