"""A prior and prompts that are kept exactly, in float64, against constrained minimisers that are solved independently."""

import pytest
import torch
from time_diffedit.time_core.equations import exactly, solve
from time_diffedit.time_core.equations.costs import EXACT, costs, span
from time_diffedit.time_core.equations.exactly import KeptExactly
from time_diffedit.time_core.equations.lambda_curve import curve
from time_diffedit.time_core.equations.prior import Moment, Prior, check_rho, digest_of
from time_diffedit.time_core.prompts.fingerprint import Fingerprint

from .test_solve import relative, rows, system

D = 64
LAMBDA = 0.1


def prior(seed: int = 7, n: int = 200) -> Prior:
    """In float64, for parity."""
    moment = Moment(D)
    moment.add(rows(n, D, seed))
    basis, values = (tensor.double() for tensor in moment.shape())
    return Prior(torch.linalg.qr(basis).Q, values, prompts=n, digest="", fingerprint=Fingerprint("l", D, (1.0,)))


def k0(prior: Prior) -> torch.Tensor:
    basis = prior.basis.double()
    return basis @ torch.diag(prior.values.double()) @ basis.T


def p_of(equations: solve.System, price, lamb: float = LAMBDA) -> torch.Tensor:
    left, right = equations.priced(price).solve(lamb)
    return left @ right.T


def constrained(source, change, r0, kept, lamb):
    """The minimiser of |change - source P^T|^2 + lambda tr(P R0 P^T) with kept P^T = 0, by Lagrange's equations."""
    n, d = len(kept), source.shape[1]
    kkt = torch.zeros(d + n, d + n, dtype=torch.float64)
    kkt[:d, :d] = source.T @ source + lamb * r0
    kkt[:d, d:], kkt[d:, :d] = kept.T, kept
    wanted = torch.cat([source.T @ change, torch.zeros(n, d, dtype=torch.float64)])
    return torch.linalg.lstsq(kkt, wanted, driver="gelsd").solution[:d].T


@pytest.mark.parametrize("n", [20, 100])
@pytest.mark.parametrize(("rho", "kept"), [(0.0, 5), (2.0, 0), (2.0, 5), (50.0, 12)])
def test_is_the_constrained_minimiser(n, rho, kept):
    """Below the width, where the rows are solved for, and above it, where their sums are."""
    source, destination, held = rows(n, D, 0), rows(n, D, 1), rows(kept, D, 2)
    destination[:4] = source[:4]
    given = prior()
    p = p_of(system(source, destination), costs(D, given, rho, [held] if kept else []))
    r0 = torch.eye(D, dtype=torch.float64) + rho * k0(given)
    assert relative(p, constrained(source, destination - source, r0, held, LAMBDA)) <= 1e-9
    assert (p @ held.T).norm() <= 1e-10 * held.norm() * p.norm()


@pytest.mark.parametrize("n", [20, 100])
def test_is_the_formula_of_the_prior(n):
    """P = D (lambda I + C^T R0^-1 C)^-1 C^T R0^-1, the vectors being columns."""
    source, destination, given = rows(n, D, 0), rows(n, D, 1), prior()
    inverse = torch.linalg.inv(torch.eye(D, dtype=torch.float64) + 3 * k0(given))
    inner = LAMBDA * torch.eye(n, dtype=torch.float64) + source @ inverse @ source.T
    expected = (destination - source).T @ torch.linalg.solve(inner, source @ inverse)
    assert relative(p_of(system(source, destination), costs(D, given, 3.0)), expected) <= 1e-9


@pytest.mark.parametrize("n", [20, 100])
def test_growing_preserve_weights_lead_to_what_is_kept_exactly(n):
    source, destination, held = rows(n, D, 0), rows(n, D, 1), rows(5, D, 2)
    exact = p_of(system(source, destination), costs(D, None, 0, [held]))
    apart = []
    for weight in (1e2, 1e4, 1e6):
        softly = system(source, destination)
        softly.add(held, held, weight)
        left, right = softly.solve(LAMBDA)
        apart.append(relative(left @ right.T, exact))
    assert apart[2] <= 1e-4
    assert apart[1] == pytest.approx(apart[0] / 100, rel=0.3) and apart[2] == pytest.approx(apart[1] / 100, rel=0.3)


@pytest.mark.parametrize("n", [20, 100])
def test_without_prior_and_kept_prompts_it_is_the_published_method_to_the_last_bit(n):
    source, destination = rows(n, D, 0), rows(n, D, 1)
    assert costs(D, prior(), 0.0) is None and costs(D, None, 1.0) is None
    published = system(source, destination)
    for mine, theirs in zip(published.priced(None).solve(LAMBDA), published.solve(LAMBDA), strict=True):
        assert torch.equal(mine, theirs)


def test_a_prior_moves_everyday_rows_less():
    source, destination, everyday = rows(20, D, 0), rows(20, D, 1), rows(40, D, 3)
    everyday[:, 8:] *= 0.05  # they use few directions
    moment = Moment(D)
    moment.add(everyday)
    given = Prior(*moment.shape(), 40, "", Fingerprint("l", D, (1.0,)))
    leaks = [solve.leak(everyday, *system(source, destination).priced(costs(D, given, rho)).solve(1.0)) for rho in (0, 1, 30)]
    assert leaks == sorted(leaks, reverse=True) and leaks[2] < leaks[0] / 2


@pytest.mark.parametrize("n", [20, 100])
@pytest.mark.parametrize(("rho", "kept"), [(2.0, 0), (0.0, 5), (2.0, 5)])
def test_one_decomposition_serves_every_lambda(n, rho, kept):
    source, destination, empty = rows(n, D, 0), rows(n, D, 1), rows(7, D, 4)
    priced = system(source, destination).priced(costs(D, prior(), rho, [rows(5, D, 2)] if kept else []))
    points = curve(priced.spectrum(empty), 10.0)
    assert len(points) == 13
    for point in points:
        factors = priced.solve(point.lamb)
        assert point.fit_residual == pytest.approx(priced.fit_residual(*factors), rel=1e-6)
        assert point.empty_leak == pytest.approx(solve.leak(empty, *factors), rel=1e-6)
        assert point.edit_size == pytest.approx(solve.edit_size(*factors), rel=1e-6)


@pytest.mark.parametrize("n", [20, 100])
def test_what_is_kept_exactly_stays_in_float32(n):
    """What the model gets: thin factors rounded to float32."""
    source, destination, held = rows(n, D, 0), rows(n, D, 1), rows(5, D, 2)
    priced = system(source, destination).priced(costs(D, prior(), 1.0, [held]))
    left, right = (factor.float().double() for factor in solve.low_rank(*priced.solve(LAMBDA)))
    assert solve.leak(held, left, right) <= 1e-6
    assert solve.leak(rows(5, D, 9), left, right) > 0.05


def test_the_span_of_many_rows_is_that_of_all_of_them():
    blocks = [rows(60, D, seed)[:, :D] for seed in range(4)]
    for block in blocks:
        block[:, 20:] = 0
    basis = span(blocks, D)
    assert basis.shape == (D, 20)
    for block in blocks:
        assert (block - block @ basis @ basis.T).norm() <= 10 * EXACT * block.norm()
    assert span([], D).shape == (D, 0)


def test_the_price_of_a_prompt():
    """A prompt of other directions costs nothing; one whose rows are the source's costs the edit."""
    source, destination = rows(6, D, 0), rows(6, D, 1)
    basis = torch.linalg.qr(source.T).Q
    elsewhere = rows(4, D, 5)
    elsewhere = elsewhere - elsewhere @ basis @ basis.T
    equations = system(source, destination)
    kept = KeptExactly(("elsewhere", "half of it"), (elsewhere, source[:3]))
    prices = exactly.prices(equations, kept, None, 0.0, LAMBDA)
    assert prices[0] == pytest.approx(0, abs=1e-9)
    assert prices[1] > 0.5
    many = KeptExactly(("a",) * 33, (elsewhere,) * 33)
    assert exactly.prices(equations, many, None, 0.0, LAMBDA) == ()


def test_keeping_the_source_exactly_is_refused():
    source, destination = rows(6, D, 0), rows(6, D, 1)
    kept = KeptExactly(("a dog",), (torch.cat([source, rows(2, D, 3)]),))
    priced = system(source, destination).priced(costs(D, None, 0, kept.rows))
    with pytest.raises(ValueError, match="preserve keeps 'a dog' exactly.*no edit is left.*softly"):
        exactly.check_something_moves(priced, kept)


def test_only_what_the_edit_moves_is_kept():
    source, destination = rows(6, D, 0), rows(6, D, 1)
    basis = torch.linalg.qr(source.T).Q
    far = rows(4, D, 5)
    far = far - far @ basis @ basis.T
    kept = exactly.those_moved(system(source, destination), ("far", "near"), (far, source[:2] + 0.1 * far[:2]))
    assert kept.prompts == ("near",) and kept.free == ("far",) and len(kept.rows) == 1


def test_a_prior_of_few_rows():
    moment = Moment(D)
    for block in rows(10, D, 3).split(4):
        moment.add(block)
    basis, values = moment.shape()
    assert basis.shape == (D, 10) and basis.dtype == values.dtype == torch.float32
    assert values.sum().item() == pytest.approx(D, rel=1e-6)
    assert list(values) == sorted(values, reverse=True)
    assert torch.allclose(basis.T @ basis, torch.eye(10), atol=1e-6)


def test_bad_input_of_a_prior():
    bad = rows(2, D, 0)
    bad[0, 0] = float("nan")
    with pytest.raises(ValueError, match="clip gave embeddings that are not finite"):
        Moment(D).add(bad)
    for rho in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="rho is .*; it must be 0"):
            check_rho(rho)
    given = prior()
    with pytest.raises(ValueError, match="prior was made with the text encoder l, width 64.*but clip is g"):
        given.check_encoder(Fingerprint("g", D, (1.0,)))
    with pytest.raises(ValueError, match="connect the same model"):
        given.check_encoder(Fingerprint("l", D, (1.0,), "WAN21", (1.0,)))
    assert digest_of(["a", "b"]) != digest_of(["b", "a"])
