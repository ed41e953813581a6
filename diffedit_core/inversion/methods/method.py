"""The interface that every inversion method has."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from ...model.noising import Noising
from .step import Denoise, Step


@dataclass(frozen=True)
class Options:
    """What some methods read.

    Attributes:
        refinements: the most model calls a step of "fixed point", >= 1.
        seed: of the noises that "ddpm" draws, 0 .. 2**64 - 1.
        pictures: for each picture of the batch the number that decides its noises.
    """

    refinements: int = 3
    seed: int = 0
    pictures: Sequence[int] = (0,)


@dataclass(frozen=True, eq=False)
class Path:
    """What a method's way back starts from.

    Attributes:
        states: (n + 1, B, C, ..., h, w) ascending; the last is where sampling starts.
        sigmas: n + 1 levels, ascending from 0.
        kept: n tensors or None: `Step.kept` of the steps up.
    """

    states: torch.Tensor
    sigmas: Sequence[float]
    kept: torch.Tensor | None = None


@dataclass(frozen=True)
class Method:
    """One way to invert, and the sampling that leads back.

    Attributes:
        invert: (denoise, clean (B, C, ..., h, w), sigmas ascending from 0, noising, options) -> one Step for each level
            above 0.
        sampler: the host's sampler that walks back; "" if the method brings its own.
        sample: (denoise, path, sigmas descending, noising) -> one Step for each level below the first. None: `sampler`.
        own_levels: it can only walk back over the levels that it came by.
        keeps: its steps have a `Step.kept`, as large as a state.
        paper: where it comes from.
    """

    invert: Callable[[Denoise, torch.Tensor, Sequence[float], Noising, Options], Iterator[Step]]
    paper: str
    sampler: str = ""
    sample: Callable[[Denoise, Path, Sequence[float], Noising], Iterator[Step]] | None = None
    own_levels: bool = False
    keeps: bool = False


def derivative(x: torch.Tensor, denoised: torch.Tensor, sigma: float) -> torch.Tensor:
    """dx / dsigma, sigma > 0."""
    return (x - denoised) / sigma
