"""Targets: one line each, `name: value (target …) ok` or `… SHORT`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    name: str
    value: float
    bound: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        return self.value <= self.bound if self.at_most else self.value >= self.bound

    def __str__(self) -> str:
        sign = "<=" if self.at_most else ">="
        return f"{self.name}: {self.value:.4g} (target {sign} {self.bound:g}) {'ok' if self.met else 'SHORT'}"
