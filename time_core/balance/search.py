"""What a search for balance looks for, and what it measures.

Between the whole edit (small lambda) and none (large lambda) the share of pictures that show the destination falls.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Probe:
    """One measurement with the edit at `lamb`: how many pictures of each prompt were made, and show the destination."""

    lamb: float
    shown: tuple[int, ...]
    made: tuple[int, ...]

    @property
    def share(self) -> float:
        """Of all its pictures, 0..1."""
        return sum(self.shown) / sum(self.made)


@dataclass(frozen=True)
class Search:
    """What is looked for, and how.

    Attributes:
        target: the wanted share, 0..1.
        lowest, highest: bounds of lambda, above 0; the search is over its logarithm.
        probes: how many measurements there may be.
        tolerance: the search ends when the share is known to within this much of the target; 0: all measurements are made.

    Raises:
        ValueError: a setting out of its range.
    """

    target: float = 0.5
    lowest: float = 0.1
    highest: float = 1e6
    probes: int = 16
    tolerance: float = 0.0

    def __post_init__(self):
        if not 0 <= self.target <= 1:
            raise ValueError(f"target is {self.target:g}; it is a share of pictures, from 0 to 1.")
        if not 0 < self.lowest < self.highest or math.isclose(self.lowest, self.highest):  # their logarithms must differ, too
            raise ValueError(
                f"lowest is {self.lowest:g} and highest is {self.highest:g}; lambda is searched between them, so lowest must "
                "be above 0 and below highest."
            )
        if self.probes < 1:
            raise ValueError(f"probes is {self.probes}; at least one measurement is needed.")

    def halfway(self, done: Sequence[Probe]) -> float:
        """The middle, on the logarithm, of what bisection leaves after these measurements."""
        low, high = math.log(self.lowest), math.log(self.highest)
        for probe in done:
            if probe.share > self.target:
                low = max(low, math.log(probe.lamb))
            else:
                high = min(high, math.log(probe.lamb))
        return math.exp((low + high) / 2)

    def nearest(self, done: Sequence[Probe]) -> Probe:
        """The measurement whose share is nearest to the target; of equals that of the larger lambda, which disturbs less."""
        return min(done, key=lambda probe: (abs(probe.share - self.target), -probe.lamb))

    def out_of_reach(self, done: Sequence[Probe]) -> str | None:
        """On which side of the target all probes lie, "below" or "above"; None if one meets it or it lies between two of them.

        From "below" only a lambda under `lowest` could help, from "above" only one over `highest`, if any does.
        """
        sides = {probe.share > self.target for probe in done}
        if len(sides) != 1 or any(probe.share == self.target for probe in done):
            return None
        return "above" if sides == {True} else "below"


def largest_rise(done: Sequence[Probe]) -> float:
    """By how much the share grows, at most, from a probe to one of a larger lambda; 0 if it only falls, as it should."""
    shares = [probe.share for probe in sorted(done, key=lambda probe: probe.lamb)]
    return max([0.0, *(later - share for i, share in enumerate(shares) for later in shares[i + 1 :])])
