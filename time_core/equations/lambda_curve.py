"""What an edit would be with another lambda, without solving anew.

With the eigenvalues v and eigenvectors Q of C^T C (or of C C^T, whichever `solve.System` has), the edit for every lambda is
a sum over the eigenvectors weighted by d = 1 / (v + lambda), and so each diagnostic is a quadratic form in d.
"""

import math
from dataclasses import dataclass

import torch

from .costs import Costs

WIDEST = 768
"""The largest system whose eigenvectors are found beside the solve; their time grows with the cube."""

DECADES = 3  # to each side of the lambda that is used
POINTS_A_DECADE = 2

WORST_CONDITION = 1e10
"""Beyond it the solution itself is no longer known to the six digits that a point promises."""

FIT = 0.10
"""The fit residual up to which an edit does all it should: on the natural world lambda 10 left .09 and had its full effect, and
lambda 100 left .14 and lost an eighth of it."""

LOWEST_LAMBDA, HIGHEST_LAMBDA = 1e-6, 1e6  # that the nodes take, and that is suggested
HALVINGS = 40


@dataclass(frozen=True)
class Point:
    """What `time_edit.Diagnostics` would say of the same edit with this `lamb`, which is in the units of Settings.lamb."""

    lamb: float
    fit_residual: float
    empty_leak: float
    edit_size: float


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The diagnostics as functions of lambda; d is 1 / (values + lambda).

    Attributes:
        values: (k,) the eigenvalues, ascending.
        size: (k, k); |P|^2 is d^T size d.
        leak: (k, k); the sum of |P c|^2 over the rows of the empty prompt is d^T leak d.
        missing: (k, k) and `reached` (k,) or None; what is missing on the rows that change, squared and summed, is
            lambda^2 d^T missing d, or with `reached` d^T missing d - 2 reached d + wanted.
        wanted: the sum of |c* - c|^2.
        length: the sum of |c|^2 over the rows of the empty prompt.
        width: of a row.
    """

    values: torch.Tensor
    size: torch.Tensor
    leak: torch.Tensor
    missing: torch.Tensor
    reached: torch.Tensor | None
    wanted: float
    length: float
    width: int

    def at(self, lamb: float, unit: float = 1.0) -> Point:
        """The point of this `lamb`; `unit` is what one of it is worth in squared row lengths."""
        ridge = lamb * unit
        d = 1 / (self.values + ridge)
        if self.reached is None:
            missing = ridge**2 * (d @ self.missing @ d)
        else:
            missing = d @ self.missing @ d - 2 * (self.reached @ d) + self.wanted
        return Point(
            lamb,
            _root(missing / self.wanted),
            _root(d @ self.leak @ d / self.length),
            _root(d @ self.size @ d / self.width),
        )

    def lowest(self) -> float:
        """The smallest ridge at which `condition` is no worse than WORST_CONDITION."""
        smallest, largest = self.values[0].clamp(min=0).item(), self.values[-1].item()
        return max((largest - WORST_CONDITION * smallest) / (WORST_CONDITION - 1), 0.0)

    def condition(self, ridge: float) -> float:
        return ((self.values[-1] + ridge) / (self.values[0].clamp(min=0) + ridge)).item()


def spectrum_of_rows(source: torch.Tensor, change: torch.Tensor, empty: torch.Tensor, costs: Costs | None = None) -> Spectrum:
    """From the rows themselves, (n, d): P = change^T Q diag(d) Q^T source, with `costs` change^T Q diag(d) Q^T source T T^T."""
    seen = source if costs is None else costs.seen(source)
    values, vectors = torch.linalg.eigh(seen @ seen.T)
    moving = change.any(dim=1)
    half = vectors.T[:, moving] @ change[moving]
    gram = half @ half.T
    reach = vectors.T @ (source if costs is None else costs.back(seen.T).T)
    over_empty = reach @ empty.T
    return Spectrum(
        values=values,
        size=gram * (torch.diag(values.clamp(min=0)) if costs is None else reach @ reach.T),
        leak=gram * (over_empty @ over_empty.T),
        missing=gram * (vectors.T[:, moving] @ vectors[moving]),
        reached=None,
        wanted=change.square().sum().item(),
        length=empty.square().sum().item(),
        width=source.shape[1],
    )


def spectrum_of_sums(
    everything: torch.Tensor,
    moving: torch.Tensor,
    cross: torch.Tensor,
    wanted: float,
    empty: torch.Tensor,
    costs: Costs | None = None,
) -> Spectrum:
    """From the sums that `solve.System` keeps, (d, d) each: P = cross Q diag(d) Q^T, with `costs` cross T Q diag(d) Q^T T^T."""
    if costs is not None:
        everything, moving, cross = costs.seen_sum(everything), costs.seen_sum(moving), costs.seen(cross)
    values, vectors = torch.linalg.eigh(everything)
    half = cross @ vectors
    gram = half.T @ half
    reach = vectors if costs is None else costs.back(vectors)
    over_empty = reach.T @ empty.T
    return Spectrum(
        values=values,
        size=gram * (torch.eye(len(values), dtype=gram.dtype) if costs is None else reach.T @ reach),
        leak=gram * (over_empty @ over_empty.T),
        missing=gram * (vectors.T @ moving @ vectors),
        reached=gram.diagonal(),
        wanted=wanted,
        length=empty.square().sum().item(),
        width=len(everything),
    )


def curve(spectrum: Spectrum, lamb: float, unit: float = 1.0) -> tuple[Point, ...]:
    """Points around `lamb`, ascending and with it among them; those that float64 cannot tell are left out."""
    steps = range(-DECADES * POINTS_A_DECADE, DECADES * POINTS_A_DECADE + 1)
    lambdas = [lamb * 10 ** (step / POINTS_A_DECADE) if step else lamb for step in steps]
    return tuple(spectrum.at(value, unit) for value in lambdas if spectrum.condition(value * unit) <= WORST_CONDITION)


def suggested(spectrum: Spectrum, unit: float = 1.0) -> Point | None:
    """The largest lambda, in two digits, that leaves a fit residual of at most FIT; None if none does.

    A larger lambda disturbs other prompts less, so this is as gentle as an edit can be that is still whole.
    """
    low, high = math.log(max(LOWEST_LAMBDA, spectrum.lowest() / unit)), math.log(HIGHEST_LAMBDA)
    if low >= high or spectrum.at(math.exp(low), unit).fit_residual > FIT:
        return None
    if spectrum.at(HIGHEST_LAMBDA, unit).fit_residual <= FIT:
        return spectrum.at(HIGHEST_LAMBDA, unit)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        fits = spectrum.at(math.exp(middle), unit).fit_residual <= FIT
        low, high = (middle, high) if fits else (low, middle)
    found = math.exp(low)
    digit = 10.0 ** (math.floor(math.log10(found)) - 1)
    return spectrum.at(float(f"{math.floor(found / digit) * digit:.2g}"), unit)


def _root(value: torch.Tensor) -> float:
    return value.clamp(min=0).sqrt().item()
