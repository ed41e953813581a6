"""The closed form, in float64, against the paper's own formula solved independently."""

import math

import pytest
import torch
from time_diffedit.time_core.equations import solve

EMBEDDING_LENGTH = 28.0  # of CLIP's rows


def rows(n: int, d: int, seed: int) -> torch.Tensor:
    """Rows as long as CLIP's that share a common direction, as its padding does."""
    generator = torch.Generator().manual_seed(seed)
    own, common = (torch.randn(m, d, generator=generator, dtype=torch.float64) for m in (n, 1))
    return EMBEDDING_LENGTH * torch.nn.functional.normalize(own + common, dim=1)


def weight(d: int, out: int = 16) -> torch.Tensor:
    return torch.randn(out, d, generator=torch.Generator().manual_seed(99), dtype=torch.float64) / math.sqrt(d)


def published(w: torch.Tensor, source: torch.Tensor, destination: torch.Tensor, lamb: float) -> torch.Tensor:
    """W' = (lambda W + sum v* c^T) (lambda I + sum c c^T)^-1, equation 5, with v* = W c*."""
    values = destination @ w.T
    numerator = lamb * w + values.T @ source
    denominator = lamb * torch.eye(source.shape[1], dtype=torch.float64) + source.T @ source
    return torch.linalg.solve(denominator, numerator, left=False)


def loss(new: torch.Tensor, w: torch.Tensor, source: torch.Tensor, destination: torch.Tensor, lamb: float) -> torch.Tensor:
    return (source @ new.T - destination @ w.T).square().sum() + lamb * (new - w).square().sum()


def system(source: torch.Tensor, destination: torch.Tensor, weight: float = 1.0) -> solve.System:
    equations = solve.System(source.shape[1])
    equations.add(source, destination, weight)
    return equations


def relative(value: torch.Tensor, reference: torch.Tensor) -> float:
    return ((value - reference).norm() / reference.norm()).item()


@pytest.mark.parametrize("lamb", [0.1, 10.0, 1000.0])
@pytest.mark.parametrize(
    ("width", "n"),
    [
        (768, 308),
        (768, 768),
        (768, 924),
        (1024, 308),
        (1024, 1100),
        (2048, 154),
        pytest.param(2048, 2100, marks=pytest.mark.slow),
    ],
)
def test_equals_the_published_formula(width, n, lamb):
    """SD 1.x, SD 2.x and SDXL widths; the system is solved n x n while n < width, else width x width."""
    source, destination, w = rows(n, width, 0), rows(n, width, 1), weight(width)
    source[:5] = destination[:5]  # preserved rows
    p = solve.right_factor(source, destination, lamb)
    change = published(w, source, destination, lamb) - w
    assert relative(w @ p, change) <= 1e-9


def test_both_systems_give_the_same_edit():
    """One row more or less of no weight crosses from the n x n to the d x d system."""
    source, destination = rows(63, 64, 0), rows(63, 64, 1)
    nothing = torch.zeros(1, 64, dtype=torch.float64)
    dual = solve.right_factor(source, destination, 0.1)
    primal = solve.right_factor(torch.cat([source, nothing]), torch.cat([destination, nothing]), 0.1)
    assert relative(primal, dual) <= 1e-9


def test_is_the_optimum():
    source, destination, w, lamb = rows(40, 64, 0), rows(40, 64, 1), weight(64), 0.1
    new = (w + w @ solve.right_factor(source, destination, lamb)).requires_grad_()
    best = loss(new, w, source, destination, lamb)
    best.backward()
    # The gradient is a difference of terms of this size.
    assert new.grad.norm() <= 1e-9 * 2 * (source.T @ source @ new.detach().T).norm()
    generator = torch.Generator().manual_seed(5)
    for scale in (1e-3, 1e-2, 1.0):
        for _ in range(10):
            step = scale * torch.randn(new.shape, generator=generator, dtype=torch.float64)
            assert loss(new + step, w, source, destination, lamb) > best


def test_limits_of_lambda():
    source, destination = rows(40, 64, 0), rows(40, 64, 1)
    left, right = solve.edit_factors(source, destination, 1e-6)
    assert solve.fit_residual(source, destination, left, right) <= 1e-6
    assert relative(source + solve.apply(source, left, right), destination) <= 1e-6

    lamb = 1e12
    first_order = (destination - source).T @ source
    assert relative(lamb * solve.right_factor(source, destination, lamb), first_order) <= 1e-6
    left, right = solve.edit_factors(source, destination, lamb)
    assert solve.fit_residual(source, destination, left, right) == pytest.approx(1.0, abs=1e-6)


def test_a_larger_lambda_is_a_weaker_edit():
    source, destination = rows(40, 64, 0), rows(40, 64, 1)
    lambdas = [0.01, 0.1, 1.0, 10.0, 100.0, 1000.0]
    edits = [solve.edit_factors(source, destination, lamb) for lamb in lambdas]
    residuals = [solve.fit_residual(source, destination, *edit) for edit in edits]
    sizes = [solve.edit_size(*edit) for edit in edits]
    assert residuals == sorted(residuals)
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("n", [20, 100])
def test_duplicates_weigh_twice(n):
    """A pair given twice is the pair given once at half the lambda."""
    source, destination = rows(n, 64, 0), rows(n, 64, 1)
    twice = solve.right_factor(source.repeat(2, 1), destination.repeat(2, 1), 0.2)
    assert relative(twice, solve.right_factor(source, destination, 0.1)) <= 1e-9


def test_preserved_rows_stay():
    source, destination, kept = rows(20, 64, 0), rows(20, 64, 1), rows(10, 64, 2)
    free = solve.edit_factors(source, destination, 0.1)
    held = solve.edit_factors(torch.cat([source, kept]), torch.cat([destination, kept]), 0.1)
    assert solve.leak(kept, *free) > 0.1
    assert solve.leak(kept, *held) < 1e-3
    assert held[0].shape == (64, 20)  # a preserved row adds no rank
    assert solve.right_factor(kept, kept, 0.1).count_nonzero() == 0


def test_a_single_row_by_hand():
    source = torch.tensor([[2.0, 0.0, 0.0]], dtype=torch.float64)
    destination = torch.tensor([[2.0, 5.0, 0.0]], dtype=torch.float64)
    expected = torch.zeros(3, 3, dtype=torch.float64)
    expected[1, 0] = 5.0 * 2.0 / (1.0 + 4.0)
    assert torch.allclose(solve.right_factor(source, destination, 1.0), expected, rtol=0, atol=1e-15)
    left, right = solve.low_rank(*solve.edit_factors(source, destination, 1.0))
    assert left.shape == right.shape == (3, 1)
    assert solve.edit_size(left, right) == pytest.approx(2.0 / math.sqrt(3))
    assert solve.fit_residual(source, destination, left, right) == pytest.approx(1.0 / 5.0)
    assert solve.leak(source, left, right) == pytest.approx(2.0)


@pytest.mark.parametrize("n", [308, 924])
def test_float32_factors(n):
    """What the model gets: thin factors rounded to float32."""
    source, destination = rows(n, 768, 0), rows(n, 768, 1)
    destination[:25] = source[:25]
    p = solve.right_factor(source, destination, 0.1)
    left, right = solve.low_rank(*solve.edit_factors(source, destination, 0.1))
    assert left.shape[1] == min(n - 25, 768)
    assert relative(left @ right.T, p) <= 1e-7
    assert relative(left.float().double() @ right.float().double().T, p) <= 1e-6
    assert torch.allclose(left.norm(dim=0), right.norm(dim=0))


def test_rank_is_the_rank():
    """Three times the same eleven rows, and rows that are sums of others, add no factors."""
    source, destination = rows(11, 64, 0), rows(11, 64, 1)
    source, destination = (
        torch.cat([source, source[:4] + source[4:8]]),
        torch.cat([destination, destination[:4] + destination[4:8]]),
    )
    left, _ = solve.low_rank(*solve.edit_factors(source.repeat(3, 1), destination.repeat(3, 1), 0.1))
    assert left.shape == (64, 11)


@pytest.mark.parametrize("n", [20, 100])
def test_condition_number(n):
    source = rows(n, 64, 0)
    gram = source @ source.T if n < 64 else source.T @ source
    expected = torch.linalg.cond(gram + 0.1 * torch.eye(len(gram), dtype=torch.float64)).item()
    assert system(source, rows(n, 64, 1)).condition(0.1) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("lamb", [0.0, -0.1, math.inf, math.nan])
def test_lambda_must_be_positive_and_finite(lamb):
    with pytest.raises(ValueError, match=f"lambda is {lamb}; it must be a positive, finite number"):
        solve.right_factor(rows(4, 8, 0), rows(4, 8, 1), lamb)


def test_a_singular_system_is_refused():
    repeated = rows(1, 64, 0).repeat(40, 1)
    with pytest.raises(ValueError, match="lambda 1e-30 is too small.*raise lambda"):
        solve.right_factor(repeated, rows(40, 64, 1), 1e-30)


def test_bad_embeddings_are_refused():
    good, bad = rows(4, 8, 0), rows(4, 8, 1)
    bad[1, 2] = math.nan
    with pytest.raises(ValueError, match="gave destination embeddings that are not finite"):
        solve.right_factor(good, bad, 0.1)
    with pytest.raises(ValueError, match="gave source embeddings that are not finite"):
        solve.right_factor(bad, good, 0.1)
    with pytest.raises(ValueError, match=r"shapes \(4, 8\) and \(3, 8\)"):
        solve.right_factor(good, good[:3], 0.1)
    with pytest.raises(ValueError, match="torch.float32; the solve needs torch.float64"):
        solve.right_factor(good.float(), good, 0.1)


def test_inputs_are_left_alone():
    source, destination = rows(20, 64, 0), rows(20, 64, 1)
    before = source.clone(), destination.clone()
    solve.low_rank(*solve.edit_factors(source, destination, 0.1))
    system(source, destination).condition(0.1)
    assert torch.equal(source, before[0]) and torch.equal(destination, before[1])


@pytest.mark.parametrize("sizes", [(10, 20, 30), (40, 40, 40), (300,)])
def test_prompt_by_prompt_is_all_at_once(sizes):
    """Below and above the width, where sums take the place of rows."""
    n = sum(sizes)
    source, destination = rows(n, 64, 0), rows(n, 64, 1)
    source[3:9] = destination[3:9]
    equations = solve.System(64)
    for here, there in zip(source.split(sizes), destination.split(sizes), strict=True):
        equations.add(here, there)
    assert equations.folded == (n >= 64)
    w = weight(64)
    left, right = equations.solve(0.1)
    assert relative(w @ left @ right.T, published(w, source, destination, 0.1) - w) <= 1e-9
    assert (equations.rows, equations.changed) == (n, n - 6)
    assert equations.mean_square == pytest.approx(source.square().sum(dim=1).mean().item(), rel=1e-12)
    assert equations.fit_residual(left, right) == pytest.approx(solve.fit_residual(source, destination, left, right), rel=1e-6)
    assert equations.leak(left, right) == pytest.approx(solve.leak(source, left, right), rel=1e-9)


def test_memory_does_not_grow_with_the_rows():
    equations = solve.System(32)
    held = []
    for seed in range(6):
        equations.add(rows(100, 32, seed), rows(100, 32, seed + 100))
        held.append(sum(t.numel() for value in vars(equations).values() if isinstance(value, (list, tuple)) for t in value))
    assert held == [3 * 32 * 32] * 6
    assert equations.rows == 600


@pytest.mark.parametrize("n", [20, 100])
def test_a_weight_counts_like_repeats(n):
    source, destination, other, there = rows(n, 64, 0), rows(n, 64, 1), rows(5, 64, 2), rows(5, 64, 3)
    weighted, repeated = solve.System(64), solve.System(64)
    weighted.add(source, destination)
    weighted.add(other, there, 3.0)
    for _ in range(3):
        repeated.add(other, there)
    repeated.add(source, destination)
    p, q = (left @ right.T for left, right in (weighted.solve(0.1), repeated.solve(0.1)))
    assert relative(p, q) <= 1e-9
    assert weighted.mean_square == pytest.approx(repeated.mean_square, rel=1e-12)


def test_repeated_rows_are_one_heavier_row():
    """As the padding of T5 is: hundreds of equal rows in a prompt."""
    source, destination = rows(12, 64, 0), rows(12, 64, 1)
    repeats = torch.tensor([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 500])
    long = source.repeat_interleave(repeats, dim=0), destination.repeat_interleave(repeats, dim=0)
    equations = system(*long)
    assert not equations.folded and (equations.rows, equations.changed) == (511, 511)
    w = weight(64)
    left, right = equations.solve(10.0)
    assert left.shape == (64, 12)
    assert relative(w @ left @ right.T, published(w, *long, 10.0) - w) <= 1e-9


def test_a_scaled_encoder_needs_a_scaled_lambda():
    """Relative lambda is lambda times the mean squared row length: embeddings twice as long give the same edit."""
    source, destination = rows(40, 64, 0), rows(40, 64, 1)
    edits = []
    for scale in (1.0, 2.0):
        equations = system(scale * source, scale * destination)
        left, right = equations.solve(1e-3 * equations.mean_square)
        edits.append(left @ right.T)
    assert relative(edits[1], edits[0]) <= 1e-9
