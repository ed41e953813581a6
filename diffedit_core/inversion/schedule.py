"""Which noise levels are visited.

`table` holds a sigma for each training timestep, ascending: the model's own where it was trained on discrete timesteps,
else those of SD 1.x brought to the same ratio of noise to picture, so that a strength means the same to every family.
"""

import math

import torch


def leading_sigmas(table: torch.Tensor, steps: int, strength: float) -> torch.Tensor:
    """The levels of an inversion, clean first: 0, then the first `strength` of `steps` evenly spaced timesteps.

    These are diffusers' "leading" timesteps with steps_offset 1: for a table of 1000 levels 1, 1 + 1000 // steps, ...
    (50 steps at strength 0.8: 40 levels, the last at timestep 781). The host's ddim_uniform lists more levels than
    asked for when `steps` does not divide the table, so the list is built here.

    Args:
        table: (T,) sigmas.
        steps: steps of the whole schedule, 1 .. T.
        strength: share of them that is walked, 0 .. 1, rounded half up to whole steps and at least one.

    Returns:
        (n + 1,) float32 on the CPU, ascending.

    Raises:
        ValueError: the table has no such timesteps.
    """
    if not 1 <= steps <= len(table):
        raise ValueError(f"steps is {steps}, but the model has {len(table)} noise levels; choose 1 to {len(table)}.")
    timesteps = 1 + (len(table) // steps) * torch.arange(steps_walked(steps, strength))
    if timesteps[-1] >= len(table):
        raise ValueError(
            f"steps {steps} at strength {strength} needs timestep {int(timesteps[-1])}, but the model's last is "
            f"{len(table) - 1}; lower steps or strength."
        )
    return torch.cat([torch.zeros(1), table.float().cpu()[timesteps]])


def steps_walked(steps: int, strength: float) -> int:
    """steps * strength, rounded half up, at least 1. A strength such as 0.29 has no exact float: 50 of it make 15."""
    return max(1, math.floor(round(steps * strength, 6) + 0.5))


def ascending_sigmas(sigmas: torch.Tensor, sigma_max: float) -> torch.Tensor:
    """A sampling schedule, walked backwards: (n + 1,) float32 on the CPU, from 0 up.

    Raises:
        ValueError: `sigmas` is not a strictly decreasing schedule of the model, ending in 0.
    """
    sigmas = sigmas.detach().float().cpu()
    if sigmas.ndim != 1 or len(sigmas) < 2:
        raise ValueError(f"sigmas has the shape {tuple(sigmas.shape)}; it must be a list of at least 2 noise levels.")
    if not torch.isfinite(sigmas).all():
        raise ValueError("sigmas contains values that are not finite; connect a scheduler that fits the model.")
    if sigmas[-1] != 0:
        raise ValueError(
            f"sigmas ends in {float(sigmas[-1]):.6g}, not in 0; connect the end of a schedule "
            "(from Split Sigmas the low part), because an inversion starts from the clean picture."
        )
    if not (sigmas[:-1] > sigmas[1:]).all():
        raise ValueError("sigmas must fall strictly, from high to 0, as schedulers give it; do not flip it first.")
    if sigmas[0] > sigma_max * (1 + 1e-4):
        raise ValueError(
            f"sigmas starts at {float(sigmas[0]):.6g}, above the model's highest noise level {sigma_max:.6g}; "
            "connect a schedule made for this model."
        )
    return sigmas.flip(0)


def up_to(ascending: torch.Tensor, top: float) -> torch.Tensor:
    """The part of a schedule up to the level `top`, which becomes its last.

    The schedule's level just below `top` makes way if the step from there would be less than half as long as the one
    before: a sliver of a step costs as much as a whole one.

    Args:
        ascending: (n + 1,) from 0 up.
        top: > 0.
    """
    below = ascending[ascending < top]
    if len(below) > 1 and top - below[-1] < (below[-1] - below[-2]) / 2:
        below = below[:-1]
    return torch.cat([below, below.new_tensor([top])])


def noise_sigma(table: torch.Tensor, noise_strength: float) -> float:
    """The noise level at which the two prompts are contrasted.

    diffusers takes timestep 20 k - 19 for k of its 50 steps; in between the same line is followed: 0.5 is timestep 481
    of 1000. A table of another length is read in proportion.

    Args:
        table: (T,) sigmas.
        noise_strength: 0 .. 1.
    """
    timestep = max(1, round(1000 * noise_strength) - 19)
    return float(table[min(len(table) - 1, round(timestep * len(table) / 1000))])
