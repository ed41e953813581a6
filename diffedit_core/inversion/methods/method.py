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


Blend = Callable[[torch.Tensor, torch.Tensor | None, int], torch.Tensor]
"""(x, before, i): x, to which a method came at the i-th level from the noise down, and the state from which it came; None at
the first -> the state from which it goes on."""


def as_it_is(x: torch.Tensor, before: torch.Tensor | None, i: int) -> torch.Tensor:
    """The Blend that changes nothing."""
    return x


@dataclass(frozen=True, eq=False)
class Path:
    """What a method's way back starts from.

    Attributes:
        states: (n + 1, B, C, ..., h, w) ascending; the last is where sampling starts.
        sigmas: n + 1 levels, ascending from 0.
        kept: n tensors or None: `Step.kept` of the steps up.
        device: where sampling goes on; a state is brought there when it is read. None: where the states lie.
        blend: what happens between two steps, for methods with levels of their own.
    """

    states: torch.Tensor
    sigmas: Sequence[float]
    kept: torch.Tensor | None = None
    device: torch.device | None = None
    blend: Blend = as_it_is

    def state(self, i: int) -> torch.Tensor:
        """The state of the i-th level from the noise down."""
        return self._on_device(self.states[-1 - i])

    def kept_of(self, i: int) -> torch.Tensor:
        """What was kept for the i-th step down.

        Raises:
            ValueError: nothing was.
        """
        if self.kept is None:
            raise ValueError("trajectory does not hold the noises of its steps; invert anew with the method ddpm.")
        return self._on_device(self.kept[-1 - i])

    def _on_device(self, x: torch.Tensor) -> torch.Tensor:
        return x if self.device is None else x.to(self.device)


@dataclass(frozen=True)
class Method:
    """One way to invert, and the sampling that leads back.

    Attributes:
        invert: (denoise, clean (B, C, ..., h, w), sigmas ascending from 0, noising, options) -> one Step for each level
            above 0.
        sampler: the host's sampler that walks back; "" if the method brings its own.
        sample: (denoise, path, sigmas descending, noising) -> one Step for each level below the first. None: `sampler`.
        own_levels: it can only walk back over the levels that it came by, and the path's `blend` has a say at each of them.
        keeps: its steps have a `Step.kept`, as large as a state.
        own_noises: each state is the picture under a noise of its own.
        fewest_steps: of a way back that asks the model.
        paper: where it comes from.
    """

    invert: Callable[[Denoise, torch.Tensor, Sequence[float], Noising, Options], Iterator[Step]]
    paper: str
    sampler: str = ""
    sample: Callable[[Denoise, Path, Sequence[float], Noising], Iterator[Step]] | None = None
    own_levels: bool = False
    keeps: bool = False
    own_noises: bool = False
    fewest_steps: int = 1


def derivative(x: torch.Tensor, denoised: torch.Tensor, sigma: float) -> torch.Tensor:
    """dx / dsigma, sigma > 0."""
    return (x - denoised) / sigma
