"""DDIM Invert on a real, small host model."""

import json

import comfy.samplers
import comfy.utils
import pytest
import torch
from comfy_extras.nodes_custom_sampler import SamplerCustomAdvanced
from host.models.node_inputs import given
from host.models.tiny_diffusion import clip, denoised, fingerprint, interrupted, picture, prompt, tiny_model, watched
from time_diffedit.diffedit_core.inversion.invert import Course, invert_latent
from time_diffedit.diffedit_core.inversion.levels import SCHEDULERS
from time_diffedit.diffedit_core.inversion.memory import in_units, trajectory_bytes
from time_diffedit.diffedit_core.inversion.methods import METHODS
from time_diffedit.diffedit_core.inversion.schedule import leading_sigmas
from time_diffedit.diffedit_core.model.guidance import Guidance
from time_diffedit.diffedit_core.model.host_model import sigma_table
from time_diffedit.diffedit_core.model.latents import Latents
from time_diffedit.diffedit_core.repaint.masked_sampling import AS_INVERTED
from time_diffedit.nodes import DDIMInvert, MaskedLatentSample, TrajectoryStates

POSITIVE, NEGATIVE = prompt(0), prompt(1)
SETTINGS = dict(steps=10, strength=0.8, cfg=1.0, method="ddim")


@pytest.fixture(scope="module")
def model():
    return tiny_model(gain=0.3)


def run(model, latent, **settings):
    return DDIMInvert.execute(model, latent, **given(DDIMInvert, **{**SETTINGS, "positive": POSITIVE, **settings})).result


def test_walks_the_published_steps(model):
    latent = picture(2)
    noise, trajectory, sigmas, info, _ = run(model, latent)
    levels = leading_sigmas(model.model.model_sampling.sigmas, 10, 0.8)
    assert torch.equal(trajectory.sigmas, levels) and torch.equal(sigmas, levels.flip(0))
    assert torch.equal(trajectory.states[0], model.model.process_latent_in(latent["samples"]))
    for i, (sigma, next_sigma) in enumerate(zip(levels[:-1].tolist(), levels[1:].tolist(), strict=True)):
        x = trajectory.states[i]
        w = x * ((1 + next_sigma**2) / (1 + sigma**2)) ** 0.5
        expected = x + (next_sigma - sigma) * (w - denoised(model, POSITIVE, w, next_sigma)) / next_sigma
        assert torch.allclose(trajectory.states[i + 1], expected, atol=2e-5)
    assert torch.equal(noise["samples"], model.model.process_latent_out(trajectory.states[-1].clone()))
    assert info.splitlines()[0] == f"ddim: 8 steps up to sigma {levels[-1]:.4g}, 8 model calls a picture, cfg 1."


def test_the_trajectory_says_where_it_comes_from(model):
    latent = {**picture(2), "batch_index": [4, 1]}
    trajectory = run(model, latent, method="fixed point", cfg=1.5, negative=NEGATIVE)[1]
    assert (trajectory.method, trajectory.cfg, trajectory.batch_index) == ("fixed point", 1.5, (4, 1))
    assert torch.equal(trajectory.clean, latent["samples"]) and trajectory.clean is not latent["samples"]
    kind = trajectory.model
    assert (kind.model, kind.config, kind.latent_format, kind.prediction) == (
        "BaseModel",
        "SD15",
        "SD15",
        "ModelSamplingDiscrete + EPS",
    )
    assert kind.sigma_max == float(model.model.model_sampling.sigma_max)
    assert trajectory.states.shape == (9, 2, 4, 8, 8) and trajectory.states.dtype == torch.float32


@pytest.mark.parametrize(
    "settings, calls_expected, rows_a_call",
    [
        ({}, 8, 2),
        ({"cfg": 1.5, "negative": NEGATIVE}, 8, 4),
        ({"method": "fixed point", "refinements": 2}, 16, 2),
        ({"strength": 0.01}, 1, 2),
    ],
)
def test_model_calls(model, settings, calls_expected, rows_a_call):
    seen, calls = watched(model)
    info = run(seen, picture(2), **settings)[3]
    assert calls.rows == [rows_a_call] * calls_expected
    assert f"{calls_expected * rows_a_call // 2} model calls a picture" in info
    assert calls.sigmas == sorted(calls.sigmas) and calls.sigmas[0] > 0


def test_guided_inversion_is_the_hosts_guidance(model):
    state = run(model, picture(), cfg=3.0, negative=NEGATIVE, steps=1, strength=1.0)[1]
    x, sigma = state.states[0], float(state.sigmas[1])
    w = x * (1 + sigma**2) ** 0.5
    positive, negative = denoised(model, POSITIVE, w, sigma), denoised(model, NEGATIVE, w, sigma)
    expected = x + w - (negative + 3 * (positive - negative))
    assert torch.allclose(state.states[1], expected, atol=1e-5)


def test_info_warns_of_guidance_and_reports_the_residual(model):
    assert "Warning: at cfg 7.5 an inversion no longer leads back" in run(model, picture(), cfg=7.5, negative=NEGATIVE)[3]
    assert "Warning" not in run(model, picture(), cfg=2.0, negative=NEGATIVE)[3]
    assert "Worst residual" in run(model, picture(), method="fixed point")[3]
    assert "Worst residual" in run(model, picture(), method="ddim")[3]
    assert "residual" not in run(model, picture(), method="midpoint")[3]


def test_fixed_point_comes_back_by_plain_sampling_and_ddim_does_not(model):
    errors = {}
    for method, refinements in (("ddim", 1), ("fixed point", 3), ("fixed point", 30)):
        trajectory = run(model, picture(), method=method, refinements=refinements)[1]
        back = MaskedLatentSample.execute(model, POSITIVE, trajectory, 1.0, "euler", 0, NEGATIVE).result[0]["samples"]
        errors[method, refinements] = float((back - picture()["samples"]).square().mean().sqrt())
    assert errors["fixed point", 3] < errors["ddim", 1] / 5
    assert errors["fixed point", 30] < 2e-5 < errors["ddim", 1]


def test_its_sigmas_and_latent_feed_the_hosts_own_sampler(model):
    """As SamplerCustom does with add_noise off."""
    noise, _, sigmas, *_ = run(model, picture(), method="fixed point", refinements=30)
    back = comfy.samplers.sample(
        model,
        torch.zeros_like(noise["samples"]),
        POSITIVE,
        NEGATIVE,
        1.0,
        model.load_device,
        comfy.samplers.sampler_object("euler"),
        sigmas,
        model_options=model.model_options,
        latent_image=noise["samples"],
        disable_pbar=True,
    )
    assert torch.allclose(back, picture()["samples"], atol=1e-4)


def test_a_schedule_on_the_input_is_walked_backwards(model):
    schedule = comfy.samplers.calculate_sigmas(model.model.model_sampling, "karras", 6)
    _, trajectory, sigmas, *_ = run(model, picture(), sigmas=schedule, steps=1, strength=0.01)
    assert torch.equal(trajectory.sigmas, schedule.flip(0)) and torch.equal(sigmas, schedule)
    assert len(trajectory.states) == 7


def test_prompts_left_out_are_the_empty_prompt(model):
    empty = clip().encode_from_tokens_scheduled(clip().tokenize(""))
    found = run(model, picture(), positive=None, clip=clip())[1].states
    assert torch.equal(found, run(model, picture(), positive=empty)[1].states)
    guided = run(model, picture(), cfg=2.0, clip=clip())[1].states
    assert torch.equal(guided, run(model, picture(), cfg=2.0, negative=empty)[1].states)


def test_the_latents_other_entries_are_carried_but_for_the_mask(model):
    latent = {**picture(), "noise_mask": torch.ones(1, 64, 64), "batch_index": [3], "type": "x"}
    noise = run(model, latent)[0]
    assert noise.keys() == {"samples", "batch_index", "type"} and noise["batch_index"] == [3]
    assert "noise_mask" in latent and torch.equal(latent["samples"], picture()["samples"])
    assert torch.equal(noise["samples"], run(model, picture())[0]["samples"])


def test_the_same_call_gives_the_same_bytes_and_draws_nothing(model):
    state = torch.get_rng_state()
    first, again = run(model, picture(2), method="fixed point"), run(model, picture(2), method="fixed point")
    assert torch.equal(first[1].states, again[1].states) and torch.equal(first[0]["samples"], again[0]["samples"])
    assert first[3] == again[3] and torch.equal(torch.get_rng_state(), state)


def test_progress_counts_the_steps(model, monkeypatch):
    seen = []
    monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", lambda value, total, *_, **__: seen.append((value, total)))
    run(model, picture())
    assert seen[0] == (1, 8) and seen[-1] == (8, 8)


def test_an_interrupt_ends_within_one_model_call_and_leaves_nothing(model):
    before, weights = run(model, picture(), method="fixed point"), fingerprint(model)
    seen, calls = watched(model, interrupt_at=5)
    with interrupted():
        run(seen, picture(), method="fixed point")
    assert len(calls.rows) == 5
    after = run(model, picture(), method="fixed point")
    assert torch.equal(before[1].states, after[1].states) and before[3] == after[3]
    assert fingerprint(model) == weights


@pytest.mark.parametrize("method", METHODS)
def test_as_inverted_leads_back(model, method):
    trajectory = run(model, picture(2), method=method, refinements=8)[1]
    assert trajectory.method == method
    back = MaskedLatentSample.execute(model, POSITIVE, trajectory, 1.0, AS_INVERTED, 0, NEGATIVE).result[0]["samples"]
    error = float((back - picture(2)["samples"]).square().mean().sqrt())
    assert error < {"o-belm": 1e-4, "ddpm": 1e-5, "fixed point": 1e-2}.get(method, 1.5), error


def test_ddpm_draws_by_seed_and_picture_only(model):
    state = torch.get_rng_state()
    both = run(model, picture(2), method="ddpm", seed=3)[1].states
    second = {"samples": picture(2)["samples"][1:], "batch_index": [1]}
    assert torch.allclose(run(model, second, method="ddpm", seed=3)[1].states, both[:, 1:], atol=1e-6)
    assert not torch.allclose(run(model, picture(2), method="ddpm", seed=4)[1].states[1:], both[1:], atol=1)
    assert torch.equal(torch.get_rng_state(), state)


def test_walking_back_reports_what_sampling_misses(model):
    trajectory = run(model, picture(2))[1]
    back = MaskedLatentSample.execute(model, POSITIVE, trajectory, 1.0, "euler", 0, NEGATIVE).result[0]["samples"]
    missed = model.model.process_latent_in(back) - trajectory.states[0]
    error = float(missed.square().mean((1, 2, 3)).sqrt().max())
    seen, calls = watched(model)
    info = run(seen, picture(2), walk_back=True)[3]
    assert f"misses the picture by {error:.2e}" in info and len(calls.rows) == 16
    by_level = [float(value) for value in info.split("down: ")[1].split("\n")[0].split()]
    assert len(by_level) == 8 and by_level[-1] == float(f"{error:.1e}") and by_level == sorted(by_level)
    assert "misses the picture" not in run(model, picture(2))[3]


def test_of_several_pictures_the_one_that_comes_back_worst_by_its_own_spread_is_told_of(model):
    loud, faint = picture(2, seed=1)["samples"].split(1)
    loud, faint = {"samples": loud * 3}, {"samples": faint / 3, "batch_index": [1]}
    both = {"samples": torch.cat([loud["samples"], faint["samples"]])}
    for settings in ({"walk_back": True}, {}):
        told, *alone = (
            DDIMInvert.execute(model, latent, **given(DDIMInvert, **{**SETTINGS, "positive": POSITIVE, **settings})).ui[
                "inversion"
            ][0]
            for latent in (both, loud, faint)
        )
        shares = [(one["missed"][-1] if settings else one["residual"]) / one["spread"] for one in alone]
        worst = alone[shares.index(max(shares))]
        assert shares[0] != pytest.approx(shares[1], rel=0.1)
        assert told["spread"] == pytest.approx(worst["spread"], rel=1e-5) and told["grade"] == worst["grade"]
        assert told["residuals"] == pytest.approx(worst["residuals"], rel=1e-3)


def test_a_poor_inversion_is_said_to_be_one(model):
    assert "Warning: that is a poor inversion" in run(model, picture(), cfg=7.5, negative=NEGATIVE, walk_back=True)[3]
    assert "Warning" not in run(model, picture(), method="o-belm", walk_back=True)[3]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_every_scheduler_ends_at_the_level_of_the_strength(model, scheduler):
    _, trajectory, sigmas, *_ = run(model, picture(), scheduler=scheduler, steps=20, strength=0.5)
    table = model.model.model_sampling.sigmas
    assert float(sigmas[0]) == float(table[451]) and float(sigmas[-1]) == 0
    assert len(sigmas) > 1 and (sigmas[:-1] > sigmas[1:]).all()
    whole = comfy.samplers.calculate_sigmas(model.model.model_sampling, scheduler, 20)
    assert set(sigmas[1:].tolist()) <= set(whole.float().tolist())


class TestNoise:
    """The host's own nodes start from the inversion."""

    def start(self, model, noise, latent, sigmas):
        """The first state that a sampler of the host sees."""
        seen = []
        sampler = comfy.samplers.KSAMPLER(lambda model, x, sigmas, **_: seen.append(x.clone()) or x)
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(POSITIVE, NEGATIVE)
        SamplerCustomAdvanced.execute(noise, guider, sampler, sigmas, latent)
        return seen[0]

    @pytest.mark.parametrize("latent", [picture(2), {"samples": torch.zeros(2, 4, 8, 8)}, picture(2, seed=7)])
    def test_starts_at_the_last_state_whatever_the_latent(self, model, latent):
        _, trajectory, sigmas, _, noise = run(model, picture(2))
        assert torch.allclose(self.start(model, noise, latent, sigmas), trajectory.states[-1], atol=1e-5)

    def test_at_the_models_highest_level(self, model):
        schedule = comfy.samplers.calculate_sigmas(model.model.model_sampling, "karras", 6)
        _, trajectory, sigmas, _, noise = run(model, picture(), sigmas=schedule)
        assert torch.allclose(self.start(model, noise, picture(), sigmas), trajectory.states[-1], atol=1e-5)

    def test_a_noise_mask_keeps_the_picture(self, model):
        _, _, sigmas, _, noise = run(model, picture(2))
        mask = torch.zeros(1, 64, 64)
        mask[..., :32] = 1
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(POSITIVE, NEGATIVE)
        guider.set_cfg(7.5)
        sampler = comfy.samplers.sampler_object("euler")
        latent = {**picture(2), "noise_mask": mask}
        out = SamplerCustomAdvanced.execute(noise, guider, sampler, sigmas, latent).result[0]["samples"]
        assert torch.allclose(out[..., 4:], picture(2)["samples"][..., 4:], atol=1e-4)
        assert float((out[..., :4] - picture(2)["samples"][..., :4]).abs().mean()) > 0.1

    def test_latents_of_another_shape_are_refused(self, model):
        noise = run(model, picture(2))[4]
        with pytest.raises(ValueError, match=r"noise comes from an inversion of the shape \(2, 4, 8, 8\).*connect the latent"):
            noise.generate_noise(picture(1))


class TestStates:
    def test_are_decodable_from_noise_to_picture(self, model):
        trajectory = run(model, picture(2))[1]
        shown = TrajectoryStates.execute(model, trajectory, 3).result[0]["samples"]
        assert shown.shape == (6, 4, 8, 8)
        for row, state, sigma in zip(
            shown[:3], trajectory.states[[8, 4, 0], 0], trajectory.sigmas[[8, 4, 0]].tolist(), strict=True
        ):
            expected = model.model.process_latent_out(state / (1 + sigma**2) ** 0.5)
            assert torch.allclose(row, expected, atol=1e-5)
        assert torch.allclose(shown[5], picture(2)["samples"][1], atol=1e-5)


class TestRefusals:
    def refuse(self, message, model, latent=None, **settings):
        seen, calls = watched(model)
        with pytest.raises(ValueError, match=message):
            run(seen, latent or picture(), **settings)
        return calls.rows

    def test_no_clip_for_a_prompt_left_out(self, model):
        assert not self.refuse(
            "positive is left out.*Connect clip, or connect a conditioning to positive", model, positive=None
        )
        assert not self.refuse("negative is left out.*Connect clip", model, cfg=2.0)

    def test_schedules(self, model):
        assert not self.refuse("steps is 1001", model, steps=1001)
        assert not self.refuse("sigmas must fall strictly", model, sigmas=torch.tensor([0.0, 1.0, 0.0]))
        assert not self.refuse("sigmas ends in 1", model, sigmas=torch.tensor([2.0, 1.0]))
        assert not self.refuse("sigmas starts at 100", model, sigmas=torch.tensor([100.0, 1.0, 0.0]))

    def test_methods(self, model):
        assert not self.refuse("method is 'euler'; choose one of ddim, predictor, fixed point", model, method="euler")

    def test_predictions_that_are_not_finite(self):
        broken = tiny_model()
        broken.model.diffusion_model.out[2].bias.data.fill_(float("inf"))
        self.refuse("model gives predictions that are not finite", broken)


def numbers(model, latent, **settings) -> tuple[dict, str]:
    """What the browser is given, as it arrives there, and what is said in words."""
    output = DDIMInvert.execute(model, latent, **given(DDIMInvert, **{**SETTINGS, "positive": POSITIVE, **settings}))
    (report,) = json.loads(json.dumps(output.ui["inversion"], allow_nan=False))
    return report, output.result[3]


def test_the_browser_is_given_the_numbers_behind_the_words(model):
    report, info = numbers(model, picture(2), method="fixed point", walk_back=True)
    trajectory = run(model, picture(2), method="fixed point")[1]
    assert (report["method"], report["cfg"], report["poor"]) == ("fixed point", 1.0, False)
    assert report["sigmas"] == trajectory.sigmas.tolist() and len(report["residuals"]) == len(report["missed"]) == 8
    assert f"{report['model_calls']} model calls" in info
    assert (
        f"Worst residual {max(report['residuals']):.2e} at step {1 + report['residuals'].index(max(report['residuals']))} "
        in info
    )
    assert f"misses the picture by {report['missed'][-1]:.2e}" in info
    assert info.split("down: ")[1].split("\n")[0].split() == [f"{error:.1e}" for error in report["missed"]]


def test_what_a_method_does_not_measure_is_left_out(model):
    report, info = numbers(model, picture(), method="midpoint")
    assert report["residuals"] == [None] * 8 and report["missed"] is None and "residual" not in info
    assert numbers(model, picture(), cfg=7.5, negative=NEGATIVE, walk_back=True)[0]["poor"]


@pytest.mark.parametrize("method", METHODS)
def test_the_memory_of_a_trajectory_is_foretold(model, method):
    latent = {"samples": picture(2)["samples"].double()}
    report, info = numbers(model, latent, method=method)
    trajectory = run(model, latent, method=method)[1]
    held = [
        tensor for tensor in vars(trajectory).values() if isinstance(tensor, torch.Tensor) and tensor is not trajectory.sigmas
    ]
    needed = trajectory_bytes(latent["samples"], trajectory.sigmas, METHODS[method])
    assert needed == trajectory.memory == report["memory"] == sum(tensor.nbytes for tensor in held)
    assert f"The trajectory holds 9 states: {in_units(needed)} of memory." in info


def test_a_trajectory_that_does_not_fit_is_refused_before_it_starts(model):
    seen, calls = watched(model)
    samples, levels = picture(3)["samples"], leading_sigmas(sigma_table(model), 10, 0.8)
    needed = trajectory_bytes(samples, levels, METHODS["ddim"])
    course, guidance = Course(levels, "ddim"), Guidance(POSITIVE, None, 1.0)
    says = (
        r"^latent of the shape \(3, 4, 8, 8\) has a trajectory of 30 KiB over 8 steps, and 10 KiB of memory are free; "
        "use fewer steps, a lower strength, or fewer pictures"
    )
    with pytest.raises(ValueError, match=says):
        invert_latent(seen, Latents(samples), guidance, course, free=10 * 1024)
    with pytest.raises(ValueError, match="are free"):
        invert_latent(seen, Latents(samples), guidance, course, free=needed - 1)
    assert not calls.rows
    assert len(invert_latent(seen, Latents(samples), guidance, course, free=needed).trajectory.states) == 9


def test_bytes_as_people_read_them():
    assert [in_units(count) for count in (0, 1023, 1024, 2.625 * 2**20, 1000 * 2**20, 3.5 * 2**30)] == [
        *("0 bytes", "1023 bytes", "1 KiB", "2.62 MiB", "1000 MiB", "3.5 GiB")
    ]
