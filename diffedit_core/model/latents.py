"""Pictures in a model's latent space."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class Latents:
    """
    Attributes:
        samples: (B, C, h, w), or (B, C, frames, h, w) for video models, also those that are used for pictures (one frame).
        batch_index: the numbers that the pictures had in the batch they were taken from, each >= 0; None if they are no part
            of one.
    """

    samples: torch.Tensor
    batch_index: tuple[int, ...] | None = None

    @property
    def numbers(self) -> Sequence[int]:
        """For each picture the number that decides its noises."""
        return range(len(self.samples)) if self.batch_index is None else self.batch_index
