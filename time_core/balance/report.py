"""What a search for balance found, in words and as JSON for the browser."""

from dataclasses import asdict, dataclass
from typing import Any

from .search import Probe, Search, largest_rise, out_of_reach


@dataclass(frozen=True)
class BalanceReport:
    """`probes`, at least one, in the order they were made; each is of `pictures` pictures, judged for `label`."""

    search: Search
    probes: tuple[Probe, ...]
    pictures: int
    label: str

    @property
    def best(self) -> Probe:
        return self.search.best(self.probes)

    @property
    def rise(self) -> float:
        """By how much the share rises where it should fall; 0 while that is no more than one picture."""
        rise = largest_rise(self.probes)
        return rise if rise * self.pictures > 1.5 else 0.0

    def warnings(self) -> list[str]:
        found, side = [], out_of_reach(self.search, self.probes)
        lambdas, target = [probe.lamb for probe in self.probes], f"{self.search.target:g}"
        nearest = f"the nearest is {self.best.share:.3g}, at lambda {four_digits(self.best.lamb)}"
        if side == "below":
            found.append(
                f"Not reached: all shares are below the target {target} down to lambda {four_digits(min(lambdas))} (lowest is "
                f"{self.search.lowest:g}); {nearest}. Decrease lowest, allow more probes, or let destination say it more "
                "strongly."
            )
        elif side == "above":
            found.append(
                f"Not reached: all shares are above the target {target} up to lambda {four_digits(max(lambdas))} (highest is "
                f"{self.search.highest:g}); {nearest}. Increase highest or allow more probes; if the model shows label so "
                "often without any edit, exchange label with opposite and edit towards that."
            )
        if self.rise:
            found.append(
                f"The share rises by {self.rise:.3g} somewhere between a lambda and a larger one, where it should fall, so the "
                "result is uncertain: judge more pictures, or choose a label and an opposite that are easier to tell apart."
            )
        return found

    def summary(self) -> str:
        """The result, the warnings and all probes, a line each."""
        best = self.best
        lines = [
            f"lambda {four_digits(best.lamb)}: {self._shown(best)} of {self.pictures} pictures show {self.label!r} "
            f"(share {best.share:.3g}, wanted {self.search.target:g})"
        ]
        lines += [f"Warning: {warning}" for warning in self.warnings()]
        lines += [
            f"probe {number}: lambda {four_digits(probe.lamb)}, share {probe.share:.3g}"
            for number, probe in enumerate(self.probes, start=1)
        ]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self.search),
            "label": self.label,
            "pictures": self.pictures,
            "measured": [{**asdict(probe), "shown": self._shown(probe)} for probe in self.probes],
            "best": asdict(self.best),
            "out_of_reach": out_of_reach(self.search, self.probes),
            "rise": self.rise,
        }

    def _shown(self, probe: Probe) -> int:
        return round(probe.share * self.pictures)


def four_digits(value: float) -> str:
    """A lambda as people write it: 60430 and not 6.043e+04."""
    return f"{float(f'{value:.4g}'):g}"
