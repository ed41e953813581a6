"""Trajectories, backgrounds and the virtual denoiser, on the toy denoisers of the methods' tests."""

import comfy.k_diffusion.sampling
import pytest
import torch
from time_diffedit.diffedit_core.inversion.trajectory import Trajectory
from time_diffedit.diffedit_core.inversion.trajectory_states import spread_states
from time_diffedit.diffedit_core.model.model_kind import ModelKind
from time_diffedit.diffedit_core.model.noise import picture_noise
from time_diffedit.diffedit_core.model.noising import Noising
from time_diffedit.diffedit_core.repaint.background import BACKGROUNDS, Background, background
from time_diffedit.diffedit_core.repaint.masked_sampling import Injection
from time_diffedit.diffedit_core.repaint.virtual_denoiser import VirtualDenoiser
from unit.toy_denoisers import SIGMAS, clean, denoise, states, walk

HALF = torch.zeros(1, 1, 8, 8)
HALF[..., :4] = 1


def trajectory(method: str = "ddim") -> Trajectory:
    kind = ModelKind("BaseModel", "SD15", "SD15", "EPS", 14.6)
    return Trajectory(states(method), SIGMAS, method, 1.0, clean(), kind, Noising())


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

    def test_between_states_under_noises_of_their_own_is_as_much_noise_as_the_level_asks_for(self):
        whole = walk("ddpm", start=clean(8))
        path = Trajectory(whole.states, SIGMAS, "ddpm", 1.0, clean(8), trajectory().model, Noising(), kept=whole.kept)
        for i in (0, 1, 7, 30):
            assert torch.equal(path.state_at(SIGMAS[i + 1])[0], path.states[i + 1])
            for share in (0.2, 0.5, 0.8):
                level = torch.lerp(SIGMAS[i], SIGMAS[i + 1], share)
                state, slope = path.state_at(level)
                assert abs(float((state - clean(8)).std() / level) - 1) < 0.05
                assert torch.allclose(state - level * slope, clean(8), atol=1e-5)
        state, slope = path.state_at(torch.zeros(()))
        assert torch.allclose(state, clean(8), atol=1e-5) and torch.isfinite(slope).all()

    def test_is_immutable(self):
        with pytest.raises(AttributeError):
            trajectory().cfg = 2.0

    @pytest.mark.parametrize("share, steps", [(1.0, 40), (0.5, 20), (0.29, 12), (0.01, 1)])
    def test_its_first_part(self, share, steps):
        part = trajectory().up_to(share)
        assert torch.equal(part.states, states("ddim")[: steps + 1]) and torch.equal(part.sigmas, SIGMAS[: steps + 1])

    def test_schedules_that_it_cannot_serve(self):
        path = trajectory("o-belm")
        path.require_levels(SIGMAS.flip(0), own=True)
        path.require_levels(SIGMAS[:9].flip(0), own=True)
        path.require_levels(torch.tensor([2.0, 1.0, 0.0]), own=False)
        with pytest.raises(ValueError, match="o-belm, which leads back only over its own levels"):
            path.require_levels(torch.tensor([2.0, 1.0, 0.0]), own=True)
        with pytest.raises(ValueError, match="o-belm, which asks the model only from its second step on.*walk 2 or more"):
            path.require_levels(SIGMAS[:2].flip(0), own=True)
        path.require_levels(SIGMAS[:2].flip(0), own=False)
        with pytest.raises(ValueError, match="sigmas starts at 14.6, above the trajectory's last level 4.69"):
            path.require_levels(torch.tensor([14.6, 1.0, 0.0]), own=False)

    def test_states_for_looking_at(self):
        path = trajectory()
        shown = spread_states(path, 5)
        expected = (
            path.states[[40, 30, 20, 10, 0]] / torch.sqrt(1 + SIGMAS[[40, 30, 20, 10, 0]] ** 2)[:, None, None, None, None]
        )
        assert torch.allclose(shown, expected.transpose(0, 1).flatten(0, 1), atol=1e-6)
        assert len(spread_states(path, 1000)) == 2 * 41 and torch.allclose(spread_states(path, 1), expected[0], atol=1e-6)


class TestBackgrounds:
    @pytest.mark.parametrize("kind", BACKGROUNDS)
    @pytest.mark.parametrize("noising", [Noising(), Noising(flow=True), Noising(flow=True, noise_scale=8.0)])
    def test_every_way_ends_on_the_picture_along_its_slope(self, kind, noising):
        path = Trajectory(states("ddim"), SIGMAS / (1 + SIGMAS), "ddim", 1.0, clean(), trajectory().model, noising)
        outside = background(kind, path, 3, float("inf"), -1.0)
        low = path.sigmas[1].double()
        state, slope = outside.at(low.expand(2).float())
        assert torch.allclose(state - float(low) * slope, clean(), atol=1e-5)
        above, _ = outside.at(torch.full((2,), 0.9 * float(low)))
        assert torch.allclose(above, state - 0.1 * float(low) * slope, atol=1e-5)

    def test_the_noise_is_the_pictures_own(self):
        outside = background("noised picture", trajectory(), 3, float("inf"), -1.0)
        noise = torch.stack([picture_noise(3, k, 0, (4, 8, 8)) for k in (0, 1)])
        assert torch.allclose(outside.at(torch.full((2,), 2.0))[0], clean() + 2 * noise)

    def test_unknown_ones_are_refused(self):
        with pytest.raises(ValueError, match="background is 'grey'; choose one of trajectory, noised picture"):
            background("grey", trajectory(), 0, 1.0, 0.0)


class TestInjection:
    def test_levels_of_a_part_of_the_steps(self):
        down = SIGMAS.flip(0)
        assert Injection().levels(down) == (float("inf"), -1.0)
        assert Injection(begin=0.25, end=0.5).levels(down) == (float(down[10]), float(down[20]))
        above, until = Injection(end=0.01).levels(down)
        assert above == float("inf") and until == float(down[1])

    def test_windows_that_are_none(self):
        for begin, end in ((0.5, 0.5), (0.6, 0.5), (-0.1, 1), (0, 1.1)):
            with pytest.raises(ValueError, match="inject_begin is .* and inject_end"):
                Injection(begin=begin, end=end)


def way(path: Trajectory) -> Background:
    return Background(path.state_at)


class TestVirtualDenoiser:
    def other(self, x, sigma):  # a model that disagrees with the one that was inverted
        return denoise(x, sigma) * 0.5 + 1

    def test_outside_the_mask_any_solver_walks_the_trajectory(self):
        path = trajectory()
        for sampler in ("euler", "heun", "dpm_2", "dpmpp_2m", "lms"):
            seen = []
            out = getattr(comfy.k_diffusion.sampling, f"sample_{sampler}")(
                VirtualDenoiser(self.other, way(path), lambda sigma, extra: HALF),
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
        virtual = VirtualDenoiser(self.other, way(trajectory()), lambda sigma, extra: torch.ones(1, 1, 1, 1))
        assert torch.equal(virtual(*path_state), self.other(x, sigma))
        assert torch.equal(VirtualDenoiser(self.other, way(trajectory()), None)(x, sigma), self.other(x, sigma))

    def test_a_soft_mask_blends_states_and_predictions(self):
        path, seen = trajectory(), []
        x, sigma = path.states[9] + 1, SIGMAS[9].expand(2)
        virtual = VirtualDenoiser(lambda x, s: seen.append(x) or x * 0, way(path), lambda sigma, extra: torch.tensor(0.25))
        slope = (path.states[9] - path.states[8]) / (SIGMAS[9] - SIGMAS[8])
        out = virtual(x, sigma)
        assert torch.allclose(seen[0], path.states[9] + 0.25, atol=1e-6)
        assert torch.allclose(out, 0.75 * (path.states[9] - SIGMAS[9] * slope), atol=1e-6)

    def test_where_it_is_not_in_force_the_model_paints_everywhere(self):
        path = trajectory()
        outside = Background(path.state_at, above=2.0, until=1.0)
        virtual = VirtualDenoiser(self.other, outside, lambda sigma, extra: HALF)
        for level, free in ((2.5, True), (2.0, False), (1.5, False), (1.0, True), (0.5, True)):
            x, sigma = clean(seed=1), torch.full((2,), level)
            assert torch.equal(virtual(x, sigma), self.other(x, sigma)) == free, level

    def test_a_background_that_is_not_shown_replaces_the_estimate_only(self):
        seen = []
        outside = background("clean estimate", trajectory(), 0, float("inf"), -1.0)
        virtual = VirtualDenoiser(lambda x, s: seen.append(x) or x * 0, outside, lambda sigma, extra: HALF)
        out = virtual(clean(seed=1), torch.full((2,), 2.0))
        assert torch.equal(seen[0], clean(seed=1))
        assert torch.allclose(out[..., 4:], clean()[..., 4:], atol=1e-6) and not out[..., :4].any()

    def test_arguments_reach_the_model(self):
        virtual = VirtualDenoiser(lambda x, sigma, seed, model_options: x + seed, way(trajectory()), None)
        assert torch.equal(virtual(clean(), SIGMAS[9].expand(2), seed=3, model_options={}), clean() + 3)
