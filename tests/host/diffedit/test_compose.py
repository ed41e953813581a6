"""Masked sampling together with everything else that the host can do to a model, a prompt or a sampler."""

import comfy.cldm.cldm
import comfy.controlnet
import comfy.hooks
import comfy.samplers
import comfy.sd
import pytest
import torch
from comfy_extras.nodes_custom_sampler import BasicGuider, DisableNoise, DualCFGGuider, SamplerCustomAdvanced
from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion
from comfy_extras.nodes_hooks import CreateHookKeyframe, SetHookKeyframes
from comfy_extras.nodes_model_advanced import ModelSamplingSD3, RescaleCFG
from host.models.families import random
from host.models.node_inputs import given
from host.models.picture_families import PAINTERS
from host.models.tiny_diffusion import CONTEXT, CPU, UNET, fingerprint, picture, prompt, randomise, tiny_model
from host.time.test_adapter import some_edit
from time_diffedit.diffedit_core.model.noise import picture_noise
from time_diffedit.diffedit_core.repaint.background import BACKGROUNDS
from time_diffedit.diffedit_core.repaint.masked_sampling import AS_INVERTED
from time_diffedit.nodes import DDIMInvert, MaskedLatentSample, MaskedLatentSampleAdvanced, MaskedLatentSampler
from time_diffedit.time_core.application.hook import edit_hook

import nodes

SOURCE, TARGET, NEGATIVE, OTHER = (prompt(i) for i in range(4))
CFG = 3.0
PICTURE = picture(2)["samples"]


@pytest.fixture(scope="module")
def model():
    model = tiny_model(gain=0.3)
    before = fingerprint(model)
    yield model
    assert fingerprint(model) == before


def invert(model, latent: dict, positive=SOURCE, **settings):
    settings = {"steps": 6, "strength": 0.8, "cfg": 1.0, "method": "ddim", **settings}
    return DDIMInvert.execute(model, latent, positive=positive, **given(DDIMInvert, **settings)).result[1]


@pytest.fixture(scope="module")
def trajectory(model):
    return invert(model, picture(2))


def half(width: int = 64, height: int = 64) -> torch.Tensor:
    """A MASK whose left half is 1."""
    mask = torch.zeros(1, height, width)
    mask[..., : width // 2] = 1
    return mask


def sampled(model, trajectory, positive=TARGET, negative=NEGATIVE, **settings) -> torch.Tensor:
    settings = {"cfg": CFG, "sampler_name": "euler", "seed": 0, "mask": half(), **settings}
    return MaskedLatentSample.execute(model, positive, trajectory, negative=negative, **settings).result[0]["samples"]


def advanced(guider, trajectory, seed: int = 0, **settings) -> torch.Tensor:
    return MaskedLatentSampleAdvanced.execute(guider, trajectory, seed, **{"mask": half(), **settings}).result[0]["samples"]


def cfg_guider(model, positive=TARGET, negative=NEGATIVE, cfg: float = CFG):
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    return guider


class FromState(comfy.samplers.Sampler):
    """A sampler of the host, started from a given state."""

    def __init__(self, name: str, state: torch.Tensor):
        self.function, self.state = comfy.samplers.ksampler(name).sampler_function, state

    def sample(self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, *_):
        inner = comfy.samplers.KSamplerX0Inpaint(model_wrap, sigmas)
        extra_args["denoise_mask"] = None
        return self.function(inner, self.state, sigmas, extra_args=extra_args, disable=True)


def by_the_host(guider, trajectory, name: str = "euler") -> torch.Tensor:
    """The host's own sampling from the inverted noise."""
    sampler, zeros = FromState(name, trajectory.states[-1]), torch.zeros_like(trajectory.clean)
    return guider.sample(zeros, trajectory.clean, sampler, trajectory.sigmas.flip(0), seed=0)


def apart(a: torch.Tensor, b: torch.Tensor) -> float:
    """How far, as a share of the pictures' size."""
    return float((a - b).abs().max() / PICTURE.abs().max())


def inside(samples: torch.Tensor) -> torch.Tensor:
    return samples[..., : samples.shape[-1] // 2]


def outside(samples: torch.Tensor) -> torch.Tensor:
    return samples[..., samples.shape[-1] // 2 :]


@pytest.fixture(scope="module")
def plain(model, trajectory) -> torch.Tensor:
    return sampled(model, trajectory)


def watched(model) -> tuple[object, list[tuple[float, torch.Tensor]]]:
    """A clone that notes what it sees of the first picture: (sigma, x) at each call."""
    seen, clone = [], model.clone()

    def note(apply, args):
        seen.append((float(args["timestep"][0]), args["input"][:1].clone()))
        return apply(args["input"], args["timestep"], **args["c"])

    clone.set_model_unet_function_wrapper(note)
    return clone, seen


LAYER = "diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_v"


def lora_file(scale: float = 3.0) -> dict[str, torch.Tensor]:
    return {
        f"{LAYER}.lora_up.weight": random(64, 2, seed=31) * scale,
        f"{LAYER}.lora_down.weight": random(2, CONTEXT, seed=32),
    }


def with_lora(model):
    return comfy.sd.load_lora_for_models(model, None, lora_file(), 1.0, 0.0)[0]


def with_lora_node(model, positive, negative):
    return with_lora(model), positive, negative


def with_controlnet(model, positive, negative):
    """A real one with random weights, over the middle of the steps."""
    unused = ("image_size", "out_channels", "transformer_depth_output", "legacy")
    config = {name: value for name, value in UNET.items() if name not in unused}
    network = comfy.cldm.cldm.ControlNet(image_size=32, hint_channels=3, num_heads=8, device=CPU, **config)
    randomise(network, seed=21)
    control = comfy.controlnet.ControlNet(network, load_device=CPU)
    image = random(1, 64, 64, 3, seed=22).sigmoid()
    return model, *nodes.ControlNetApplyAdvanced().apply_controlnet(positive, negative, control, image, 1.0, 0.2, 0.9)


def with_more_tokens(model, positive, negative):
    """What IP-Adapters do: more keys and values for the cross-attention."""
    clone, tokens = model.clone(), random(1, 4, CONTEXT, seed=23)

    def patch(n, context, value, extra_options):
        more = tokens.expand(len(n), -1, -1)
        return n, torch.cat([context, more], dim=1), torch.cat([value, more], dim=1)

    clone.set_model_attn2_patch(patch)
    return clone, positive, negative


def with_output_patch(model, positive, negative):
    clone = model.clone()
    clone.set_model_attn2_output_patch(lambda n, extra_options: n * 1.5)
    return clone, positive, negative


def with_rescaled_cfg(model, positive, negative):
    return RescaleCFG().patch(model, 0.7)[0], positive, negative


def with_post_cfg(model, positive, negative):
    clone = model.clone()
    clone.set_model_sampler_post_cfg_function(lambda args: args["denoised"] * 0.9)
    return clone, positive, negative


def with_area(model, positive, negative):
    (region,) = nodes.ConditioningSetArea().append(OTHER, 32, 64, 0, 0, 1.0)
    return model, positive + region, negative


def with_region_mask(model, positive, negative):
    (region,) = nodes.ConditioningSetMask().append(OTHER, half(), "default", 1.0)
    return model, positive + region, negative


def with_timestep_ranges(model, positive, negative):
    node = nodes.ConditioningSetTimestepRange()
    return model, node.set_range(positive, 0.0, 0.7)[0] + node.set_range(OTHER, 0.7, 1.0)[0], negative


def with_hooks(model, positive, negative, made):
    """Scheduled over the steps, as Set Hook Keyframes and Cond Set Props do it."""
    (first,) = CreateHookKeyframe().create_hook_keyframe(0.0, 0.0)
    (both,) = CreateHookKeyframe().create_hook_keyframe(1.0, 0.7, first)
    (hooks,) = SetHookKeyframes().set_hook_keyframes(made, both)
    return model, comfy.hooks.set_hooks_for_conditioning(positive, hooks), negative


def with_lora_hook(model, positive, negative):
    return with_hooks(model, positive, negative, comfy.hooks.create_hook_lora(lora_file(), 1.0, 0.0))


def with_time_hook(model, positive, negative):
    return with_hooks(model, positive, negative, edit_hook(model, some_edit(1, width=CONTEXT), 5.0))


def with_a_prompt_a_picture(model, positive, negative):
    return model, [[torch.cat([positive[0][0], OTHER[0][0]]), {}]], negative


COMPOSED = (
    with_lora_node,
    with_controlnet,
    with_more_tokens,
    with_output_patch,
    with_rescaled_cfg,
    with_post_cfg,
    with_area,
    with_region_mask,
    with_timestep_ranges,
    with_lora_hook,
    with_time_hook,
    with_a_prompt_a_picture,
)


@pytest.mark.parametrize("compose", COMPOSED, ids=lambda compose: compose.__name__.removeprefix("with_"))
def test_works_inside_the_mask_as_in_the_host_and_never_outside(model, trajectory, plain, compose):
    composed = compose(model, TARGET, NEGATIVE)
    found = sampled(composed[0], trajectory, *composed[1:])
    assert torch.equal(outside(found), outside(PICTURE))
    assert apart(inside(found), inside(plain)) > 1e-3
    assert torch.equal(sampled(composed[0], trajectory, *composed[1:]), found)
    everywhere = sampled(composed[0], trajectory, *composed[1:], mask=None)
    assert torch.equal(everywhere, by_the_host(cfg_guider(*composed), trajectory))
    assert torch.equal(sampled(model, trajectory), plain)  # nothing stays behind


def test_a_prompt_a_picture_is_what_each_is_alone(model, trajectory):
    _, both, _ = with_a_prompt_a_picture(model, TARGET, NEGATIVE)
    found = sampled(model, trajectory, both)
    for i, own in enumerate((TARGET, OTHER)):
        alone = invert(model, {"samples": PICTURE[i : i + 1]})
        assert apart(sampled(model, alone, own), found[i : i + 1]) < 1e-5


def test_a_lora_before_the_inversion(model, trajectory):
    edited = with_lora(model)
    own = invert(edited, picture(2), method="fixed point", refinements=40)
    plain = invert(model, picture(2), method="fixed point", refinements=40)
    assert apart(own.states[-1], plain.states[-1]) > 1e-3
    back = {"positive": SOURCE, "cfg": 1.0, "mask": None}
    assert apart(sampled(edited, own, **back), PICTURE) < 1e-4
    assert apart(sampled(model, own, **back), PICTURE) > 1e-3


@pytest.mark.parametrize("compose", [with_lora_hook, with_time_hook])
def test_scheduled_hooks_cannot_be_inverted(model, compose):
    _, scheduled, _ = compose(model, SOURCE, NEGATIVE)
    with pytest.raises(ValueError, match="positive has hooks with keyframes.*invert under the prompt without them"):
        invert(model, picture(2), scheduled)
    with pytest.raises(ValueError, match="negative has hooks with keyframes"):
        invert(model, picture(2), cfg=2.0, negative=scheduled)


def test_constant_hooks_are_inverted(model):
    hooked = comfy.hooks.set_hooks_for_conditioning(SOURCE, comfy.hooks.create_hook_lora(lora_file(), 1.0, 0.0))
    own = invert(model, picture(2), hooked, method="o-belm")
    assert torch.equal(own.states, invert(with_lora(model), picture(2), method="o-belm").states)
    assert apart(sampled(model, own, hooked, cfg=1.0, mask=None, sampler_name=AS_INVERTED), PICTURE) < 1e-5


def test_a_shifted_flow():
    """A patch of the sampling by the host's node: another schedule, the same states."""
    painter = next(painter for painter in PAINTERS if painter.name == "SD3")
    model, source, target = painter.model(), painter.prompt(0), painter.prompt(1)
    (shifted,) = ModelSamplingSD3().patch(model, 1.0)
    trajectory = invert(shifted, painter.picture(), source, scheduler="normal", method="fixed point", refinements=30)
    assert not torch.equal(trajectory.sigmas, invert(model, painter.picture(), source, scheduler="normal").sigmas)
    original = painter.picture()["samples"]
    for which in (shifted, model):
        found = sampled(which, trajectory, target, painter.prompt(2), mask=half(32, 32))
        assert torch.equal(outside(found), outside(original)) and apart(inside(found), inside(original)) > 1e-4
        assert apart(sampled(which, trajectory, source, source, cfg=1.0, mask=None), original) < 1e-5 or which is model


@pytest.mark.parametrize("name", ["SD 1.x", "Flux"])
@pytest.mark.parametrize("sampler_name", ["euler", "heun", "dpmpp_2m"])
def test_differential_diffusion(name, sampler_name):
    """Each place joins when the noise has fallen to its share; until then the model sees the trajectory there."""
    painter = next(painter for painter in PAINTERS if painter.name == name)
    model = painter.model()
    trajectory = invert(model, {"samples": painter.picture()["samples"][:1]}, painter.prompt(0))
    ramp = torch.tensor([0.0, 0.2, 0.6, 1.0]).repeat_interleave(8).expand(1, 32, 32)
    watching, seen = watched(DifferentialDiffusion.execute(model).result[0])
    prompts = {"positive": painter.prompt(1), "negative": painter.prompt(2)}
    found = sampled(watching, trajectory, mask=ramp, sampler_name=sampler_name, **prompts)
    sampling, sigmas = model.get_model_object("model_sampling"), trajectory.sigmas.flip(0)
    first, last = (sampling.timestep(s) for s in (sigmas[0], torch.as_tensor(float(sampling.sigma_min))))
    joined, before = [], [False] * 4
    for sigma, x in seen:
        share = float((sampling.timestep(torch.tensor(sigma)) - last) / (first - last))
        same = (x == trajectory.state_at(torch.tensor(sigma))[0]).all(dim=(0, 1, 2))
        expected = [value >= share for value in (0.0, 0.2, 0.6, 1.0)]
        # A place that joins just now comes from the trajectory, to the last bit or not.
        assert all(is_same for is_same, may_change in zip(same.tolist(), expected, strict=True) if not may_change)
        assert not any(is_same for is_same, has_changed in zip(same.tolist(), before, strict=True) if has_changed)
        before = expected
        joined.append(sum(expected))
    assert joined == sorted(joined) and joined[0] == 1 and joined[-1] >= 3
    assert torch.equal(found[..., 0], trajectory.clean[..., 0])
    plain = sampled(model, trajectory, mask=ramp, sampler_name=sampler_name, **prompts)
    assert apart(found, plain) > 1e-4


class TestGuiders:
    def guiders(self, model):
        yield BasicGuider.execute(model, TARGET).result[0]
        yield DualCFGGuider.execute(model, TARGET, OTHER, NEGATIVE, 3.0, 2.0, "regular").result[0]
        yield DualCFGGuider.execute(model, TARGET, OTHER, NEGATIVE, 3.0, 2.0, "nested").result[0]

    def test_of_the_host(self, model, trajectory):
        results = []
        for guider in self.guiders(model):
            results.append(advanced(guider, trajectory))
            assert torch.equal(outside(results[-1]), outside(PICTURE))
            assert torch.equal(advanced(guider, trajectory, mask=None), by_the_host(guider, trajectory))
        assert apart(results[0], results[1]) > 1e-3 and apart(results[1], results[2]) > 1e-3

    def test_without_a_choice_it_is_masked_latent_sample(self, model, trajectory):
        assert torch.equal(advanced(cfg_guider(model), trajectory), sampled(model, trajectory, sampler_name=AS_INVERTED))


class TestAsASampler:
    """In the host's own Sampler Custom (Advanced)."""

    def run(self, model, trajectory, sampler, latent: dict, guider=None) -> torch.Tensor:
        noise = DisableNoise.execute().result[0]
        guider = guider or cfg_guider(model)
        return SamplerCustomAdvanced.execute(noise, guider, sampler, trajectory.sigmas.flip(0), latent).result[0]["samples"]

    def test_does_the_same(self, model, trajectory):
        (sampler,) = MaskedLatentSampler.execute(model, trajectory, mask=half()).result
        first, again = (self.run(model, trajectory, sampler, picture(2)) for _ in range(2))
        assert torch.equal(first, again)
        assert apart(outside(first), outside(PICTURE)) < 1e-6
        assert torch.equal(inside(first), inside(sampled(model, trajectory)))

    def test_with_another_sampler(self, model, trajectory):
        (sampler,) = MaskedLatentSampler.execute(model, trajectory, comfy.samplers.sampler_object("heun"), half()).result
        found = self.run(model, trajectory, sampler, picture(2))
        assert torch.equal(inside(found), inside(sampled(model, trajectory, sampler_name="heun")))

    def test_the_latents_own_mask(self, model, trajectory):
        (given,) = MaskedLatentSampler.execute(model, trajectory, mask=half()).result
        (left_out,) = MaskedLatentSampler.execute(model, trajectory).result
        masked = {**picture(2), "noise_mask": half()}
        assert torch.equal(self.run(model, trajectory, left_out, masked), self.run(model, trajectory, given, picture(2)))
        everywhere = self.run(model, trajectory, left_out, picture(2))
        assert torch.equal(everywhere, sampled(model, trajectory, mask=None))

    def test_a_latent_of_another_size_is_refused(self, model, trajectory):
        (sampler,) = MaskedLatentSampler.execute(model, trajectory).result
        with pytest.raises(ValueError, match=r"has the shape \(1, 4, 8, 8\), but trajectory is of \(2, 4, 8, 8\)"):
            self.run(model, trajectory, sampler, picture(1))


class TestBackground:
    @pytest.mark.parametrize("background", BACKGROUNDS)
    @pytest.mark.parametrize("sampler_name", ["euler", "dpmpp_2m", "euler_cfg_pp"])
    def test_ends_on_the_picture(self, model, trajectory, background, sampler_name):
        found = sampled(model, trajectory, background=background, sampler_name=sampler_name, seed=5)
        assert torch.equal(outside(found), outside(PICTURE)) and apart(inside(found), inside(PICTURE)) > 0.01

    def test_what_the_model_sees(self, model, trajectory):
        clean, noise = trajectory.states[0, :1], picture_noise(5, 0, 0, (4, 8, 8))
        for background in BACKGROUNDS:
            watching, seen = watched(model)
            sampled(watching, trajectory, background=background, seed=5)
            for sigma, x in seen[1:]:
                own = trajectory.state_at(torch.tensor(sigma))[0][:1]
                noised = clean + sigma * noise
                assert torch.equal(outside(x), outside(own)) == (background == "trajectory")
                assert torch.allclose(outside(x), outside(noised), atol=1e-5) == (background == "noised picture")

    def test_the_noise_follows_the_seed(self, model, trajectory):
        first, again, other = (sampled(model, trajectory, background="noised picture", seed=seed) for seed in (1, 1, 2))
        assert torch.equal(first, again) and apart(first, other) > 1e-3


class TestWindow:
    """The trajectory has 5 steps."""

    def test_begin(self, model, trajectory):
        watching, seen = watched(model)
        found = sampled(watching, trajectory, inject_begin=0.4)
        same = [torch.equal(outside(x), outside(trajectory.state_at(torch.tensor(sigma))[0][:1])) for sigma, x in seen]
        assert same == [True, False, True, True, True]  # the start is the trajectory's last state in any case
        assert torch.equal(outside(found), outside(PICTURE))

    def test_end(self, model, trajectory):
        watching, seen = watched(model)
        found = sampled(watching, trajectory, inject_end=0.6)
        same = [torch.equal(outside(x), outside(trajectory.state_at(torch.tensor(sigma))[0][:1])) for sigma, x in seen]
        assert same[:3] == [True] * 3 and same[4] is False
        assert apart(outside(found), outside(PICTURE)) > 1e-3

    def test_all_of_it_is_the_default(self, model, trajectory):
        assert torch.equal(sampled(model, trajectory, inject_begin=0.0, inject_end=1.0), sampled(model, trajectory))


class TestStart:
    def test_further_down(self, model, trajectory):
        watching, seen = watched(model)
        found = sampled(watching, trajectory, start=0.6)
        assert [sigma for sigma, _ in seen] == trajectory.sigmas[1:4].flip(0).tolist()
        assert torch.equal(outside(found), outside(PICTURE))
        assert apart(found, PICTURE) < apart(sampled(model, trajectory), PICTURE)
        same = advanced(cfg_guider(model), trajectory, sigmas=trajectory.sigmas[:4].flip(0))
        assert torch.equal(same, found)

    @pytest.mark.parametrize("method", ["midpoint", "fireflow", "o-belm", "ddpm", "fixed point"])
    def test_as_inverted_from_any_level(self, model, method):
        """The way back from a lower state is the rest of the way back from the last one, and the same by either input."""
        trajectory = invert(model, picture(2), method=method, refinements=30)
        lower = sampled(model, trajectory, SOURCE, cfg=1.0, mask=None, start=0.6, sampler_name=AS_INVERTED)
        guider = cfg_guider(model, SOURCE, NEGATIVE, 1.0)
        assert torch.equal(advanced(guider, trajectory, mask=None, sigmas=trajectory.sigmas[:4].flip(0)), lower)
        exact = method in ("o-belm", "ddpm", "fixed point")
        whole = sampled(model, trajectory, SOURCE, cfg=1.0, mask=None, sampler_name=AS_INVERTED)
        assert apart(lower, PICTURE) < (1e-4 if exact else 0.05) and apart(whole, PICTURE) < (1e-4 if exact else 0.5)


class TestSigmas:
    def test_of_another_length(self, model, trajectory):
        top = float(trajectory.sigmas[-1])
        for sigmas in (torch.linspace(top, 0, 9), torch.tensor([top * 0.7, 0.3, 0.0])):
            watching, seen = watched(model)
            found = advanced(cfg_guider(watching), trajectory, sigmas=sigmas)
            assert len(seen) == len(sigmas) - 1 and torch.equal(outside(found), outside(PICTURE))
            for sigma, x in seen:
                assert torch.equal(outside(x), outside(trajectory.state_at(torch.tensor(sigma))[0][:1]))

    def test_too_high_and_foreign_levels_are_refused(self, model, trajectory):
        with pytest.raises(ValueError, match="above the trajectory's last level .* invert with more strength"):
            advanced(cfg_guider(model), trajectory, sigmas=trajectory.sigmas.flip(0) * 1.1)
        belm = invert(model, picture(2), method="o-belm")
        with pytest.raises(ValueError, match="o-belm, which leads back only over its own levels"):
            advanced(cfg_guider(model), belm, sigmas=torch.linspace(1.0, 0, 5))

    def test_a_sampler_that_takes_no_step(self, model, trajectory):
        settings = {
            "sampler": comfy.samplers.sampler_object("dpm_adaptive"),
            "sigmas": torch.tensor([1.0, 0.0]),
            "mask": half(),
        }
        found, estimate = MaskedLatentSampleAdvanced.execute(cfg_guider(model), trajectory, 0, **settings).result
        assert torch.equal(found["samples"], estimate["samples"])
        assert torch.equal(outside(found["samples"]), outside(PICTURE))

    def test_no_steps_at_all_are_refused(self, model, trajectory):
        for sigmas in (torch.zeros(0), torch.zeros(1)):
            with pytest.raises(ValueError, match="sigmas .* at least 2 noise levels"):
                advanced(cfg_guider(model), trajectory, sigmas=sigmas)


def test_a_stochastic_sampler(model, trajectory):
    sampler, guider = comfy.samplers.sampler_object("euler_ancestral"), cfg_guider(model)
    state = torch.get_rng_state()
    first, again, other = (advanced(guider, trajectory, seed, sampler=sampler) for seed in (1, 1, 2))
    assert torch.equal(first, again) and apart(inside(first), inside(other)) > 0.01
    assert torch.equal(outside(first), outside(PICTURE)) and torch.equal(outside(other), outside(PICTURE))
    assert torch.equal(torch.get_rng_state(), state)
