"""What happens outside the mask while the inside is painted."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..inversion.trajectory import Trajectory
from ..model.noise import batch_noise
from ..model.noising import Noising

At = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""sigma (B,) -> the state there and its slope d state / d sigma, both (B, C, ..., h, w)."""

TRAJECTORY, NOISED_PICTURE, CLEAN_ESTIMATE = "trajectory", "noised picture", "clean estimate"
BACKGROUNDS = (TRAJECTORY, NOISED_PICTURE, CLEAN_ESTIMATE)


@dataclass(frozen=True, eq=False)
class Background:
    """
    Attributes:
        at: the states that the background passes.
        shown: does the model see them? Else it sees whatever the sampler has there, and only its answer is replaced.
        above, until: it is in force at levels until < sigma <= above.
    """

    at: At
    shown: bool = True
    above: float = float("inf")
    until: float = -1.0

    def in_force(self, sigma: float) -> bool:
        return self.until < sigma <= self.above


def background(
    kind: str, trajectory: Trajectory, seed: int, above: float, until: float, device: torch.device | None = None
) -> Background:
    """One of BACKGROUNDS:

    - "trajectory": the states of the inversion (DiffEdit).
    - "noised picture": the picture under one noise for all levels, drawn for each picture from seed (as inpainting with
      a noise mask does it).
    - "clean estimate": only the model's estimate is replaced by the picture; what it sees is not (GLIDE, RF-Inversion).

    Args:
        device: where its states are wanted; None: where the trajectory lies.

    Raises:
        ValueError: no such kind.
    """
    if kind == TRAJECTORY:
        return Background(trajectory.state_at, True, above, until)
    if kind not in BACKGROUNDS:
        raise ValueError(f"background is {kind!r}; choose one of {', '.join(BACKGROUNDS)}.")
    clean = trajectory.states[0]
    noise = batch_noise(seed, trajectory.batch_index or range(len(clean)), 0, clean)
    return Background(_straight(clean.to(device), noise.to(device), trajectory.noising), kind == NOISED_PICTURE, above, until)


def _straight(clean: torch.Tensor, noise: torch.Tensor, noising: Noising) -> At:
    def at(sigma: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        level = float(sigma[0])
        state = noising.noised(clean, noise, level)
        slope = noising.noise_scale * noise - clean if noising.flow else noising.noise_scale * noise
        return state, slope

    return at
