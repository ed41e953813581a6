"""Masked Latent Sample on a real, small host model."""

import comfy.model_management
import comfy.samplers
import comfy.supported_models
import comfy.utils
import folder_paths
import pytest
import torch
from comfy_extras.nodes_custom_sampler import Noise_EmptyNoise, SamplerCustomAdvanced
from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion
from host.models.node_inputs import given, mask_inputs
from host.models.tiny_diffusion import clip, denoised, fingerprint, interrupted, picture, prompt, tiny_model, watched
from time_diffedit.diffedit_core.inversion.methods import METHODS
from time_diffedit.diffedit_core.model.noise import picture_noise
from time_diffedit.diffedit_core.repaint.background import BACKGROUNDS
from time_diffedit.diffedit_core.repaint.masked_sampling import AS_INVERTED, SAMPLERS
from time_diffedit.nodes import DDIMInvert, DiffEditMask, MaskedLatentSample, MaskedLatentSampleAdvanced, MaskedLatentSampler
from torch.overrides import TorchFunctionMode

INVERTED, POSITIVE, NEGATIVE = (prompt(i) for i in range(3))


@pytest.fixture(scope="module")
def model():
    return tiny_model(gain=0.3)


def invert(model, latent, **settings):
    settings = {"steps": 10, "strength": 0.8, "cfg": 1.0, "method": "ddim", **settings}
    return DDIMInvert.execute(model, latent, positive=INVERTED, **given(DDIMInvert, **settings)).result[1]


@pytest.fixture(scope="module")
def trajectory(model):
    return invert(model, picture(2))


def half(batch: int = 1) -> torch.Tensor:
    """A MASK whose left half is 1."""
    mask = torch.zeros(batch, 64, 64)
    mask[..., :32] = 1
    return mask


def run(model, trajectory, **settings):
    settings = {"cfg": 7.5, "sampler_name": "euler", "seed": 0, "mask": half(), **settings}
    return MaskedLatentSample.execute(model, POSITIVE, trajectory, **{"negative": NEGATIVE, **settings}).result


def samples(*args, **kwargs) -> torch.Tensor:
    return run(*args, **kwargs)[0]["samples"]


@pytest.mark.parametrize("sampler_name", SAMPLERS)
def test_outside_the_mask_it_is_the_original_bit_for_bit(model, trajectory, sampler_name):
    generator = torch.get_rng_state()
    latent, denoised = run(model, trajectory, sampler_name=sampler_name)
    original = picture(2)["samples"]
    for result in (latent["samples"], denoised["samples"]):
        assert torch.equal(result[..., 4:], original[..., 4:])
        assert float((result[..., :4] - original[..., :4]).abs().mean()) > 0.1
        assert torch.isfinite(result).all() and result.dtype == original.dtype
    assert torch.equal(run(model, trajectory, sampler_name=sampler_name)[0]["samples"], latent["samples"])
    assert torch.equal(torch.get_rng_state(), generator)


def test_the_first_choice_is_the_way_back():
    options = {i.id: i for i in MaskedLatentSample.define_schema().inputs}["sampler_name"]
    assert options.options == [AS_INVERTED, *SAMPLERS] and options.default == AS_INVERTED


def test_a_negative_left_out_is_the_empty_prompt(model, trajectory):
    empty = clip().encode_from_tokens_scheduled(clip().tokenize(""))
    expected = samples(model, trajectory, negative=empty)
    assert torch.equal(samples(model, trajectory, negative=None, clip=clip()), expected)
    assert not torch.equal(samples(model, trajectory), expected)
    seen, calls = watched(model)
    with pytest.raises(ValueError, match="negative is left out.*no clip is connected.*Connect clip"):
        samples(seen, trajectory, negative=None)
    assert not calls.rows


def test_a_negative_is_asked_for_only_where_it_is_read(model, trajectory):
    assert torch.equal(samples(model, trajectory, negative=None, cfg=1.0), samples(model, trajectory, cfg=1.0))
    with pytest.raises(ValueError, match="negative is left out"):
        samples(model, trajectory, negative=None, cfg=1.0, sampler_name="euler_cfg_pp")
    always = model.clone()
    always.model_options["disable_cfg1_optimization"] = True
    with pytest.raises(ValueError, match="negative is left out"):
        samples(always, trajectory, negative=None, cfg=1.0)


def test_as_inverted_is_euler_after_ddim(model, trajectory):
    assert torch.equal(samples(model, trajectory, sampler_name=AS_INVERTED), samples(model, trajectory))


@pytest.mark.parametrize("method", METHODS)
def test_after_every_method_the_outside_is_the_original(model, method):
    own = invert(model, picture(2), method=method)
    for result in run(model, own, sampler_name=AS_INVERTED):
        assert torch.equal(result["samples"][..., 4:], picture(2)["samples"][..., 4:])
        assert float((result["samples"][..., :4] - picture(2)["samples"][..., :4]).abs().mean()) > 0.1


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("sampler_name", ["euler", "heun", "dpmpp_2m", "lms"])
def test_every_background_ends_on_the_original(model, trajectory, background, sampler_name):
    latent, _ = run(model, trajectory, background=background, sampler_name=sampler_name)
    assert torch.equal(latent["samples"][..., 4:], picture(2)["samples"][..., 4:])
    assert torch.equal(
        samples(model, trajectory, background=background, mask=torch.ones(1, 64, 64)), samples(model, trajectory, mask=None)
    )


def seen_outside(model, trajectory, **settings) -> torch.Tensor:
    """What the model sees in the right half, call by call."""
    seen = []
    watching = model.clone()
    watching.set_model_unet_function_wrapper(
        lambda apply, args: seen.append(args["input"][:2]) or apply(args["input"], args["timestep"], **args["c"])
    )
    run(watching, trajectory, **settings)
    return torch.stack(seen)[..., 4:]


def test_a_noised_background_is_inpaintings(model, trajectory):
    """The picture under one noise, as the host's own inpainting covers it."""
    noise = torch.stack([picture_noise(9, k, 0, (4, 8, 8)) for k in (0, 1)])
    expected = trajectory.states[0] + trajectory.sigmas[1:].flip(0)[:, None, None, None, None] * noise
    found = seen_outside(model, trajectory, background="noised picture", seed=9)
    assert torch.allclose(found, expected[..., 4:], atol=1e-5)


def test_the_background_is_kept_only_within_the_window(model, trajectory):
    stored = trajectory.states[1:].flip(0)[..., 4:]
    kept = [
        torch.equal(*pair)
        for pair in zip(seen_outside(model, trajectory, inject_begin=0.25, inject_end=0.5), stored, strict=True)
    ]
    assert kept == [True, False, True, True] + [False] * 4  # the first state is the trajectory's own
    free = samples(model, trajectory, inject_end=0.5)
    assert float((free - picture(2)["samples"])[..., 4:].abs().mean()) > 0.01
    late = samples(model, trajectory, inject_begin=0.5)
    assert torch.equal(late[..., 4:], picture(2)["samples"][..., 4:])


def test_sampling_may_start_lower(model, trajectory):
    seen, calls = watched(model)
    lower = samples(seen, trajectory, start=0.5)
    assert len(calls.rows) == 4 and calls.sigmas[0] == float(trajectory.sigmas[4])
    assert torch.equal(lower[..., 4:], picture(2)["samples"][..., 4:])
    inverted_less = invert(model, picture(2), strength=0.4)
    assert torch.equal(lower, samples(model, inverted_less))


class TestAdvanced:
    def guider(self, model, cfg=7.5):
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(POSITIVE, NEGATIVE)
        guider.set_cfg(cfg)
        return guider

    def run(self, model, trajectory, **settings):
        settings = {"seed": 0, "mask": half(), **settings}
        return MaskedLatentSampleAdvanced.execute(self.guider(model), trajectory, **settings).result[0]["samples"]

    def test_is_the_plain_node_with_parts_of_the_host(self, model, trajectory):
        for name in ("euler", "heun", "dpmpp_2m"):
            sampler = comfy.samplers.sampler_object(name)
            assert torch.equal(self.run(model, trajectory, sampler=sampler), samples(model, trajectory, sampler_name=name))
        assert torch.equal(self.run(model, trajectory), samples(model, trajectory, sampler_name=AS_INVERTED))

    def test_another_schedule_walks_between_the_states(self, model, trajectory):
        schedule = torch.cat([torch.linspace(float(trajectory.sigmas[-1]), 0.1, 5), torch.zeros(1)])
        seen, calls = watched(model)
        out = self.run(seen, trajectory, sigmas=schedule)
        assert calls.sigmas == schedule[:-1].tolist()
        assert torch.equal(out[..., 4:], picture(2)["samples"][..., 4:])
        with pytest.raises(ValueError, match="sigmas starts at 14.6.*above the trajectory's last level"):
            self.run(model, trajectory, sigmas=torch.tensor([14.6, 1.0, 0.0]))

    def test_exact_methods_keep_to_their_levels(self, model):
        own = invert(model, picture(2), method="o-belm")
        with pytest.raises(ValueError, match="o-belm, which leads back only over its own levels"):
            self.run(model, own, sigmas=torch.tensor([1.0, 0.5, 0.0]))
        assert torch.isfinite(self.run(model, own, sigmas=own.sigmas[:5].flip(0))).all()

    def test_samplers_that_add_noise_leave_the_outside_too(self, model, trajectory):
        sampler = comfy.samplers.sampler_object("euler_ancestral")
        first, again, other = (self.run(model, trajectory, sampler=sampler, seed=seed) for seed in (1, 1, 2))
        assert torch.equal(first, again) and not torch.allclose(first, other, atol=1e-2)
        assert torch.equal(first[..., 4:], picture(2)["samples"][..., 4:])

    def test_samplers_of_another_make_are_refused(self, model, trajectory):
        with pytest.raises(ValueError, match="sampler is a Sampler, which brings its own way to start; connect KSamplerSelect"):
            self.run(model, trajectory, sampler=comfy.samplers.Sampler())


class TestAsSampler:
    """In the host's SamplerCustomAdvanced."""

    def run(self, model, trajectory, latent, **settings):
        sampler = MaskedLatentSampler.execute(model, trajectory, **given(MaskedLatentSampler, **settings)).result[0]
        guider = TestAdvanced().guider(model)
        return SamplerCustomAdvanced.execute(Noise_EmptyNoise(), guider, sampler, trajectory.sigmas.flip(0), latent).result[0][
            "samples"
        ]

    def test_is_the_masked_sampling(self, model, trajectory):
        expected = samples(model, trajectory, sampler_name=AS_INVERTED)
        for latent, settings in ((picture(2), {"mask": half()}), ({**picture(2), "noise_mask": half()}, {})):
            out = self.run(model, trajectory, latent, **settings)
            assert torch.allclose(out, expected, atol=1e-4)
            assert torch.allclose(out[..., 4:], picture(2)["samples"][..., 4:], atol=1e-6)

    def test_a_noised_picture_has_a_seed_of_its_own(self, model, trajectory):
        def out(**settings):
            return self.run(model, trajectory, picture(2), mask=half(), **settings)

        first, again, other = (out(background="noised picture", seed=seed) for seed in (1, 1, 2))
        assert torch.equal(first, again) and not torch.equal(first, other)
        assert torch.equal(out(background="trajectory"), out()) and not torch.equal(first, out())
        by_the_node = samples(model, trajectory, sampler_name=AS_INVERTED, background="noised picture", seed=1)
        assert torch.allclose(first, by_the_node, atol=1e-4)

    def test_other_latents_are_refused(self, model, trajectory):
        with pytest.raises(ValueError, match=r"the latent to sample has the shape \(1, 4, 8, 8\), but trajectory"):
            self.run(model, trajectory, picture(1))


def test_the_background_follows_the_trajectory_on_the_way(model, trajectory):
    seen = []
    watching = model.clone()
    watching.set_model_unet_function_wrapper(
        lambda apply, args: seen.append(args["input"][:2]) or apply(args["input"], args["timestep"], **args["c"])
    )
    run(watching, trajectory)
    assert torch.equal(torch.stack(seen)[..., 4:], trajectory.states[1:].flip(0)[..., 4:])


def test_is_diffedits_blend_after_each_step(model, trajectory):
    """Against the paper's loop, written out: DDIM step, then M y + (1 - M) x_t at the same level."""
    sigmas, state = trajectory.sigmas.flip(0), trajectory.states[-1]
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1
    for i, stored in enumerate(trajectory.states.flip(0)[1:]):
        positive, negative = (denoised(model, p, state, float(sigmas[i])) for p in (POSITIVE, NEGATIVE))
        prediction = negative + 7.5 * (positive - negative)
        step = state + (sigmas[i + 1] - sigmas[i]) * (state - prediction) / sigmas[i]
        state = mask * step + (1 - mask) * stored
    assert torch.allclose(samples(model, trajectory), model.model.process_latent_out(state), atol=2e-3)


def test_without_a_mask_it_is_the_hosts_sampler(model, trajectory):
    class FromState(comfy.samplers.Sampler):
        def sample(self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, *_):
            euler = comfy.samplers.ksampler("euler").sampler_function
            return euler(model_wrap, noise, sigmas, extra_args=extra_args, disable=True)

    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(POSITIVE, NEGATIVE)
    guider.set_cfg(7.5)
    plain = guider.sample(trajectory.states[-1], trajectory.clean, FromState(), trajectory.sigmas.flip(0))
    assert torch.equal(samples(model, trajectory, mask=None), plain)
    assert torch.equal(samples(model, trajectory, mask=torch.ones(1, 64, 64)), plain)


def test_an_empty_mask_is_said_to_repaint_nothing(model, trajectory):
    seen, calls = watched(model)
    with pytest.raises(ValueError, match="mask is 0 everywhere, so nothing would be repainted.*leave mask out"):
        run(seen, trajectory, mask=torch.zeros(1, 64, 64))
    assert not calls.rows


@pytest.mark.parametrize("size", [(96, 512), (64, 32), (64, 80)])
def test_a_mask_of_another_shape_than_the_picture_is_not_stretched(model, size):
    seen, calls = watched(model)
    square = invert(model, picture(1, 32, 32), steps=2)
    mask = torch.zeros(1, *size)
    mask[..., : size[1] // 2] = 1
    with pytest.raises(ValueError, match=rf"mask is {size[1]} x {size[0]} pixels, but the picture is 256 x 256.*stretched"):
        run(seen, square, mask=mask)
    assert not calls.rows


@pytest.mark.parametrize("size", [(256, 256), (260, 263), (32, 32), (1000, 1003), (25, 26)])
def test_a_mask_of_the_picture_before_it_was_cropped_or_of_another_size_is_taken(model, size):
    """VAE Encode cuts off less than a cell."""
    square = invert(model, picture(1, 32, 32), steps=2)
    mask = torch.zeros(1, *size)
    mask[..., : size[1] // 2] = 1
    assert torch.isfinite(samples(model, square, mask=mask)).all()


def test_a_mask_that_is_the_same_everywhere_has_no_shape(model, trajectory):
    assert torch.equal(samples(model, trajectory, mask=torch.ones(1, 64, 512)), samples(model, trajectory, mask=None))


def test_masks_of_other_sizes_and_one_for_each_picture(model, trajectory):
    expected = samples(model, trajectory)
    for mask in (half()[0], half(2), half()[:, ::8, ::8], half().repeat_interleave(3, 1).repeat_interleave(3, 2)):
        assert torch.equal(samples(model, trajectory, mask=mask), expected)
    each = torch.cat([torch.zeros(1, 64, 64), half()])
    found = samples(model, trajectory, mask=each)
    assert torch.equal(found[0], picture(2)["samples"][0])
    assert torch.allclose(found[1], expected[1], atol=1e-4)


def test_soft_masks_change_less(model, trajectory):
    original = picture(2)["samples"]
    changes = [float((samples(model, trajectory, mask=half() * m) - original).abs().mean()) for m in (0.01, 0.1, 0.5, 1)]
    assert changes == sorted(changes) and changes[0] < changes[1]


def test_differential_diffusion_is_honoured(model, trajectory):
    ramp = torch.linspace(0, 1, 8).repeat_interleave(8).expand(1, 64, 64)
    differential = DifferentialDiffusion.execute(model).result[0]
    plain, gradual = samples(model, trajectory, mask=ramp), samples(differential, trajectory, mask=ramp)
    assert torch.isfinite(gradual).all() and not torch.allclose(plain, gradual, atol=1e-2)
    assert torch.equal(gradual[..., 0], picture(2)["samples"][..., 0])


@pytest.fixture(scope="module", params=["fixed point", "o-belm", "ddpm"])
def own(request, model):
    return invert(model, picture(2), method=request.param, **({"refinements": 30} if "fixed" in request.param else {}))


class TestTheSamePrompt:
    """At cfg 1 it leads back along the trajectory, so that nothing may change, whatever the mask lets change."""

    WAYS = {
        "soft .1": {"mask": 0.1},
        "soft .5": {"mask": 0.5},
        "soft .9": {"mask": 0.9},
        "the last steps are free": {"inject_end": 0.8},
        "the first and the last are": {"inject_begin": 0.2, "inject_end": 0.8},
        "differential diffusion": {"mask": 0.5, "differential": True},
    }

    def back(self, model, own, mask=None, differential=False, **settings):
        model = DifferentialDiffusion.execute(model).result[0] if differential else model
        mask = half() if mask is None else torch.full((1, 64, 64), mask)
        settings = {"mask": mask, "sampler_name": AS_INVERTED, "seed": 0, "cfg": 1.0, **settings}
        return [each["samples"] for each in MaskedLatentSample.execute(model, INVERTED, own, **settings).result]

    @pytest.mark.parametrize("way", WAYS)
    def test_gives_the_picture_back(self, model, own, way):
        result, _ = self.back(model, own, **self.WAYS[way])
        assert float((result - picture(2)["samples"]).abs().max()) < 1e-3

    @pytest.mark.parametrize("background, most", [("clean estimate", 1.0), ("noised picture", 2.0)])
    def test_nearly_with_other_backgrounds(self, model, own, background, most):
        for result in self.back(model, own, mask=0.1, background=background):
            assert float((result - picture(2)["samples"]).std()) < most  # of 4.2

    def test_the_estimate_is_the_picture_outside(self, model, own):
        _, estimate = self.back(model, own, mask=0.1)
        assert float((estimate - picture(2)["samples"]).std()) < 1.0


@pytest.mark.parametrize("method", ["o-belm", "ddpm"])
def test_the_model_sees_the_states_of_ways_with_levels_of_their_own(model, method):
    own = invert(model, picture(2), method=method)
    steps = 7 if method == "o-belm" else 8  # o-belm takes the first one without asking
    stored = own.states[1:].flip(0)[-steps:, ..., 4:]
    assert torch.equal(seen_outside(model, own, sampler_name=AS_INVERTED), stored)
    late = seen_outside(model, own, sampler_name=AS_INVERTED, inject_begin=0.5)[-4:]
    assert torch.equal(late, stored[-4:])
    # From the end on the model paints on the trajectory's state, whatever was composed before the begin.
    window = seen_outside(model, own, sampler_name=AS_INVERTED, inject_begin=0.25, inject_end=0.5)
    kept = [torch.equal(seen, state) for seen, state in zip(window[-7:], stored[-7:], strict=True)]
    assert kept[1:] == [True] * 3 + [False] * 3


def test_one_step_of_o_belm_would_not_ask_the_model(model):
    own = invert(model, picture(2), method="o-belm")
    with pytest.raises(ValueError, match="o-belm, which asks the model only from its second step on, and 1 is walked"):
        run(model, own, sampler_name=AS_INVERTED, start=0.01)
    assert torch.isfinite(samples(model, own, start=0.01)).all()
    assert torch.isfinite(samples(model, own, sampler_name=AS_INVERTED, start=0.25)).all()


def test_a_result_that_is_not_restored_lies_as_the_hosts_samplers_leave_it(model, trajectory, monkeypatch):
    restored = samples(model, trajectory)
    expected = samples(model, trajectory, mask=None)
    monkeypatch.setattr(comfy.model_management, "intermediate_dtype", lambda: torch.float16)
    for settings in ({"mask": None}, {"inject_end": 0.5}):
        for result in run(model, trajectory, **settings):
            assert result["samples"].dtype == torch.float16
    assert torch.equal(samples(model, trajectory, mask=None), expected.half())
    assert torch.equal(samples(model, trajectory), restored)


class WholeTrajectories(TorchFunctionMode):
    """Counts the copies of more than one state that are asked for."""

    def __init__(self, states):
        super().__init__()
        self.shape, self.copies = states.shape, 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in (torch.Tensor.to, torch.Tensor.clone, torch.Tensor.cpu):
            x = args[0]
            self.copies += x.shape[1:] == self.shape[1:] and len(x) > 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("method", ["fixed point", "o-belm", "ddpm"])
def test_states_go_to_the_device_one_by_one(model, method):
    own = invert(model, picture(2), method=method)
    with WholeTrajectories(own.states) as whole:
        run(model, own, sampler_name=AS_INVERTED)
        own.states.to(torch.float64)
    assert whole.copies == 1  # this test's own


def test_another_seed_changes_nothing(model, trajectory):
    assert torch.equal(samples(model, trajectory), samples(model, trajectory, seed=1))


def test_other_weights_of_the_same_kind_are_welcome(trajectory):
    other = samples(tiny_model(seed=5, gain=0.3), trajectory)
    assert torch.equal(other[..., 4:], picture(2)["samples"][..., 4:])


def test_the_three_nodes_in_a_row_as_the_host_runs_them(model, tmp_path, monkeypatch):
    """The host executes nodes in inference mode, with a text encoder whose weights would otherwise ask for gradients."""
    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path))
    with torch.inference_mode():
        target, source = (clip().encode_from_tokens_scheduled(clip().tokenize(t)) for t in ("a blue rose", "a red rose"))
        found, *_ = DiffEditMask.execute(model, picture(2), target, 0, 2, 0.5, **mask_inputs(), source=source).result
        own = DDIMInvert.execute(model, picture(2), 10, 0.8, 1.0, {"method": "ddim"}, clip=clip()).result[1]
        edited = MaskedLatentSample.execute(model, target, own, 7.5, "euler", 0, source, mask=found).result[0]["samples"]
    inside = found[:, None, ::8, ::8].bool().expand_as(edited)
    assert torch.equal(edited[~inside], picture(2)["samples"][~inside])
    assert inside.any() and (edited[inside] != picture(2)["samples"][inside]).all()


def test_carries_the_batch_index(model):
    indexed = invert(model, {**picture(2), "batch_index": [5, 3]})
    assert [result["batch_index"] for result in run(model, indexed)] == [[5, 3], [5, 3]]
    assert run(model, invert(model, picture()))[0].keys() == {"samples"}


def test_an_all_zero_latent_is_restored_too(model):
    empty = invert(model, {"samples": torch.zeros(1, 4, 8, 8)})
    assert torch.equal(samples(model, empty)[..., 4:], torch.zeros(1, 4, 8, 4))


def test_the_trajectory_is_left_as_it_was(model):
    own = invert(model, picture())
    states, clean = own.states.clone(), own.clean.clone()
    result = samples(model, own)
    result.add_(1)
    assert torch.equal(own.states, states) and torch.equal(own.clean, clean)


def test_progress_counts_the_steps(model, trajectory, monkeypatch):
    seen = []
    monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", lambda value, total, *_, **__: seen.append((value, total)))
    run(model, trajectory)
    assert seen[0] == (1, 8) and seen[-1] == (8, 8)


def test_an_interrupt_ends_within_one_model_call_and_leaves_nothing(model, trajectory):
    before, weights = samples(model, trajectory), fingerprint(model)
    seen, calls = watched(model, interrupt_at=3)
    with interrupted():
        run(seen, trajectory)
    assert len(calls.rows) == 3
    assert torch.equal(samples(model, trajectory), before)
    assert fingerprint(model) == weights


class TestRefusals:
    def refuse(self, message, model, trajectory, **settings):
        seen, calls = watched(model)
        with pytest.raises(ValueError, match=message):
            run(seen, trajectory, **settings)
        return calls.rows

    def test_a_trajectory_of_another_kind_of_model(self, trajectory):
        sd2 = tiny_model(config=comfy.supported_models.SD20, use_linear_in_transformer=True, model_channels=64)
        assert not self.refuse(
            r"trajectory was made with SD15 \(BaseModel, ModelSamplingDiscrete \+ EPS.*but model is SD20 \(.*run DDIM Invert",
            sd2,
            trajectory,
        )

    def test_masks(self, model, trajectory):
        assert not self.refuse("mask contains values that are not finite", model, trajectory, mask=half() / 0)
        assert not self.refuse("mask has values from 0 to 255", model, trajectory, mask=half() * 255)
        assert not self.refuse(r"mask holds 3 masks for 2 picture\(s\)", model, trajectory, mask=half(3))

    def test_samplers_that_add_noise(self, model, trajectory):
        assert not self.refuse(
            "sampler_name is 'euler_ancestral'; choose one of as inverted, euler, heun",
            model,
            trajectory,
            sampler_name="euler_ancestral",
        )
