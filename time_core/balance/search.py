"""Find the lambda at which an edit is held in balance: a wanted share of pictures shows what the edit asks for.

Between the whole edit (small lambda) and none (large lambda) the share falls, so bisection finds it. The TIME paper corrects
gender assumptions in this way, with a lambda of its own for each profession; the search itself is ours.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Probe:
    """One measurement: `share`, 0..1, of the pictures that show the destination with the edit at `lamb`."""

    lamb: float
    share: float


@dataclass(frozen=True)
class Search:
    """What is looked for, and how.

    Attributes:
        target: the wanted share, 0..1.
        lowest, highest: bounds of lambda, above 0; the search is over its logarithm.
        probes: how many measurements there may be.
        tolerance: a share this near to the target ends the search; None: all measurements are made.

    Raises:
        ValueError: a setting out of its range.
    """

    target: float = 0.5
    lowest: float = 0.1
    highest: float = 1e6
    probes: int = 10
    tolerance: float | None = 0.0

    def __post_init__(self):
        if not 0 <= self.target <= 1:
            raise ValueError(f"target is {self.target:g}; it is a share of pictures, from 0 to 1.")
        if not 0 < self.lowest < self.highest:
            raise ValueError(
                f"lowest is {self.lowest:g} and highest is {self.highest:g}; lambda is searched between them, so lowest must "
                "be above 0 and below highest."
            )
        if self.probes < 1:
            raise ValueError(f"probes is {self.probes}; at least one measurement is needed.")

    def next_lambda(self, done: Sequence[Probe]) -> float | None:
        """Where to measure next, or None at the end. A function of the measurements alone, in the order they were made."""
        if len(done) >= self.probes or (self.tolerance is not None and any(map(self.is_met, done))):
            return None
        low, high = math.log(self.lowest), math.log(self.highest)
        for probe in done:
            if probe.share > self.target:
                low = max(low, math.log(probe.lamb))
            else:
                high = min(high, math.log(probe.lamb))
        return math.exp((low + high) / 2)

    def best(self, done: Sequence[Probe]) -> Probe:
        """The measurement nearest to the target; of equals the one with the larger lambda, which disturbs less."""
        return min(done, key=lambda probe: (abs(probe.share - self.target), -probe.lamb))

    def is_met(self, probe: Probe) -> bool:
        """Whether the share is within the tolerance, or as near as floating point lets equal shares be."""
        return abs(probe.share - self.target) <= max(self.tolerance or 0.0, 1e-9)


def balance(
    measure: Callable[[float], float], search: Search, on_probe: Callable[[tuple[Probe, ...]], None] = lambda done: None
) -> tuple[Probe, ...]:
    """All probes of a search, in the order they were made; `search.best` finds the one to keep.

    Args:
        measure: lambda to share.
        on_probe: called with the probes so far after each of them.
    """
    done: tuple[Probe, ...] = ()
    while (lamb := search.next_lambda(done)) is not None:
        done += (Probe(lamb, measure(lamb)),)
        on_probe(done)
    return done


def out_of_reach(search: Search, done: Sequence[Probe]) -> str | None:
    """On which side of the target all probes lie, "below" or "above"; None if it was met or lies between two of them.

    From "below" only a lambda under `lowest` could help, from "above" only one over `highest`, if any does.
    """
    if any(search.is_met(probe) for probe in done):
        return None
    above = {probe.share > search.target for probe in done}
    return None if len(above) > 1 else ("above" if above == {True} else "below")


def largest_rise(done: Sequence[Probe]) -> float:
    """By how much the share grows, at most, from a probe to one of a larger lambda; 0 if it only falls, as it should."""
    shares = [probe.share for probe in sorted(done, key=lambda probe: probe.lamb)]
    return max([0.0, *(later - share for i, share in enumerate(shares) for later in shares[i + 1 :])])
