"""How much memory a trajectory takes, told before it is made: long videos and large batches have large ones."""

from collections.abc import Sequence

import torch

from .methods.method import Method

UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
STATE_BYTES = 4  # a number of a state: float32


def trajectory_bytes(samples: torch.Tensor, sigmas: Sequence[float] | torch.Tensor, method: Method) -> int:
    """Of all states of an inversion of these LATENT samples over these levels, of what the method keeps beside them, and of
    the samples themselves."""
    levels = len(sigmas)
    states = levels + (levels - 1 if method.keeps else 0)
    return samples.numel() * (states * STATE_BYTES + samples.element_size())


def require_room(needed: int, free: int, samples: torch.Tensor, steps: int) -> None:
    """
    Args:
        needed, free: bytes, where the trajectory will lie.
        steps: of the inversion.

    Raises:
        ValueError: it does not fit.
    """
    if needed > free:
        raise ValueError(
            f"latent of the shape {tuple(samples.shape)} has a trajectory of {in_units(needed)} over {steps} steps, and "
            f"{in_units(free)} of memory are free; use fewer steps, a lower strength, or fewer pictures or frames at once."
        )


def in_units(count: float) -> str:
    """Bytes as people read them: 3.2 GiB."""
    unit = 0
    while count >= 1024 and unit < len(UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return f"{count:.3g} {UNITS[unit]}" if count < 1000 else f"{count:.0f} {UNITS[unit]}"
