"""Which directions of the text everyday prompts use: the prior K0 of an edit.

K0 is the mean of c c^T over the rows c of many prompts, scaled so that its mean eigenvalue is 1 (trace d). With the weight
rho an edit costs 1 + rho v times as much along a direction of eigenvalue v as it does in the published method (`costs`).
After OCE (arXiv 2605.28902), which takes the captions of COCO.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..prompts.fingerprint import Fingerprint

NEGLIGIBLE = 1e-4
"""Directions of smaller eigenvalues (their mean is 1) are left out: at rho = 1 they cost what unused ones do to 0.01 %."""


@dataclass(frozen=True, eq=False)
class Prior:
    """K0 = basis diag(values) basis^T.

    Attributes:
        basis: (d, r) float32, orthonormal columns.
        values: (r,) float32, descending, > 0.
        prompts: how many prompts it was made from; `digest` is theirs (`digest_of`).
        fingerprint: of what the rows were made with; a prior is for this text encoder alone.
    """

    basis: torch.Tensor
    values: torch.Tensor
    prompts: int
    digest: str
    fingerprint: Fingerprint

    def __str__(self) -> str:
        return f"{self.prompts} prompts, {self.digest[:12]}"

    def check_encoder(self, reading: Fingerprint) -> None:
        """Raise ValueError unless this is a prior for rows that are made as `reading` tells."""
        if not self.fingerprint.same_encoder(reading):
            raise ValueError(
                f"prior was made with the text encoder {self.fingerprint}, but clip is {reading}; connect this clip to TIME "
                "Prior too."
            )
        if not self.fingerprint.same_projector(reading.projector, reading.projector_probe):
            raise ValueError(
                f"prior is of the rows of {self.fingerprint}, but the edit is of those of {reading}; connect the same model "
                "to TIME Prior and to this node, or to neither."
            )


class Moment:
    """The sum of c c^T over rows, added prompt by prompt."""

    def __init__(self, width: int):
        self.sum = torch.zeros(width, width, dtype=torch.float64)

    def add(self, rows: torch.Tensor) -> None:
        """Add rows (n, width) float64. Raises ValueError if they are not finite."""
        if not torch.isfinite(rows).all():
            raise ValueError("clip gave embeddings that are not finite; use it in a higher precision.")
        self.sum.addmm_(rows.T, rows)

    def shape(self) -> tuple[torch.Tensor, torch.Tensor]:
        """`basis` and `values` of Prior."""
        values, vectors = torch.linalg.eigh(self.sum * (len(self.sum) / self.sum.trace()))
        used = (values > NEGLIGIBLE).flip(0)
        return vectors.flip(1)[:, used].float().contiguous(), values.flip(0)[used].float()


def digest_of(prompts: Sequence[str]) -> str:
    """SHA-256 of the prompts in their order, in hexadecimal."""
    return hashlib.sha256("\n".join(prompts).encode()).hexdigest()


def check_rho(rho: float) -> None:
    """Raise ValueError unless `rho` is a finite number of at least 0."""
    if not (math.isfinite(rho) and rho >= 0):
        raise ValueError(f"rho is {rho}; it must be 0 (as published) or a positive, finite number, such as 1.")
