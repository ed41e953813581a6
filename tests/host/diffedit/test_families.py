"""Inversion and masked sampling on a tiny real model of every family: flat latents, videos, inpainting and edit models."""

import functools

import comfy.model_sampling
import comfy.samplers
import comfy.supported_models as supported
import pytest
import torch
from comfy_extras.nodes_custom_sampler import DisableNoise, SamplerCustomAdvanced
from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete
from host.models import tiny
from host.models.families import CASES, random
from host.models.node_inputs import given
from host.models.picture_families import EVERY_FAMILY, FROM_A_PICTURE, PAINTERS, UNET, WITH_A_REFERENCE, Painter, made, unet
from time_diffedit.diffedit_core.inversion.levels import LEADING, inversion_levels
from time_diffedit.diffedit_core.model.host_model import noising
from time_diffedit.diffedit_core.repaint.masked_sampling import AS_INVERTED, SAMPLERS
from time_diffedit.nodes import DDIMInvert, MaskedLatentSample, MaskedLatentSampleAdvanced


class Run:
    """A model, a picture and prompts; the picture's inversions by method."""

    def __init__(self, painter: Painter):
        self.model = painter.model()
        self.cfg = painter.cfg
        self.latent = painter.picture()
        self.source, self.target, self.negative = (painter.prompt(i) for i in range(3))
        self._inversions = {}

    @property
    def picture(self) -> torch.Tensor:
        return self.latent["samples"]

    def inverted(self, method: str, **settings):
        key = (method, *settings.items())
        if key not in self._inversions:
            self._inversions[key] = self.invert(method=method, **settings)
        return self._inversions[key]

    def invert(self, **settings):
        settings = {"steps": 4, "strength": 0.8, "cfg": 1.0, "method": "ddim", **settings}
        return DDIMInvert.execute(self.model, self.latent, positive=self.source, **given(DDIMInvert, **settings)).result

    def sampled(self, trajectory, positive: list, cfg: float = 1.0, **settings) -> torch.Tensor:
        settings = {"sampler_name": AS_INVERTED, "seed": 0, **settings}
        return MaskedLatentSample.execute(self.model, positive, trajectory, cfg, negative=self.negative, **settings).result[0][
            "samples"
        ]

    def half(self) -> torch.Tensor:
        """A MASK of the picture's size, its left half 1."""
        cell = self.model.get_model_object("latent_format").spacial_downscale_ratio
        mask = torch.zeros(1, self.picture.shape[-2] * cell, self.picture.shape[-1] * cell)
        mask[..., : mask.shape[-1] // 2] = 1
        return mask

    def first_state(self, noise, latent: dict, sigmas: torch.Tensor) -> torch.Tensor:
        """What a sampler of the host starts from in the host's own node."""
        seen = []
        sampler = comfy.samplers.KSAMPLER(lambda model, x, sigmas, **_: seen.append(x.clone()) or x)
        guider = comfy.samplers.CFGGuider(self.model)
        guider.set_conds(self.source, self.negative)
        SamplerCustomAdvanced.execute(noise, guider, sampler, sigmas, latent)
        return seen[0]


def sums(network: torch.nn.Module) -> dict[str, int]:
    """Of the bits of each weight."""
    return {name: int(weight.view(torch.int32).sum(dtype=torch.int64)) for name, weight in network.named_parameters()}


@pytest.fixture(scope="module", params=EVERY_FAMILY, ids=lambda painter: painter.name)
def run(request):
    """Checked to leave the weights as they were, after all tests."""
    run = Run(request.param)
    network = run.model.model.diffusion_model
    before = sums(network)
    yield run
    assert sums(network) == before


def close(found: torch.Tensor, expected: torch.Tensor, share: float = 1e-5) -> bool:
    """Off by at most this share of the values' size."""
    return float((found - expected).abs().max()) <= share * float(expected.abs().max())


def test_the_trajectory_starts_at_the_picture(run):
    noisiest, trajectory, sigmas, *_ = run.inverted("ddim")
    assert torch.equal(trajectory.states[0], run.model.model.process_latent_in(run.picture))
    assert torch.equal(trajectory.clean, run.picture) and noisiest["samples"].shape == run.picture.shape
    assert trajectory.states.shape == (4, *run.picture.shape) and torch.isfinite(trajectory.states).all()
    assert torch.equal(trajectory.sigmas.flip(0), sigmas) and len(sigmas) == 4


def test_it_comes_back_by_plain_sampling(run):
    trajectory = run.inverted("fixed point", refinements=50)[1]
    assert close(run.sampled(trajectory, run.source), run.picture)
    assert not close(run.inverted("ddim")[1].states[-1], trajectory.states[-1], 1e-4)  # in which the model has a say


@pytest.mark.parametrize("method", ["o-belm", "ddpm"])
def test_exact_methods_come_back_in_any_case(run, method):
    assert close(run.sampled(run.inverted(method)[1], run.source), run.picture, 1e-5)


def test_outside_the_mask_it_is_the_original_bit_for_bit(run):
    trajectory = run.inverted("fixed point", refinements=50)[1]  # only another prompt leads away from the picture
    found = run.sampled(trajectory, run.target, cfg=run.cfg, mask=run.half())
    middle = run.picture.shape[-1] // 2
    assert torch.equal(found[..., middle:], run.picture[..., middle:])
    assert torch.isfinite(found).all() and (found != run.picture)[..., :middle].float().mean() > 0.9
    assert not close(found[..., :middle], run.picture[..., :middle], 1e-4)


def test_the_hosts_own_sampling_starts_from_it(run):
    noisiest, trajectory, sigmas, _, noise = run.inverted("ddim")
    last = trajectory.states[-1]
    assert close(run.first_state(DisableNoise.execute().result[0], noisiest, sigmas), last)
    for latent in (run.latent, {"samples": torch.zeros_like(run.picture)}, {"samples": random(*run.picture.shape, seed=51)}):
        assert close(run.first_state(noise, latent, sigmas), last)


def test_up_to_pure_noise(run):
    """At the model's highest level the host scales noises in another way; a flow's state there is no LATENT any more."""
    sampling = run.model.get_model_object("model_sampling")
    sigmas = torch.tensor([1.0, 0.5, 0.1, 0.0]) * sampling.sigma_max.cpu()
    if noising(run.model).flow:
        with pytest.raises(ValueError, match="starts at sigma 1, where .* noise alone .* start one level lower"):
            run.invert(sigmas=sigmas)
        return
    noisiest, trajectory, sigmas, _, noise = run.invert(sigmas=sigmas)
    assert float(sigmas[0]) == float(sampling.sigma_max) and torch.isfinite(trajectory.states).all()
    assert close(run.first_state(noise, run.latent, sigmas), trajectory.states[-1])
    assert close(run.first_state(DisableNoise.execute().result[0], noisiest, sigmas), trajectory.states[-1])


def test_a_strength_is_one_noise_level_for_all(run):
    """That of SD 1.x at timestep 781 of 1000; a model trained on timesteps of its own counts those."""
    sampling = run.model.get_model_object("model_sampling")
    top = float(inversion_levels(run.model, 50, 0.8, LEADING, None)[-1])
    discrete = isinstance(sampling, comfy.model_sampling.ModelSamplingDiscrete)
    if discrete and len(sampling.sigmas) == 1000:
        assert top == float(sampling.sigmas[781])
    elif isinstance(sampling, comfy.model_sampling.CONST):
        assert top / (1 - top) == pytest.approx(4.69, abs=0.01)
    else:
        spread = 0.5 if isinstance(sampling, comfy.model_sampling.EDM) else 1.0  # of pictures in this model's latents
        assert top / spread == pytest.approx(4.69, abs=0.01)


class FromState(comfy.samplers.Sampler):
    """A sampler of the host, started from a given state."""

    def __init__(self, name: str, state: torch.Tensor):
        self.function, self.state = comfy.samplers.ksampler(name).sampler_function, state

    def sample(self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, *_):
        inner = comfy.samplers.KSamplerX0Inpaint(model_wrap, sigmas)
        extra_args["denoise_mask"] = None
        return self.function(inner, self.state, sigmas, extra_args=extra_args, callback=lambda _: None, disable=True)


@functools.cache
def of_family(name: str) -> Run:
    return Run(next(painter for painter in PAINTERS if painter.name == name))


class TestSamplers:
    @pytest.mark.parametrize("family", ["SD 1.x", "Flux"])
    @pytest.mark.parametrize("name", SAMPLERS)
    def test_offered(self, family, name):
        run, generator = of_family(family), torch.get_rng_state()
        trajectory = run.inverted("ddim")[1]
        found = run.sampled(trajectory, run.target, 3.0, sampler_name=name, mask=run.half())
        assert torch.equal(found[..., 2:], run.picture[..., 2:]) and not close(found[..., :2], run.picture[..., :2], 1e-3)
        assert torch.equal(run.sampled(trajectory, run.target, 3.0, sampler_name=name, mask=run.half(), seed=1), found)
        guider = comfy.samplers.CFGGuider(run.model)
        guider.set_conds(run.target, run.negative)
        guider.set_cfg(3.0)
        sampler = FromState(name, trajectory.states[-1])
        plain = guider.sample(torch.zeros_like(run.picture), run.picture, sampler, trajectory.sigmas.flip(0), seed=0)
        whole = run.sampled(trajectory, run.target, 3.0, sampler_name=name, mask=torch.ones_like(run.half()))
        assert torch.equal(whole, plain) and torch.isfinite(plain).all()
        assert torch.equal(torch.get_rng_state(), generator)

    @pytest.mark.parametrize("name", sorted({*comfy.samplers.KSAMPLER_NAMES} - {*SAMPLERS}))
    def test_not_offered(self, name):
        """They draw noise, or stop above 0. In the advanced node they keep the background all the same."""
        run = of_family("Flux")
        trajectory = run.inverted("ddim", steps=6, strength=1.0)[1]  # sa_solver draws at some levels only
        guider = comfy.samplers.CFGGuider(run.model)
        guider.set_conds(run.target, run.negative)
        sampler = comfy.samplers.sampler_object(name)
        generator = torch.get_rng_state()
        settings = {"sampler": sampler, "mask": run.half()}
        found, again, other = (
            MaskedLatentSampleAdvanced.execute(guider, trajectory, seed, **settings).result[0]["samples"] for seed in (0, 0, 1)
        )
        assert torch.equal(found[..., 2:], run.picture[..., 2:]) and torch.equal(found, again)
        draws = not torch.equal(found, other) or not torch.equal(torch.get_rng_state(), generator)
        assert draws != (name in ("dpm_fast", "dpm_adaptive"))


@pytest.mark.parametrize("painter", FROM_A_PICTURE, ids=lambda painter: painter.name)
class TestSecondPicture:
    def test_without_it_is_refused(self, painter):
        run = Run(painter)
        with pytest.raises(ValueError, match=r"reads a second picture beside the latent, and positive brings none; pass the"):
            DDIMInvert.execute(run.model, run.latent, 4, 0.8, 1.0, {"method": "ddim"}, positive=painter.bare_prompt(0))
        with pytest.raises(ValueError, match="and negative brings none"):
            DDIMInvert.execute(
                run.model, run.latent, 4, 0.8, 2.0, {"method": "ddim"}, positive=run.source, negative=painter.bare_prompt(2)
            )
        trajectory = run.inverted("ddim")[1]
        with pytest.raises(ValueError, match="and positive brings none"):
            run.sampled(trajectory, painter.bare_prompt(1))

    def test_it_reaches_the_model(self, painter):
        run = Run(painter)
        second = {"concat_latent_image": random(*painter.latent, seed=71)}
        other = [[embedding, options | second] for embedding, options in run.source]
        trajectory = run.inverted("ddim")[1]
        assert not close(run.sampled(trajectory, other), run.sampled(trajectory, run.source), 1e-4)


@pytest.mark.parametrize("painter", WITH_A_REFERENCE, ids=lambda painter: painter.name)
def test_a_reference_reaches_the_model(painter):
    run = Run(painter)
    other = [[rows, options | {"reference_latents": [random(*painter.latent, seed=71)]}] for rows, options in run.source]
    trajectory = run.inverted("ddim")[1]
    assert not close(run.sampled(trajectory, other), run.sampled(trajectory, run.source), 1e-5)


@pytest.mark.parametrize("name", ["SD 1.x, inpainting", "SDXL, inpainting"])
def test_an_inpainting_model_hears_of_the_mask(name):
    run = Run(next(painter for painter in PAINTERS if painter.name == name))
    seen = []
    run.model.set_model_unet_function_wrapper(
        lambda apply, args: seen.append(args["c"]["c_concat"]) or apply(args["input"], args["timestep"], **args["c"])
    )
    trajectory = run.inverted("ddim")[1]
    assert all((concat[:, 0] == 1).all() for concat in seen)  # everything is to be painted
    seen.clear()
    run.sampled(trajectory, run.target, mask=run.half())
    for concat in seen:
        assert (concat[:, 0, :, :2] == 1).all() and (concat[:, 0, :, 2:] == 0).all()
        assert torch.equal(concat[:2, 1:], trajectory.states[0])


class TestRefusals:
    def refuse(self, message: str, model, latent: dict, positive: list):
        with pytest.raises(ValueError, match=message):
            DDIMInvert.execute(model, latent, 4, 0.8, 1.0, {"method": "ddim"}, positive=positive)

    @pytest.mark.parametrize("name", ["Stable Audio", "ACE-Step"])
    def test_sound(self, name):
        case = next(case for case in CASES if case.name == name)
        prompt = [[random(1, 7, case.embedding, seed=1), {"pooled_output": None, **case.extra()}]]
        self.refuse("latents of pictures, not of sound", case.model(), {"samples": random(*case.latent, seed=1)}, prompt)

    def test_models_that_start_from_a_picture(self):
        lotus = unet(supported.LotusD, context_dim=1024, adm_in_channels=4, num_classes="sequential")()
        message = "samples as ModelSamplingDiscrete [+] IMG_TO_IMG: .*does not walk from noise to a picture"
        self.refuse(message, lotus, {"samples": random(1, 4, 4, 4, seed=1)}, [[random(1, 7, 1024, seed=1), {}]])
        plain = unet(supported.SD15)()
        for sampling in ("img_to_img", "img_to_img_flow"):
            patched = ModelSamplingDiscrete().patch(plain, sampling, False)[0]
            self.refuse(
                "does not walk from noise", patched, {"samples": random(1, 4, 4, 4, seed=1)}, [[random(1, 7, 768, seed=1), {}]]
            )

    def test_states_at_another_scale(self):
        """The host walks CogVideoX's states at the scale on which the network reads them."""
        config = {"image_model": "cogvideox", "num_attention_heads": 2, "attention_head_dim": 16, "num_layers": 1}
        config |= {"text_embed_dim": 40, "time_embed_dim": 16, "use_rotary_positional_embeddings": True, "dtype": torch.float32}
        model = made(supported.CogVideoX_T2V, config)()
        prompt = [[random(1, 7, 40, seed=1), {}]]
        message = "CogVideoX that samples as .*V_PREDICTION_DDPM: .* at another scale"
        self.refuse(message, model, {"samples": random(1, 16, 1, 4, 4, seed=1)}, prompt)

    def test_a_video_model_without_its_picture(self):
        """SVD takes the pictures of a batch for the frames of one video, and reads the first of them beside the latent."""
        config = {**UNET, "in_channels": 8, "use_temporal_attention": True, "use_temporal_resblock": True}
        config |= {"context_dim": 1024, "adm_in_channels": 768, "num_classes": "sequential", "model_channels": 64}
        config |= {"video_kernel_size": [3, 1, 1], "extra_ff_mix_layer": True, "use_linear_in_transformer": True}
        config |= {"merge_strategy": "learned_with_images", "merge_factor": 0.0, "disable_temporal_crossattention": False}
        model = supported.SVD_img2vid(config).get_model({}, device=tiny.CPU)
        tiny.initialise(model, seed=7)
        patcher = tiny.ModelPatcher(model, load_device=tiny.CPU, offload_device=tiny.CPU)
        latent, bare = {"samples": random(2, 4, 4, 4, seed=1)}, [[random(1, 1, 1024, seed=1), {}]]
        self.refuse("SVD_img2vid that reads a second picture", patcher, latent, bare)
        shown = [[bare[0][0], {"concat_latent_image": random(1, 4, 4, 4, seed=2)}]]
        trajectory = DDIMInvert.execute(patcher, latent, 2, 0.8, 1.0, {"method": "o-belm"}, positive=shown).result[1]
        back = MaskedLatentSample.execute(patcher, shown, trajectory, 1.0, AS_INVERTED, 0, shown).result[0]["samples"]
        assert close(back, latent["samples"])
