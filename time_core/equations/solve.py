"""The closed form of TIME (Orgad, Kawar, Belinkov, ICCV 2023, arXiv 2303.08084, equation 5), in float64.

For a key or value projection W, source embeddings c_i and destination embeddings c*_i, the paper minimises

    sum_i |W' c_i - W c*_i|^2 + lambda |W' - W|^2      over W'.

The minimiser multiplies every W from the right by one and the same matrix:

    W' = W (I + P),    P = (C* - C) (lambda I + C^T C)^-1 C^T = (C* - C) C^T (lambda I + C C^T)^-1.

The paper's vectors are columns, C is (d, n). Here an embedding is a row, as a text encoder gives it: `source` and
`destination` are (n, d), one token a row, so C = source.T. P is the same (d, d) in both and is always kept as thin
factors, P = left @ right.T.
"""

import copy
import math
from typing import NamedTuple

import torch

from .costs import Costs
from .lambda_curve import WIDEST, Spectrum, spectrum_of_rows, spectrum_of_sums

# The share of P, in the Frobenius norm, that low_rank may leave out: what float32 factors round away anyhow.
TAIL = 1e-7


def check_lambda(lamb: float) -> None:
    """Raise ValueError unless `lamb` is a positive, finite number."""
    if not (math.isfinite(lamb) and lamb > 0):
        raise ValueError(f"lambda is {lamb}; it must be a positive, finite number, such as 0.1.")


def edit_factors(source: torch.Tensor, destination: torch.Tensor, lamb: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Solve for P and return (left, right), both (d, m) with P = left @ right.T, m at most the number of rows.

    Args:
        source, destination: (n, d) float64 rows c_i and c*_i; a preserved row has c* = c.
        lamb: the ridge, > 0, in units of a squared embedding length; the paper uses 0.1.

    Raises ValueError for a lambda that is not positive and finite or too small for float64, for shapes that differ and
    for embeddings that are not finite.
    """
    _check_rows(source, destination)
    system = System(source.shape[1])
    system.add(source, destination)
    return system.solve(lamb)


class Sums(NamedTuple):
    """What stands for rows, (d, d) float64 each.

    Attributes:
        rows: C C^T over all rows.
        moving: C C^T over those that change.
        cross: (C* - C) C^T.
    """

    rows: torch.Tensor
    moving: torch.Tensor
    cross: torch.Tensor


class Seen(NamedTuple):
    """`rows` and `cross` of Sums with every c as T^T c (`costs`), (d, d) float64 each."""

    rows: torch.Tensor
    cross: torch.Tensor


class System:
    """The equations of an edit, added prompt by prompt.

    The rows are kept until there are as many as they are wide; from then on their sums are, which are (d, d) however
    many rows there are. Both forms of the solution give the same P.
    """

    def __init__(self, width: int):
        self.width = width
        self.rows = self.changed = 0
        self._weight = self._length = self._wanted = 0.0  # sums of the weights, of |c|^2 and of |c* - c|^2
        self._sources: list[torch.Tensor] = []
        self._changes: list[torch.Tensor] = []
        self._sums: Sums | None = None
        self._costs: Costs | None = None
        self._paid_rows: torch.Tensor | None = None  # the rows c as M c (`costs`)
        self._seen_sums: Seen | None = None  # or the sums, as T shows them

    def add(self, source: torch.Tensor, destination: torch.Tensor, weight: float = 1.0) -> None:
        """Add rows c_i and c*_i, (n, d) float64, that count `weight` times. Raises ValueError as `edit_factors` does."""
        _check_rows(source, destination)
        source, destination, counts = _merge_repeated(source, destination)
        self.rows += int(counts.sum())
        self.changed += int(counts[changed_rows(source, destination)].sum())
        # |W'c - Wc*|^2 counted m times is that of sqrt(m) c and sqrt(m) c*.
        scale = (weight * counts).sqrt().unsqueeze(1)
        rows, change = source * scale, (destination - source) * scale
        self._weight += weight * counts.sum().item()
        self._length += rows.square().sum().item()
        self._wanted += change.square().sum().item()
        self._sources.append(rows)
        self._changes.append(change)
        if self.folded or sum(map(len, self._sources)) >= self.width:
            self._fold()

    def priced(self, costs: Costs | None) -> "System":
        """These equations where changes cost what `costs` says, None being the same everywhere. Add nothing to them."""
        system = copy.copy(self)
        system._costs = costs
        system._paid_rows = system._seen_sums = None
        if costs is not None and self._sums is not None:
            system._seen_sums = Seen(costs.seen_sum(self._sums.rows), costs.seen(self._sums.cross))
        elif costs is not None:
            system._paid_rows = costs.paid(torch.cat(self._sources))
        return system

    @property
    def folded(self) -> bool:
        """Whether the rows have given way to their sums."""
        return self._sums is not None

    @property
    def mean_square(self) -> float:
        """The mean of |c|^2, every row counted by its weight."""
        return self._length / self._weight

    @property
    def reach(self) -> float:
        """Of the rows that change, the share of their length that is not kept exactly, 0 to 1; with a prior less."""
        if self._sums is not None:
            moving = self._sums.moving
            seen = moving if self._costs is None else self._costs.seen_sum(moving)
            return (seen.trace().clamp(min=0) / moving.trace()).sqrt().item()
        source, moving = torch.cat(self._sources), torch.cat(self._changes).any(dim=1)
        seen = (source * self._source_paid())[moving].sum()
        return (seen.clamp(min=0).sqrt() / source[moving].norm()).item()

    def solve(self, lamb: float) -> tuple[torch.Tensor, torch.Tensor]:
        """P in the factors of `edit_factors`, with its errors."""
        check_lambda(lamb)
        factor, info = torch.linalg.cholesky_ex(self._regularised(lamb))
        if info.item() != 0:
            raise ValueError(
                f"lambda {lamb:g} is too small for these prompts: the system is singular in float64; raise lambda."
            )
        if sums := self._seen_sums or self._sums:
            left, right = torch.eye(self.width, dtype=sums.cross.dtype), torch.cholesky_solve(sums.cross.T, factor)
            return left, right if self._costs is None else self._costs.back(right)
        change = torch.cat(self._changes)
        moving = change.any(dim=1)
        return change[moving].T, torch.cholesky_solve(self._source_paid(), factor)[moving].T

    def condition(self, lamb: float) -> float:
        """The condition number of the matrix that `solve` decomposes; float64 loses its logarithm in digits."""
        eigenvalues = torch.linalg.eigvalsh(self._regularised(lamb))
        return (eigenvalues[-1] / eigenvalues[0].clamp(min=lamb)).item()

    def fit_residual(self, left: torch.Tensor, right: torch.Tensor) -> float:
        """|(I + P) c - c*| / |c* - c| over the rows that change: 0 is a complete edit, 1 is none."""
        if self._sums is not None:
            moving, cross = self._sums.moving, self._sums.cross
            reached = _inner(left, right, moving) - 2 * (left * (cross @ right)).sum() + self._wanted
            return (reached.clamp(min=0).sqrt() / math.sqrt(self._wanted)).item()
        source, change = torch.cat(self._sources), torch.cat(self._changes)
        moving = change.any(dim=1)
        return ((apply(source[moving], left, right) - change[moving]).norm() / math.sqrt(self._wanted)).item()

    def leak(self, left: torch.Tensor, right: torch.Tensor) -> float:
        """`leak` over all rows."""
        if self._sums is not None:
            return (_inner(left, right, self._sums.rows).clamp(min=0).sqrt() / math.sqrt(self._length)).item()
        return leak(torch.cat(self._sources), left, right)

    def spectrum(self, empty: torch.Tensor) -> Spectrum | None:
        """The edit for every lambda at once, `empty` being the rows of the empty prompt; None where that takes too long."""
        if self._sums is not None:
            return None if self.width > WIDEST else spectrum_of_sums(*self._sums, self._wanted, empty, self._costs)
        source = torch.cat(self._sources)
        return None if len(source) > WIDEST else spectrum_of_rows(source, torch.cat(self._changes), empty, self._costs)

    def _regularised(self, lamb: float) -> torch.Tensor:
        """lambda I + C^T M C (n, n), M being I without costs, or, once there are sums, lambda I + C C^T (d, d)."""
        if sums := self._seen_sums or self._sums:
            system = sums.rows.clone()
        else:
            system = self._source_paid() @ torch.cat(self._sources).T
        system.diagonal().add_(lamb)
        return system

    def _source_paid(self) -> torch.Tensor:
        """The rows c (n, d), as M c where there are costs."""
        return torch.cat(self._sources) if self._paid_rows is None else self._paid_rows

    def _fold(self) -> None:
        source, change = torch.cat(self._sources), torch.cat(self._changes)
        moving = source[change.any(dim=1)]
        added = Sums(source.T @ source, moving.T @ moving, change.T @ source)
        if self._sums is None:
            self._sums = added
        else:
            for old, new in zip(self._sums, added, strict=True):
                old.add_(new)
        self._sources, self._changes = [], []


def right_factor(source: torch.Tensor, destination: torch.Tensor, lamb: float) -> torch.Tensor:
    """P itself, (d, d) float64, with the arguments and errors of `edit_factors`."""
    left, right = edit_factors(source, destination, lamb)
    return left @ right.T


def low_rank(left: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The thinnest factors (d, r) of left @ right.T: a singular value decomposition cut where the rest is below TAIL.

    `left` and `right` are (d, m) with m >= 1. The root of each singular value goes into both factors, so that their
    entries are of one size and both can be rounded to float32 (relative error of the product below 1e-6).
    """
    if left.shape[1] < left.shape[0]:
        left_basis, left_core = torch.linalg.qr(left)
        right_basis, right_core = torch.linalg.qr(right)
        u, s, vh = torch.linalg.svd(left_core @ right_core.T)
        u, v = left_basis @ u, right_basis @ vh.T
    else:
        u, s, vh = torch.linalg.svd(left @ right.T)
        v = vh.T
    rest = s.square().flip(0).cumsum(0).flip(0).sqrt()  # rest[i] = |s[i:]|
    rank = max(int((rest > TAIL * rest[0]).sum()), 1)
    root = s[:rank].sqrt()
    return u[:, :rank] * root, v[:, :rank] * root


def changed_rows(source: torch.Tensor, destination: torch.Tensor) -> torch.Tensor:
    """(n,) bool: the rows with c* != c. In a causal encoder words before the first insertion do not change."""
    return (source != destination).any(dim=1)


def fit_residual(source: torch.Tensor, destination: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> float:
    """`System.fit_residual` of these rows, (n, d) each."""
    wanted = destination - source
    moving = wanted.any(dim=1)
    return ((apply(source[moving], left, right) - wanted[moving]).norm() / wanted.norm()).item()


def leak(rows: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> float:
    """|P c| / |c| over `rows` (n, d): how far the edit moves a prompt that it was not made for."""
    return (apply(rows, left, right).norm() / rows.norm()).item()


def edit_size(left: torch.Tensor, right: torch.Tensor) -> float:
    """|P| / |I| in the Frobenius norm: the relative change of a projection that favours no direction."""
    return ((left.T @ left) * (right.T @ right)).sum().clamp(min=0).sqrt().item() / math.sqrt(left.shape[0])


def apply(rows: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """P c for every row c: (n, d) -> (n, d)."""
    return (rows @ right) @ left.T


def _inner(left: torch.Tensor, right: torch.Tensor, gram: torch.Tensor) -> torch.Tensor:
    """The sum of |P c|^2 over rows whose sum of c c^T is `gram`."""
    return ((left.T @ left) * (right.T @ gram @ right)).sum()


def _merge_repeated(source: torch.Tensor, destination: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Runs of equal rows as one row each, and how often each stood there; the padding of T5 is hundreds of them."""
    both = torch.cat([source, destination], dim=1)
    first = torch.ones(len(both), dtype=torch.bool)
    first[1:] = (both[1:] != both[:-1]).any(dim=1)
    starts = first.nonzero().squeeze(1)
    counts = torch.diff(starts, append=torch.tensor([len(both)])).to(source.dtype)
    return source[first], destination[first], counts


def _check_rows(source: torch.Tensor, destination: torch.Tensor) -> None:
    if source.dim() != 2 or source.shape != destination.shape:
        raise ValueError(
            f"source and destination embeddings have shapes {tuple(source.shape)} and {tuple(destination.shape)}; "
            "both must be (rows, width), row i of one belonging to row i of the other."
        )
    for name, rows in (("source", source), ("destination", destination)):
        if rows.dtype != torch.float64:
            raise ValueError(f"{name} embeddings are {rows.dtype}; the solve needs torch.float64.")
        if not torch.isfinite(rows).all():
            raise ValueError(f"The text encoder gave {name} embeddings that are not finite; use it in a higher precision.")
