"""What is known of an inversion besides its states, as numbers and in words."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from .memory import in_units

HIGHEST_FAITHFUL_CFG = 2.0

FAITHFUL_RECONSTRUCTION = 0.02
"""Error of the picture that comes back, as a share of the picture's spread, up to which an inversion is good: on the toy world,
in 30 steps at cfg 1, "fixed point" reaches 0.006 and "predictor" 0.012, and "ddim" misses by 0.05."""

POOR_RECONSTRUCTION = 0.1
"""Error of the picture that comes back, as a share of the picture's spread, above which the node warns."""


@dataclass(frozen=True)
class InversionReport:
    """Of several pictures the one is told of that comes back worst, as a share of its own spread.

    Attributes:
        method: one of METHODS.
        cfg: guidance.
        model_calls: of one picture.
        sigmas: (n + 1) levels, ascending from 0.
        residuals: (n) for the step up to each level, by how much one sampling step back misses the state before (root mean
            square), measured at the state that the model was asked about last; None where the method does not measure it.
        missed: (n) or None if nothing was walked back; by how much that missed the state of each level, from the second
            noisiest down to the picture.
        spread: standard deviation of the picture, which an error is to be compared with.
        memory: bytes that the trajectory takes.
    """

    method: str
    cfg: float
    model_calls: int
    sigmas: tuple[float, ...]
    residuals: tuple[float | None, ...]
    missed: tuple[float, ...] | None
    spread: float
    memory: int

    @property
    def poor(self) -> bool:
        return self.missed is not None and self.missed[-1] > POOR_RECONSTRUCTION * self.spread

    @property
    def residual(self) -> float | None:
        """All steps' together; None if one is not measured. On the toy world sampling back misses by a third of it at most."""
        known = [residual for residual in self.residuals if residual is not None]
        return sum(known) if known and len(known) == len(self.residuals) else None

    @property
    def grade(self) -> str:
        """ "good", "doubtful" or "poor", or "" where nothing was measured. Residuals alone find nothing to be poor."""
        error = self.residual if self.missed is None else self.missed[-1]
        if error is None:
            return ""
        if self.poor:
            return "poor"
        return "good" if error <= FAITHFUL_RECONSTRUCTION * self.spread else "doubtful"

    def as_json(self) -> dict[str, Any]:
        """For the browser; a number that JSON cannot hold becomes None."""
        told = asdict(self) | {"poor": self.poor, "grade": self.grade, "residual": self.residual}
        return {name: _finite(value) for name, value in told.items()}

    def in_words(self) -> str:
        steps = len(self.sigmas) - 1
        lines = [
            f"{self.method}: {steps} step{'s' * (steps != 1)} up to sigma {self.sigmas[-1]:.4g}, "
            f"{self.model_calls} model calls a picture, cfg {self.cfg:g}.",
            f"The trajectory holds {steps + 1} states: {in_units(self.memory)} of memory.",
        ]
        residuals = {i: residual for i, residual in enumerate(self.residuals) if residual is not None}
        if residuals:
            worst = max(residuals, key=residuals.__getitem__)
            lines.append(
                f"Worst residual {residuals[worst]:.2e} at step {worst + 1} (sigma {self.sigmas[worst + 1]:.4g}): "
                "one sampling step back misses the state before by that much (root mean square), from where the model was "
                "asked last."
            )
        if self.missed is not None:
            lines.append(
                f"Sampling back under the same prompts misses the picture by {self.missed[-1]:.2e} (root mean square; the "
                f"picture's own spread is {self.spread:.2g}). By level, from the noise down: "
                + " ".join(f"{missed:.1e}" for missed in self.missed)
            )
        if self.poor:
            lines.append(
                "Warning: that is a poor inversion: sampling alone will not bring the picture back. Inside a mask this "
                "may do; else take a better method (fixed point, o-belm), more steps or a lower cfg."
            )
        if self.cfg > HIGHEST_FAITHFUL_CFG:
            lines.append(
                f"Warning: at cfg {self.cfg:g} an inversion no longer leads back to the picture; "
                f"stay at 1, or at most {HIGHEST_FAITHFUL_CFG:g}."
            )
        return "\n".join(lines)


def _finite(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
