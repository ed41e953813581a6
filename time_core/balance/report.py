"""What a search for balance found, in words and as JSON for the browser."""

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any

from .curve import Found, read_off
from .search import Probe, Search, largest_rise

CHANCE = 0.025  # that the largest rise is counted, though the share falls


@dataclass(frozen=True)
class BalanceReport:
    """`probes`, at least one, in the order they were made, all at `strength`; their pictures were judged for `label`.

    `prompts`: how many there are; each probe has pictures of as many of them as it has pictures.
    """

    search: Search
    probes: tuple[Probe, ...]
    label: str
    strength: float = 1.0
    prompts: int = 1

    @cached_property
    def found(self) -> Found:
        return read_off(self.search, self.probes)

    @property
    def pictures(self) -> int:
        return sum(sum(probe.made) for probe in self.probes)

    @property
    def rise(self) -> float:
        """By how much the share rises where it should fall; 0 while chance explains it."""
        rise, fewest = largest_rise(self.probes), min(sum(probe.made) for probe in self.probes)
        compared = max(1, math.comb(len(self.probes), 2))  # pairs of probes, any of which may rise by chance
        return rise if rise > NormalDist().inv_cdf(1 - CHANCE / compared) * (0.5 / fewest) ** 0.5 else 0.0

    def warnings(self) -> list[str]:
        notes, side = [], self.search.out_of_reach(self.probes)
        lambdas, target = [probe.lamb for probe in self.probes], f"{self.search.target:g}"
        best = self.search.nearest(self.probes)
        nearest = f"the nearest is {best.share:.3g}, at lambda {four_digits(best.lamb)}"
        if side == "below":
            notes.append(
                f"Not reached: all shares are below the target {target} down to lambda {four_digits(min(lambdas))} (lowest is "
                f"{self.search.lowest:g}); {nearest}. Raise strength (now {self.strength:g}), decrease lowest, allow more "
                "probes, or let destination say it more strongly."
            )
        elif side == "above":
            notes.append(
                f"Not reached: all shares are above the target {target} up to lambda {four_digits(max(lambdas))} (highest is "
                f"{self.search.highest:g}); {nearest}. Increase highest or allow more probes; if the model shows label so "
                "often without any edit, exchange label with opposite and edit towards that."
            )
        if self.prompts > (pictured := len(self.probes[0].made)):
            notes.append(
                f"Of {self.prompts} prompts only the first {pictured} are pictured; set pictures to {self.prompts} or more."
            )
        if self.rise:
            notes.append(
                f"The share rises by {self.rise:.3g} somewhere between a lambda and a larger one, where it should fall, so the "
                "result is uncertain: judge more pictures, or choose a label and an opposite that are easier to tell apart."
            )
        return notes

    def summary(self) -> str:
        """The result, the warnings and all probes, a line each."""
        found, at_strength = self.found, "" if self.strength == 1 else f", strength {self.strength:g}"
        lines = [
            f"lambda {four_digits(found.lamb)}{at_strength}: {100 * found.share:.0f} ± {100 * found.margin:.0f} % of the "
            f"pictures show {self.label!r}, by the curve through {self.pictures} (wanted {100 * self.search.target:g} %)"
        ]
        lines += [f"Warning: {warning}" for warning in self.warnings()]
        lines += [
            f"probe {number}: lambda {four_digits(probe.lamb)}, {sum(probe.shown)} of {sum(probe.made)} pictures"
            for number, probe in enumerate(self.probes, start=1)
        ]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self.search),
            "label": self.label,
            "strength": self.strength,
            "pictures": self.pictures,
            "measured": [
                {"lamb": probe.lamb, "share": probe.share, "shown": sum(probe.shown), "pictures": sum(probe.made)}
                for probe in self.probes
            ],
            "found": asdict(self.found),
            "out_of_reach": self.search.out_of_reach(self.probes),
            "rise": self.rise,
        }


def four_digits(value: float) -> str:
    """A lambda as people write it: 60430 and not 6.043e+04."""
    return f"{float(f'{value:.4g}'):g}"
