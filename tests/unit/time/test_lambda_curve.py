"""Other values of lambda by one decomposition, against solving anew for each."""

import pytest
import torch
from time_diffedit.time_core.equations import solve
from time_diffedit.time_core.equations.lambda_curve import DECADES, POINTS_A_DECADE, curve

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
