"""Inversion steps and trajectories on toy denoisers, against diffusers' schedulers."""

import math

import comfy.k_diffusion.sampling
import comfy.model_sampling
import pytest
import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler
from time_diffedit.diffedit_core.inversion import METHODS, invert, stepper
from time_diffedit.diffedit_core.schedule import leading_sigmas
from time_diffedit.diffedit_core.step import same_model_input
from time_diffedit.diffedit_core.trajectory import ModelKind, Trajectory
from time_diffedit.diffedit_core.virtual_denoiser import VirtualDenoiser

SAMPLING = comfy.model_sampling.ModelSamplingDiscrete()
TABLE = SAMPLING.sigmas
SD = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1)
SIGMAS = leading_sigmas(TABLE, 50, 0.8)


def eps(network_input: torch.Tensor, timestep: int) -> torch.Tensor:
    """A smooth, non-linear, spatially coupled noise prediction."""
    neighbours = network_input.roll(1, -1) + network_input.roll(1, -2) - network_input.roll(1, 1)
    return torch.tanh(0.6 * network_input + 0.3 * neighbours + 0.2 * math.cos(timestep / 90))


def denoise(x: torch.Tensor, sigma) -> torch.Tensor:
    """The same prediction in the host's space."""
    sigma = torch.as_tensor(sigma).flatten()[:1].float()
    timestep = int(SAMPLING.timestep(sigma))
    return x - sigma * eps(x / torch.sqrt(1 + sigma**2), timestep)


def clean(batch: int = 2, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, 4, 8, 8, generator=torch.Generator().manual_seed(seed))


def states(method: str, refinements: int = 1, sigmas: torch.Tensor = SIGMAS, start: torch.Tensor | None = None):
    start = clean() if start is None else start
    return torch.stack([start, *(s.state for s in invert(stepper(method, refinements), denoise, start, sigmas))])


def decoded(state: torch.Tensor, sigmas: torch.Tensor = SIGMAS) -> torch.Tensor:
    """The host's euler down from the last of these ascending levels."""
    return comfy.k_diffusion.sampling.sample_euler(
        lambda x, sigma: denoise(x, sigma), state, sigmas.flip(0), extra_args={}, disable=True
    )


def test_ddim_is_diffusers_inverse_scheduler():
    scheduler = DDIMInverseScheduler(**SD, set_alpha_to_one=True)
    scheduler.set_timesteps(50)
    sample, worst = clean(), 0.0
    for timestep, state, sigma in zip(scheduler.timesteps[:40], states("ddim")[1:], SIGMAS[1:], strict=True):
        # diffusers' inverse passes the same sample at the destination timestep to the network
        sample = scheduler.step(eps(sample, int(timestep)), timestep, sample).prev_sample
        worst = max(worst, float((state / torch.sqrt(1 + sigma**2) - sample).abs().max()))
    assert worst <= 1e-5


def test_the_hosts_euler_is_diffusers_ddim():
    scheduler = DDIMScheduler(**SD, set_alpha_to_one=True)
    scheduler.set_timesteps(50)
    state = states("ddim")[-1]
    sample = state / torch.sqrt(1 + SIGMAS[-1] ** 2)
    for timestep in scheduler.timesteps[10:]:
        sample = scheduler.step(eps(sample, int(timestep)), timestep, sample).prev_sample
    assert float((decoded(state) - sample).abs().max()) <= 1e-5


def test_one_refinement_is_ddim():
    assert torch.equal(states("fixed point", 1), states("ddim"))


def test_refinements_come_back_to_the_picture():
    errors = [float((decoded(states("fixed point", k)[-1]) - clean()).abs().max()) for k in (1, 2, 3, 5, 20)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0.05 and errors[-1] < 2e-5


def test_the_residual_is_what_one_sampling_step_misses():
    sigma, next_sigma = float(SIGMAS[20]), float(SIGMAS[24])
    step = stepper("fixed point", 1)(denoise, clean(), sigma, next_sigma)
    start = same_model_input(clean(), sigma, next_sigma)
    back = start + (sigma - next_sigma) * (start - denoise(start, next_sigma)) / next_sigma
    assert torch.allclose(step.residual, (back - clean()).square().mean((1, 2, 3)).sqrt(), atol=1e-6)


def test_where_the_plain_iteration_oscillates_the_residual_still_falls():
    def steep(x, sigma):  # so that g(w) = x - 2 w: plain iteration doubles its error each time, with changing sign
        return x + 6 * x

    residuals = [float(stepper("fixed point", k)(steep, clean(), 1.0, 1.5).residual.max()) for k in (1, 3, 6, 12, 30)]
    assert residuals == sorted(residuals, reverse=True)
    assert residuals[-1] < 1e-5 < residuals[0]
    state = stepper("fixed point", 30)(steep, clean(), 1.0, 1.5).state
    assert torch.allclose(state, clean() / 3, atol=1e-5)


def test_refining_ends_when_float32_has_nothing_more_to_give():
    step = stepper("fixed point", 1000)(denoise, clean(), float(SIGMAS[3]), float(SIGMAS[4]))
    assert step.model_calls < 20


@pytest.mark.parametrize("method", METHODS)
def test_pictures_of_a_batch_do_not_influence_each_other(method):
    pictures = clean(3) * torch.tensor([1.0, 30.0, 1e-3])[:, None, None, None]
    together = states(method, 8, SIGMAS[:12], pictures)
    assert all(torch.equal(together[:, i : i + 1], states(method, 8, SIGMAS[:12], pictures[i : i + 1])) for i in range(3))


def test_model_calls_are_counted():
    calls = []
    steps = list(invert(stepper("fixed point", 3), lambda x, s: calls.append(s) or denoise(x, s), clean(), SIGMAS))
    assert sum(step.model_calls for step in steps) == len(calls) <= 120
    assert [step.model_calls for step in invert(stepper("ddim", 3), denoise, clean(), SIGMAS)] == [1] * 40


def test_unknown_methods_are_refused():
    with pytest.raises(ValueError, match="method is 'newton'; choose one of ddim, fixed point"):
        stepper("newton", 1)
    with pytest.raises(ValueError, match="refinements is 0"):
        stepper("fixed point", 0)


def trajectory() -> Trajectory:
    kind = ModelKind("BaseModel", "SD15", "SD15", "EPS", 14.6)
    return Trajectory(states("ddim"), SIGMAS, "ddim", 1.0, clean(), kind)


class TestTrajectory:
    def test_gives_the_stored_states_exactly(self):
        path = trajectory()
        for i in range(1, 41):
            state, slope = path.state_at(SIGMAS[i])
            assert torch.equal(state, path.states[i])
            expected = (path.states[i] - path.states[i - 1]) / (SIGMAS[i] - SIGMAS[i - 1])
            assert torch.equal(slope, expected)
        assert torch.allclose(path.state_at(SIGMAS[0])[0], clean(), atol=1e-6)

    def test_is_linear_between_them_and_above_the_last(self):
        path = trajectory()
        middle = (SIGMAS[7] + SIGMAS[8]) / 2
        assert torch.allclose(path.state_at(middle)[0], (path.states[7] + path.states[8]) / 2, atol=1e-6)
        beyond = 2 * SIGMAS[40] - SIGMAS[39]
        assert torch.allclose(path.state_at(beyond)[0], 2 * path.states[40] - path.states[39], atol=1e-5)

    def test_takes_a_level_for_each_picture(self):
        path = trajectory()
        state, slope = path.state_at(SIGMAS[torch.tensor([3, 9])])
        assert torch.equal(state, torch.stack([path.states[3, 0], path.states[9, 1]]))
        assert torch.equal(slope[1], path.state_at(SIGMAS[9])[1][1])

    def test_is_immutable(self):
        with pytest.raises(AttributeError):
            trajectory().cfg = 2.0


class TestVirtualDenoiser:
    def other(self, x, sigma):  # a model that disagrees with the one that was inverted
        return denoise(x, sigma) * 0.5 + 1

    def test_outside_the_mask_any_solver_walks_the_trajectory(self):
        mask = torch.zeros(1, 1, 8, 8)
        mask[..., :4] = 1
        path = trajectory()
        for sampler in ("euler", "heun", "dpm_2", "dpmpp_2m", "lms"):
            seen = []
            out = getattr(comfy.k_diffusion.sampling, f"sample_{sampler}")(
                VirtualDenoiser(self.other, path, lambda sigma, extra: mask),
                path.states[-1],
                SIGMAS.flip(0),
                extra_args={},
                callback=lambda info, seen=seen: seen.append(info["x"]),
                disable=True,
            )
            assert torch.allclose(out[..., 4:], clean()[..., 4:], atol=2e-6), sampler
            assert float((out[..., :4] - clean()[..., :4]).abs().max()) > 0.1, sampler
            if sampler == "euler":
                assert torch.allclose(torch.stack(seen)[..., 4:], path.states[1:].flip(0)[..., 4:], atol=1e-5)

    def test_a_full_mask_is_the_model_itself(self):
        x, sigma = path_state = trajectory().states[9] + 1, SIGMAS[9].expand(2)
        virtual = VirtualDenoiser(self.other, trajectory(), lambda sigma, extra: torch.ones(1, 1, 1, 1))
        assert torch.equal(virtual(*path_state), self.other(x, sigma))
        assert torch.equal(VirtualDenoiser(self.other, trajectory(), None)(x, sigma), self.other(x, sigma))

    def test_a_soft_mask_blends_states_and_predictions(self):
        path, seen = trajectory(), []
        x, sigma = path.states[9] + 1, SIGMAS[9].expand(2)
        virtual = VirtualDenoiser(lambda x, s: seen.append(x) or x * 0, path, lambda sigma, extra: torch.tensor(0.25))
        slope = (path.states[9] - path.states[8]) / (SIGMAS[9] - SIGMAS[8])
        out = virtual(x, sigma)
        assert torch.allclose(seen[0], path.states[9] + 0.25, atol=1e-6)
        assert torch.allclose(out, 0.75 * (path.states[9] - SIGMAS[9] * slope), atol=1e-6)

    def test_arguments_reach_the_model(self):
        virtual = VirtualDenoiser(lambda x, sigma, seed, model_options: x + seed, trajectory(), None)
        assert torch.equal(virtual(clean(), SIGMAS[9].expand(2), seed=3, model_options={}), clean() + 3)
