"""The lambda read off a curve: exact data, noisy data, jumps, and data from which nothing can be read."""

import math

import numpy as np
import pytest

from time_core.balance import Probe, Search
from time_core.logistic import fitted_lambda

SEARCH = Search(lowest=0.1, highest=1e6)


def share(lamb: float, middle: float, slope: float) -> float:
    return 1 / (1 + math.exp(slope * (math.log(lamb) - math.log(middle))))


@pytest.mark.parametrize("target", [0.2, 0.5, 0.9])
def test_a_logistic_share_is_read_back(target):
    search = Search(target=target, lowest=0.1, highest=1e6)
    probes = [Probe(lamb, share(lamb, 300, 2)) for lamb in (1, 30, 200, 500, 4000)]
    found = fitted_lambda(search, probes, 10_000)
    assert share(found, 300, 2) == pytest.approx(target, abs=2e-3)


def test_all_pictures_count_and_not_only_those_of_the_last_probe():
    rng, by_fit, by_best = np.random.default_rng(1), [], []
    for _ in range(200):
        probes: list[Probe] = []
        while (lamb := SEARCH.next_lambda(probes)) is not None:
            probes.append(Probe(lamb, rng.binomial(40, share(lamb, 300, 2)) / 40))
        by_fit.append(abs(share(fitted_lambda(SEARCH, probes, 40), 300, 2) - 0.5))
        by_best.append(abs(share(SEARCH.best(probes).lamb, 300, 2) - 0.5))
    assert np.mean(by_fit) < 0.75 * np.mean(by_best)
    assert np.mean(by_fit) < 0.04


def test_a_jump_is_found_between_its_sides():
    assert 100 < fitted_lambda(SEARCH, [Probe(100, 1.0), Probe(1000, 0.0)], 20) < 1000


def test_out_of_reach_is_a_bound():
    assert fitted_lambda(SEARCH, [Probe(1, 0.0), Probe(0.11, 0.0)], 50) == pytest.approx(0.1, rel=0.5)
    assert fitted_lambda(SEARCH, [Probe(9e5, 1.0), Probe(1000, 1.0)], 50) == pytest.approx(1e6, rel=0.5)


def test_shares_that_rise_give_the_best_measurement():
    probes = [Probe(10, 0.1), Probe(100, 0.45), Probe(1000, 0.9)]
    assert fitted_lambda(SEARCH, probes, 1000) == 100
