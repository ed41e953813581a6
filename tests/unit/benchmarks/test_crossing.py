"""The lambda read off curves: exact data, noisy data, prompts that differ, jumps, and data from which nothing can be read."""

import math

import numpy as np
import pytest

from benchmarks.measurements.crossing import fitted_lambda
from time_core.balance.search import Probe, Search

SEARCH = Search(lowest=0.1, highest=1e6)


def share(lamb: float, middles, slope: float) -> np.ndarray:
    return 1 / (1 + np.exp(slope * (math.log(lamb) - np.log(middles))))


def searched(rng: np.random.Generator, middles, slope: float, pictures: int) -> tuple[list[Probe], np.ndarray]:
    """The probes of a bisection with `pictures` a prompt, and their shares by prompt."""
    probes, shares = [], []
    while (lamb := SEARCH.next_lambda(probes)) is not None:
        shares.append(rng.binomial(pictures, share(lamb, middles, slope)) / pictures)
        probes.append(Probe(lamb, shares[-1].mean()))
    return probes, np.array(shares)


def column(*shares: float) -> np.ndarray:
    return np.array(shares)[:, None]


@pytest.mark.parametrize("target", [0.2, 0.5, 0.9])
def test_a_logistic_share_is_read_back(target):
    search, lambdas = Search(target=target, lowest=0.1, highest=1e6), (1, 30, 200, 500, 4000)
    found = fitted_lambda(search, lambdas, column(*(share(lamb, 300, 2) for lamb in lambdas)), 10_000)
    assert share(found, 300, 2) == pytest.approx(target, abs=2e-3)


@pytest.mark.parametrize("target", [0.2, 0.5, 0.9])
def test_prompts_with_curves_of_their_own_are_read_back(target):
    search, lambdas, middles = Search(target=target, lowest=0.1, highest=1e6), (30, 100, 200, 500, 4000), [100, 290, 310, 900]
    shares = np.array([share(lamb, middles, 4) for lamb in lambdas])
    found = fitted_lambda(search, lambdas, shares, 10_000)
    assert share(found, middles, 4).mean() == pytest.approx(target, abs=2e-3)


@pytest.mark.parametrize(("middles", "slope"), [([300], 2), ([100, 300, 320, 2000], 5)])
def test_all_pictures_count_and_not_only_those_of_the_last_probe(middles, slope):
    rng, by_fit, by_best = np.random.default_rng(1), [], []
    for _ in range(200):
        probes, shares = searched(rng, middles, slope, 40 // len(middles))
        lambdas = [probe.lamb for probe in probes]
        found = fitted_lambda(SEARCH, lambdas, shares, 40 // len(middles))
        by_fit.append(abs(share(found, middles, slope).mean() - 0.5))
        by_best.append(abs(share(SEARCH.best(probes).lamb, middles, slope).mean() - 0.5))
    assert np.mean(by_fit) < 0.75 * np.mean(by_best)
    assert np.mean(by_fit) < 0.04


def test_steps_of_the_mean_are_followed_better_than_by_one_curve():
    middles, slope, by_prompt, by_mean = [100, 900, 1000, 1100], 8, [], []
    for seed in range(40):
        probes, shares = searched(np.random.default_rng(seed), middles, slope, 20)
        lambdas = [probe.lamb for probe in probes]
        for errors, measured, pictures in ((by_prompt, shares, 20), (by_mean, shares.mean(1, keepdims=True), 80)):
            errors.append(abs(share(fitted_lambda(SEARCH, lambdas, measured, pictures), middles, slope).mean() - 0.5))
    assert np.mean(by_prompt) < 0.04
    assert np.mean(by_mean) > 2 * np.mean(by_prompt)


def test_a_jump_is_found_between_its_sides():
    assert 100 < fitted_lambda(SEARCH, (100, 1000), column(1.0, 0.0), 20) < 1000


def test_out_of_reach_is_a_bound():
    assert fitted_lambda(SEARCH, (1, 0.11), column(0.0, 0.0), 50) == pytest.approx(0.1, rel=0.5)
    assert fitted_lambda(SEARCH, (9e5, 1000), column(1.0, 1.0), 50) == pytest.approx(1e6, rel=0.5)


def test_shares_that_rise_give_the_best_measurement():
    assert fitted_lambda(SEARCH, (10, 100, 1000), column(0.1, 0.45, 0.9), 1000) == 100
