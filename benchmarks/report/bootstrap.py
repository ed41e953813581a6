"""Means over seeds with bootstrap intervals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """`mean`, standard deviation over the seeds, and the ends of the interval; the last three are None for a single seed."""

    mean: float
    deviation: float | None
    low: float | None
    high: float | None


def over_seeds(
    values: Mapping[str, np.ndarray], combine: Callable[[Mapping[str, np.ndarray]], np.ndarray], level: float = LEVEL
) -> Estimate:
    """What `combine` makes of means over the seeds, and how far it would move with other seeds.

    Args:
        values: by name, (seeds,) one value a seed.
        combine: elementwise, from means by name to the number that is asked for.

    Percentile bootstrap: seeds are drawn with replacement, the same draw for all names, as a picture's seed is shared by all.
    """
    mean = float(combine({name: seeds.mean(keepdims=True) for name, seeds in values.items()})[0])
    count = len(next(iter(values.values())))
    if count == 1:
        return Estimate(mean, None, None, None)
    draws = np.random.default_rng(0).integers(count, size=(RESAMPLES, count))
    resampled = combine({name: seeds[draws].mean(1) for name, seeds in values.items()})
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(mean, float(combine(values).std(ddof=1)), float(low), float(high))


def estimate(values: Sequence[float]) -> Estimate:
    """Of one mean; `values` of a seed, a picture or a caption each."""
    return over_seeds({"": np.array(values, float)}, lambda means: means[""])
