"""What both trainings share: the noise schedule, seeds of steps, and the file to go on from."""

from pathlib import Path

import torch

TIMESTEPS = 1000


def alphas_cumprod() -> torch.Tensor:
    """The host's schedule of SD 1.x."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, TIMESTEPS, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0).float()


def reseed(seed: int, step: int) -> None:
    """Every step draws from its own seed, so that a resumed run draws what an uninterrupted one would."""
    torch.manual_seed(seed * 1_000_003 + step)


def save(path: Path, state: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)
