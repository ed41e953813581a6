"""How much two predictions differ, cell by cell."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class Heatmap:
    """The mean difference of two noise predictions: what travels on a HEATMAP socket.

    The tensor is shared, not copied: do not write to it.

    Attributes:
        values: (pictures, height, width) float32 on the CPU, >= 0, one value a latent cell, not rescaled.
        cell: picture pixels along a side of a cell.
    """

    values: torch.Tensor
    cell: int = 8


def noise_difference(target: torch.Tensor, source: torch.Tensor, sigma: float) -> torch.Tensor:
    """Mean over the channels of |eps_target - eps_source|, as in diffusers' StableDiffusionDiffEditPipeline.

    With eps = (x - denoised) / sigma and the same x on both sides, x cancels.

    Args:
        target, source: (pictures, channels, height, width) denoised predictions at the same x.
        sigma: noise level of x, > 0.

    Returns:
        (pictures, height, width)
    """
    return ((target - source).abs() / sigma).mean(dim=1)
