"""The inversion methods on toy denoisers of every kind: against diffusers' schedulers, known solutions and themselves."""

import math

import pytest
import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler
from time_diffedit.diffedit_core.inversion.methods import METHODS, Options, Path, method_named
from time_diffedit.diffedit_core.inversion.methods.fixed_point import fixed_point_step
from time_diffedit.diffedit_core.model.noising import Noising
from unit.toy_denoisers import FLOW, KINDS, SIGMAS, back, clean, decoded, denoise, denoise_as, error, network, states, walk

SD = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1)


class TestAgainstDiffusers:
    @pytest.mark.parametrize("kind, prediction", [("eps", "epsilon"), ("v", "v_prediction")])
    def test_ddim_is_its_inverse_scheduler(self, kind, prediction):
        scheduler = DDIMInverseScheduler(**SD, set_alpha_to_one=True, prediction_type=prediction)
        scheduler.set_timesteps(50)
        sample, worst = clean(), 0.0
        for timestep, state, sigma in zip(scheduler.timesteps[:40], walk("ddim", kind).states[1:], SIGMAS[1:], strict=True):
            # diffusers' inverse passes the same sample at the destination timestep to the network
            sample = scheduler.step(network(sample, int(timestep)), timestep, sample).prev_sample
            worst = max(worst, float((state / torch.sqrt(1 + sigma**2) - sample).abs().max()))
        assert worst <= 5e-6

    @pytest.mark.parametrize("kind, prediction", [("eps", "epsilon"), ("v", "v_prediction")])
    def test_the_hosts_euler_is_its_ddim(self, kind, prediction):
        scheduler = DDIMScheduler(**SD, set_alpha_to_one=True, prediction_type=prediction)
        scheduler.set_timesteps(50)
        state = walk("ddim", kind).states[-1]
        sample = state / torch.sqrt(1 + SIGMAS[-1] ** 2)
        for timestep in scheduler.timesteps[10:]:
            sample = scheduler.step(network(sample, int(timestep)), timestep, sample).prev_sample
        assert float((decoded(state, model=denoise_as(kind)) - sample).abs().max()) <= 1e-5


class TestKnownSolution:
    """Normally distributed pictures of standard deviation 0.7: the way from a picture to its noise is a formula."""

    SPREAD = 0.7

    def variance(self, kind, sigma):
        return KINDS[kind].signal(sigma) ** 2 * self.SPREAD**2 + sigma**2

    def model(self, kind):
        return lambda x, s: x * KINDS[kind].signal(float(s)) * self.SPREAD**2 / self.variance(kind, float(s))

    def errors(self, method, kind, counts):
        top = 0.8 if kind == "flow" else 4.0
        expected = clean() * math.sqrt(self.variance(kind, top)) / self.SPREAD
        grids = [torch.linspace(0, top, n + 1, dtype=torch.float64) for n in counts]
        paths = [walk(method, kind, self.model(kind), sigmas=g, start=clean().double()) for g in grids]
        return [error(path.states[-1], expected) for path in paths]

    # From 0.5 on, because the first step from a clean picture has no slope to start with.
    @pytest.mark.parametrize("kind", ["eps", "flow"])
    @pytest.mark.parametrize(
        "method, order", [("ddim", 1), ("predictor", 1), ("fixed point", 1), ("midpoint", 2), ("fireflow", 2)]
    )
    def test_order_of_convergence(self, method, order, kind):
        coarse, fine = self.errors(method, kind, [64, 256])
        assert math.log(coarse / fine, 4) > order - 0.25, (coarse, fine)

    @pytest.mark.parametrize("kind", ["eps", "flow"])
    def test_o_belm_follows_it_closest_for_one_call_a_step(self, kind):
        at = {m: self.errors(m, kind, [64])[0] for m in ("ddim", "predictor", "o-belm")}
        assert at["o-belm"] < at["ddim"] / 3 and at["o-belm"] < at["predictor"] / 3, at


@pytest.mark.parametrize("kind", KINDS)
class TestWayBack:
    @pytest.mark.parametrize("method", ["o-belm", "ddpm"])
    def test_is_exact(self, method, kind):
        assert error(back(method, walk(method, kind), kind), clean()) < 2e-5

    @pytest.mark.parametrize("method", ["o-belm", "ddpm"])
    def test_is_exact_to_rounding_of_float64(self, method, kind):
        path = walk(method, kind, start=clean().double())
        assert error(back(method, path, kind), clean().double()) < 1e-11

    @pytest.mark.parametrize("method", ["predictor", "midpoint", "fireflow", "fixed point"])
    def test_misses_less_than_ddims(self, method, kind):
        errors = {m: error(back(m, walk(m, kind), kind), clean()) for m in ("ddim", method)}
        assert errors[method] < errors["ddim"] / 2, errors

    def test_ddpm_goes_the_independent_states(self, kind):
        path = walk("ddpm", kind)
        noises = [KINDS[kind].noise_of(x, clean(), s) for x, s in zip(path.states[1:], path.sigmas[1:], strict=True)]
        together = torch.stack(noises).flatten(1).double()
        assert float((torch.corrcoef(together) - torch.eye(40)).abs().max()) < 0.2
        assert abs(float(together.mean())) < 0.02 and abs(float(together.std()) - 1) < 0.02
        down = method_named("ddpm").sample(denoise_as(kind), path, path.sigmas[::-1], KINDS[kind])
        for step, state in zip(down, path.states.flip(0)[1:], strict=True):
            assert torch.allclose(step.state, state, atol=1e-4)

    def test_lower_starts_come_back_too(self, kind):
        for method in METHODS:
            whole = walk(method, kind, refinements=20)
            kept = None if whole.kept is None else whole.kept[:15]
            part = Path(whole.states[:16], whole.sigmas[:16], kept)
            assert error(back(method, part, kind), clean()) < 0.2, method


class TestFixedPoint:
    @pytest.mark.parametrize("kind", ["eps", "flow"])
    def test_one_refinement_is_ddim(self, kind):
        assert torch.equal(walk("fixed point", kind, refinements=1).states, walk("ddim", kind).states)

    def test_refinements_come_back_to_the_picture(self):
        errors = [float((decoded(states("fixed point", k)[-1]) - clean()).abs().max()) for k in (1, 2, 3, 5, 20)]
        assert errors == sorted(errors, reverse=True)
        assert errors[0] > 0.05 and errors[-1] < 2e-5

    def step(self, model, refinements, sigma=1.0, next_sigma=1.5):
        return fixed_point_step(model, clean(), sigma, next_sigma, Noising(), refinements)

    def test_the_residual_is_what_one_sampling_step_misses(self):
        sigma, next_sigma = float(SIGMAS[20]), float(SIGMAS[24])
        step = self.step(denoise, 1, sigma, next_sigma)
        start = Noising().same_input(clean(), sigma, next_sigma)
        down = start + (sigma - next_sigma) * (start - denoise(start, next_sigma)) / next_sigma
        assert torch.allclose(step.residual, (down - clean()).square().mean((1, 2, 3)).sqrt(), atol=1e-6)

    @pytest.mark.parametrize("method", ["ddim", "predictor"])
    def test_methods_of_one_call_measure_the_same_for_nothing(self, method):
        """At the first step both ask where fixed point starts; finer steps have smaller residuals."""
        steps = list(method_named(method).invert(denoise, clean(), SIGMAS.tolist(), Noising(), Options()))
        first = fixed_point_step(denoise, clean(), 0.0, float(SIGMAS[1]), Noising(), 1)
        assert torch.allclose(steps[0].residual, first.residual, atol=1e-7)
        finer = torch.cat([SIGMAS[:1], torch.linspace(float(SIGMAS[1]), float(SIGMAS[-1]), 4 * len(SIGMAS))])
        finely = list(method_named(method).invert(denoise, clean(), finer.tolist(), Noising(), Options()))
        assert max(float(step.residual.max()) for step in finely[1:]) < max(float(step.residual.max()) for step in steps[1:])

    def test_where_the_plain_iteration_oscillates_the_residual_still_falls(self):
        def steep(x, sigma):  # so that g(w) = x - 2 w: plain iteration doubles its error each time, with changing sign
            return x + 6 * x

        residuals = [float(self.step(steep, k).residual.max()) for k in (1, 3, 6, 12, 30)]
        assert residuals == sorted(residuals, reverse=True)
        assert residuals[-1] < 1e-5 < residuals[0]
        assert torch.allclose(self.step(steep, 30).state, clean() / 3, atol=1e-5)

    def test_refining_ends_when_float32_has_nothing_more_to_give(self):
        assert self.step(denoise, 1000, float(SIGMAS[3]), float(SIGMAS[4])).model_calls < 20

    def test_no_refinement_is_refused(self):
        with pytest.raises(ValueError, match="refinements is 0"):
            states("fixed point", 0)


@pytest.mark.parametrize("method", METHODS)
def test_pictures_of_a_batch_do_not_influence_each_other(method):
    pictures = clean(3) * torch.tensor([1.0, 30.0, 1e-3])[:, None, None, None]
    together = states(method, 8, SIGMAS[:12], pictures)
    for i in range(3):
        options = Options(8, seed=5, pictures=[i])
        alone = method_named(method).invert(denoise, pictures[i : i + 1], SIGMAS[:12].tolist(), Noising(), options)
        assert torch.equal(together[1:, i : i + 1], torch.stack([s.state for s in alone]))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(1, 2, 3, 6, 4), (2, 3, 5, 7)])
def test_video_and_odd_sizes(method, shape):
    start = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    path = walk(method, "flow", start=start, sigmas=FLOW[:12])
    assert path.states.shape == (12, *shape) and torch.isfinite(path.states).all()
    assert back(method, path, "flow").shape == shape


@pytest.mark.parametrize(
    "method, up, down",
    [("ddim", 40, 40), ("predictor", 40, 40), ("midpoint", 79, 80), ("fireflow", 40, 41), ("ddpm", 40, 40)],
)
def test_model_calls_are_counted(method, up, down):
    calls = []

    def counting(x, sigma):
        calls.append(float(torch.as_tensor(sigma).flatten()[0]))
        return denoise(x, sigma)

    steps = list(method_named(method).invert(counting, clean(), SIGMAS.tolist(), Noising(), Options(3, 5, (0, 1))))
    assert sum(step.model_calls for step in steps) == len(calls) == up
    assert len(steps) == 40 and min(calls) > 0
    path = walk(method)
    calls.clear()
    back(method, path, model=counting)
    assert len(calls) == down and min(calls) > 0


def test_unknown_methods_are_refused():
    with pytest.raises(ValueError, match="method is 'newton'; choose one of ddim, predictor, fixed point"):
        method_named("newton")
