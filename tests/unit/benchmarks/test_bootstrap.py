"""Means over seeds: against the closed form of a mean's spread, and for what is made of several means."""

import numpy as np
from pytest import approx

from benchmarks.report.bootstrap import over_seeds


def test_the_interval_of_a_mean_is_the_normal_one():
    values = np.random.default_rng(1).normal(0.7, 0.1, 200)
    found = over_seeds({"a": values}, lambda means: means["a"])
    half = 1.96 * values.std() / np.sqrt(200)
    assert found.mean == approx(values.mean())
    assert found.deviation == approx(values.std(ddof=1))
    assert (found.low, found.high) == (approx(values.mean() - half, abs=1e-3), approx(values.mean() + half, abs=1e-3))


def test_measures_of_one_seed_move_together():
    a = np.array([0.0, 1.0] * 10)
    found = over_seeds({"a": a, "b": 1 - a}, lambda means: means["a"] + means["b"])
    assert (found.mean, found.deviation, found.low, found.high) == (1, 0, 1, 1)


def test_a_mean_of_shares_is_taken_before_they_are_combined():
    found = over_seeds({"a": np.array([0.0, 1.0]), "b": np.array([1.0, 0.0])}, lambda m: np.sqrt(m["a"] * m["b"]))
    assert found.mean == 0.5
    assert found.low == 0


def test_one_seed_has_no_spread():
    found = over_seeds({"a": np.array([0.25])}, lambda means: means["a"])
    assert (found.mean, found.deviation, found.low, found.high) == (0.25, None, None, None)
