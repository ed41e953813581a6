"""Whether a scheduler of the host spreads so few steps."""

from typing import Any

import comfy.samplers
import torch


def check_schedule(model: Any, scheduler: str, steps: int) -> None:
    """
    Raises:
        ValueError: some of the levels that `scheduler` gives of so few steps are no numbers, as kl_optimal's of a single step.
    """
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), scheduler, steps)
    if not torch.isfinite(sigmas).all():
        raise ValueError(
            f"steps is {steps}, which scheduler {scheduler!r} cannot spread; "
            f"take {steps + 1} or more steps, or another scheduler."
        )
