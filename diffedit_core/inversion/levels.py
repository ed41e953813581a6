"""The noise levels of an inversion, for any model and scheduler of the host."""

import comfy.samplers
import torch

from ..model.host_model import noising, sigma_table
from .schedule import ascending_sigmas, leading_sigmas, up_to

LEADING = "leading"

SCHEDULERS = tuple(comfy.samplers.SCHEDULER_NAMES)


def inversion_levels(model, steps: int, strength: float, scheduler: str, sigmas: torch.Tensor | None) -> torch.Tensor:
    """Ascending from 0, (n + 1,) float32 on the CPU.

    `strength` of so many steps stands for one noise level, whatever the model and the scheduler: that of diffusers' leading
    timesteps, 50 steps at 0.8 being timestep 781, where noise and picture of SD 1.x stand as 4.69 to 1. Another number of
    steps has another one, since a leading step is a whole number of timesteps: 20 reach 4.12, 334 only 1.81.

    Args:
        model: MODEL.
        steps: of the whole schedule.
        strength: 0 .. 1, how much of it is walked.
        scheduler: LEADING or one of SCHEDULERS.
        sigmas: a sampling schedule to walk backwards instead of all that, or None.

    Raises:
        ValueError: the model does not sample from noise, it has no such levels, unknown scheduler, or one that gives no numbers
            for so few steps, as kl_optimal does for a single one.
    """
    noising(model)
    sampling = model.get_model_object("model_sampling")
    if sigmas is not None:
        return ascending_sigmas(sigmas, float(sampling.sigma_max))
    leading = leading_sigmas(sigma_table(model), steps, strength)
    if scheduler == LEADING:
        return leading
    if scheduler not in SCHEDULERS:
        raise ValueError(f"scheduler is {scheduler!r}; choose one of {', '.join((LEADING, *SCHEDULERS))}.")
    whole = comfy.samplers.calculate_sigmas(sampling, scheduler, steps)
    if not torch.isfinite(whole).all():
        raise ValueError(
            f"steps is {steps}, which scheduler {scheduler!r} cannot spread; "
            f"take {steps + 1} or more steps, or another scheduler."
        )
    return up_to(ascending_sigmas(whole, float(sampling.sigma_max)), float(leading[-1]))
