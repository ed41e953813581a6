"""Other values of lambda by one decomposition, against solving anew for each."""

import math
from dataclasses import replace

import pytest
import torch
from time_diffedit.time_core.equations import solve
from time_diffedit.time_core.equations.lambda_curve import DECADES, FIT, HIGHEST_LAMBDA, POINTS_A_DECADE, curve, suggested
from time_diffedit.time_core.equations.verdict import REMEDIES, verdict

EMBEDDING_LENGTH = 28.0
WIDTH = 64


def rows(n: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    own, common = (torch.randn(m, WIDTH, generator=generator, dtype=torch.float64) for m in (n, 1))
    return EMBEDDING_LENGTH * torch.nn.functional.normalize(own + common, dim=1)


def system(n: int) -> solve.System:
    """Rows of which some stay, one pair of weight 3, and the first row many times."""
    source, destination = rows(n, 0), rows(n, 1)
    destination[: n // 4] = source[: n // 4]
    equations = solve.System(WIDTH)
    equations.add(source[: n // 2], destination[: n // 2], 3.0)
    equations.add(source[n // 2 :], destination[n // 2 :])
    equations.add(source[-1:].expand(5, -1), destination[-1:].expand(5, -1))
    return equations


@pytest.mark.parametrize("n", [20, 150], ids=["rows", "sums"])
@pytest.mark.parametrize("unit", [1.0, 784.0])
def test_every_point_is_what_a_solve_gives(n, unit):
    equations, empty = system(n), rows(7, 2)
    spectrum = equations.spectrum(empty)
    points = curve(spectrum, 0.1, unit)
    assert len(points) == 2 * DECADES * POINTS_A_DECADE + 1
    for point in points:
        left, right = equations.solve(point.lamb * unit)
        assert point.fit_residual == pytest.approx(equations.fit_residual(left, right), rel=1e-6, abs=1e-9)
        assert point.empty_leak == pytest.approx(solve.leak(empty, left, right), rel=1e-6)
        assert point.edit_size == pytest.approx(solve.edit_size(left, right), rel=1e-6)
        assert spectrum.condition(point.lamb * unit) == pytest.approx(equations.condition(point.lamb * unit), rel=1e-6)


def test_the_curve_runs_around_the_chosen_lambda():
    lambdas = [point.lamb for point in curve(system(20).spectrum(rows(7, 2)), 0.3)]
    assert lambdas == sorted(lambdas) and lambdas[len(lambdas) // 2] == 0.3
    assert lambdas[-1] / lambdas[0] == pytest.approx(10 ** (2 * DECADES))


def test_points_that_float64_cannot_tell_are_left_out():
    """One huge direction and little else: only the larger lambdas are large enough."""
    source = torch.zeros(3, WIDTH, dtype=torch.float64)
    source[:, 0] = 1e4
    equations = solve.System(WIDTH)
    equations.add(source + rows(3, 0) * 1e-3, source * 2)
    kept = curve(equations.spectrum(rows(2, 1)), 0.1)
    assert 0 < len(kept) < 2 * DECADES * POINTS_A_DECADE + 1 and kept[-1].lamb == pytest.approx(100)


def test_wide_systems_have_none():
    wide = torch.eye(2000, dtype=torch.float64)[:800]
    equations = solve.System(2000)
    equations.add(wide, 2 * wide)
    assert equations.spectrum(wide[:2]) is None


@pytest.mark.parametrize("n", [20, 150], ids=["rows", "sums"])
@pytest.mark.parametrize("unit", [1.0, 784.0])
def test_the_suggested_lambda_is_the_largest_in_two_digits_that_fits(n, unit):
    equations = system(n)
    found = suggested(equations.spectrum(rows(7, 2)), unit)
    if found is None:  # what the rows share, and those of 150 that the 64 directions cannot all have, is missed at any lambda
        assert equations.fit_residual(*equations.solve(1e-6 * unit)) > FIT
        return
    digit = 10 ** (math.floor(math.log10(found.lamb)) - 1)
    assert found.lamb == pytest.approx(round(found.lamb / digit) * digit)
    assert equations.fit_residual(*equations.solve(found.lamb * unit)) == pytest.approx(found.fit_residual, rel=1e-6)
    assert found.fit_residual <= FIT < equations.fit_residual(*equations.solve((found.lamb + 1.01 * digit) * unit))


def test_a_unit_divides_the_suggested_lambda():
    spectrum = system(20).spectrum(rows(7, 2))
    plain, relative = suggested(spectrum), suggested(spectrum, 10.0)
    assert relative.lamb == pytest.approx(plain.lamb / 10) and relative.empty_leak == pytest.approx(plain.empty_leak)


def test_no_lambda_is_suggested_where_none_fits():
    """One row twice, with two things to become: half of the change is missed whatever lambda is."""
    row, there = rows(1, 0), rows(2, 1)
    equations = solve.System(WIDTH)
    equations.add(row.expand(2, -1), there)
    assert suggested(equations.spectrum(rows(7, 2))) is None


def test_what_always_fits_gets_the_highest():
    equations = solve.System(WIDTH)
    equations.add(1e6 * rows(2, 0), 1e6 * rows(2, 1))
    assert suggested(equations.spectrum(rows(7, 2))).lamb == HIGHEST_LAMBDA


@pytest.mark.parametrize(
    ("fit", "leak", "lamb", "problem"),
    [
        (0.09, 0.24, 10.0, ""),
        (0.26, 0.1, 100.0, "partial"),
        (0.01, 0.31, 0.1, "spilling"),
        (0.11, 0.31, 12.5, "entangled"),
        (0.4, 0.5, 100.0, "entangled"),
    ],
)
def test_what_a_person_is_told(fit, leak, lamb, problem):
    point = suggested(system(20).spectrum(rows(7, 2)))
    found = verdict(fit, leak, lamb, replace(point, lamb=12.0))
    assert (found.takes, found.spills) == (round(100 - 100 * fit), round(100 * leak))
    assert found.problem == problem and (not problem or problem in REMEDIES)
    assert verdict(0.01, 0.31, 0.1, None).problem == "spilling" and verdict(0.11, 0.31, 0.1, None).problem == "entangled"
    assert verdict(1.2, 2.0, 0.1, None).takes == 0
    curve = [replace(point, fit_residual=fit) for fit in (0.4, 0.6)]
    assert verdict(0.5, 0.1, 1.0, None, curve).problem == "bound" and verdict(0.5, 0.1, 1.0, point, curve).problem == "partial"
    assert verdict(0.5, 0.1, 1.0, None, [replace(point, fit_residual=0.2), *curve]).problem == "partial"
    grades = {(0.1, 0.2): "good", (0.3, 0.2): "doubtful", (0.1, 0.4): "doubtful", (0.51, 0.2): "poor", (0.1, 0.51): "poor"}
    assert {numbers: verdict(*numbers, 1.0, None).grade for numbers in grades} == grades
