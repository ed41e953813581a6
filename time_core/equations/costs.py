"""What it costs to change a model in each direction of its text: a prior, and rows that may not move at all.

The published objective (`solve`) charges every direction the same, lambda |P|^2. Here it is lambda tr(P R0 P^T), where
R0 = I + rho K0 makes directions that everyday prompts use dearer (`prior`), and P k = 0 for every row k that is kept exactly.
With M = R0^-1 and no such rows, or with M = N, the projection off these rows, and rho = 0, the minimiser is

    P = D (lambda I + C^T M C)^-1 C^T M,        C the source rows, D = C* - C, as columns.

With both, P = Q R0^-1/2 leads back to the published problem in Q: the kept rows are then R0^-1/2 k, and N projects off those.
In all cases M = T T^T with

    T = R0^-1/2 N,

so P is the published solution of the rows T^T c, times T^T from the right. What is solved by rows needs M alone, which is half
the work. Sources: the prior is that of OCE (arXiv
2605.28902), the projection that of AlphaEdit and SPEED (arXiv 2503.07392); none of them has both in one solve.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from .prior import Prior

# Rows that are kept exactly span the directions in which they are longer than this share of their longest: what is left
# out moves them by no more than the rounding of an edit to float32 does.
EXACT = 1e-7


@dataclass(frozen=True, eq=False)
class Costs:
    """T = (I + basis diag(shrink) basis^T) (I - closed closed^T), float64 throughout.

    Attributes:
        basis: (d, r) orthonormal columns, the directions that everyday prompts use; r may be 0.
        shrink: (r,) in (-1, 0]: (1 + rho v)^-1/2 - 1 for each direction's share v of the prior.
        closed: (d, q) orthonormal columns, the directions (after R0^-1/2) in which nothing may change; q may be 0.
    """

    basis: torch.Tensor
    shrink: torch.Tensor
    closed: torch.Tensor

    def paid(self, rows: torch.Tensor) -> torch.Tensor:
        """c^T M for rows c^T (n, d)."""
        once = rows + ((rows @ self.basis) * ((1 + self.shrink).square() - 1)) @ self.basis.T
        return once - (rows @ self._closed_after) @ self._closed_after.T

    @cached_property
    def _closed_after(self) -> torch.Tensor:
        """R0^-1/2 closed, (d, q)."""
        return self._shrunk(self.closed.T).T

    def seen(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows c^T (n, d) as the solve sees them, c^T T."""
        rows = self._shrunk(rows)
        return rows - (rows @ self.closed) @ self.closed.T

    def seen_sum(self, gram: torch.Tensor) -> torch.Tensor:
        """A sum of c c^T, (d, d) symmetric, over rows as the solve sees them: T^T gram T."""
        seen = self.seen(self.seen(gram).T)
        return (seen + seen.T) / 2

    def back(self, factor: torch.Tensor) -> torch.Tensor:
        """T factor, for a right factor (d, m) that was found for rows as seen."""
        return self._shrunk((factor - self.closed @ (self.closed.T @ factor)).T).T

    def _shrunk(self, rows: torch.Tensor) -> torch.Tensor:
        return rows + ((rows @ self.basis) * self.shrink) @ self.basis.T


def costs(width: int, prior: Prior | None, rho: float, kept: Sequence[torch.Tensor] = ()) -> Costs | None:
    """The costs of a prior at the weight `rho` >= 0 and of rows (n, width) that must not move; None if all cost the same."""
    if (prior is None or rho == 0) and not kept:
        return None
    basis, shrink = torch.zeros(width, 0, dtype=torch.float64), torch.zeros(0, dtype=torch.float64)
    if prior is not None and rho:
        basis, shrink = prior.basis.double(), (1 + rho * prior.values.double()).rsqrt() - 1
    open_everywhere = Costs(basis, shrink, torch.zeros(width, 0, dtype=torch.float64))
    return Costs(basis, shrink, span([open_everywhere.seen(rows) for rows in kept], width))


def span(blocks: Sequence[torch.Tensor], width: int) -> torch.Tensor:
    """Orthonormal columns (width, q) that span the rows of all `blocks` (n, width), up to EXACT."""
    held = torch.zeros(0, width, dtype=torch.float64)
    for rows in blocks:
        held = torch.cat([held, rows])
        if len(held) > 2 * width:  # as many rows as they are wide span the same, and are as long in each direction
            held = torch.linalg.qr(held, mode="r").R
    if not len(held):
        return held.T
    basis, core = torch.linalg.qr(held.T)  # first, for the decomposition of fewer numbers
    directions, lengths, _ = torch.linalg.svd(core)
    return basis @ directions[:, lengths > EXACT * lengths[0]]
