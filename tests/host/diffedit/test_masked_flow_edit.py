"""Masked Flow Edit on a tiny real model of every family, and with what the host can do to models and prompts."""

import functools
from itertools import pairwise

import comfy.samplers
import comfy.utils
import pytest
import torch
from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion
from host.diffedit.test_compose import COMPOSED, with_a_prompt_a_picture, with_controlnet, with_lora_hook, with_time_hook
from host.models.node_inputs import given
from host.models.picture_families import EVERY_FAMILY, FROM_A_PICTURE, PAINTERS, Painter
from host.models.tiny_diffusion import (
    DenoiseOnce,
    clip,
    fingerprint,
    interrupted,
    picture,
    prompt,
    tiny_model,
    watched,
)
from time_diffedit.diffedit_core.inversion.levels import LEADING, inversion_levels
from time_diffedit.diffedit_core.model.host_model import noising
from time_diffedit.diffedit_core.model.noise import picture_noise
from time_diffedit.nodes import MaskedFlowEdit

import nodes

SETTINGS = {"seed": 3, "steps": 5, "strength": 0.8, "target_cfg": 3.0, "source_cfg": 1.5, "averages": 1}
SOURCE, TARGET, NEGATIVE = (prompt(i) for i in range(3))
PICTURE = picture(2)["samples"]


def edited(model, latent: dict, target: list, source: list | None, **settings) -> torch.Tensor:
    settings = SETTINGS | settings
    return MaskedFlowEdit.execute(model, latent, target, source=source, **given(MaskedFlowEdit, **settings)).result[0][
        "samples"
    ]


def by_the_published_loop(model, clean: torch.Tensor, sides: dict[str, tuple], number: int, mask: torch.Tensor, **changes):
    """FlowEdit's own loop with velocities, written out for one picture; each prediction is a sampling of the host of its own.

    `sides`: (prompt, negative, cfg) of the source and of the target.
    """
    settings = SETTINGS | changes
    made_of, averages = noising(model), settings["averages"]
    sigmas = inversion_levels(model, settings["steps"], settings["strength"], LEADING, None).flip(0).tolist()
    x_src = model.model.process_latent_in(clean)
    zt_edit = x_src.clone()

    def velocity(side: str, z: torch.Tensor, sigma: float) -> torch.Tensor:
        positive, negative, cfg = sides[side]
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(positive, negative)
        guider.set_cfg(cfg)
        out = guider.sample(z, torch.zeros_like(z), DenoiseOnce(), torch.tensor([sigma]), disable_pbar=True)
        return (z - model.model.process_latent_in(out)) / sigma

    for i, (t, next_t) in enumerate(pairwise(sigmas)):
        average = torch.zeros_like(x_src)
        for k in range(averages):
            noise = picture_noise(settings["seed"], number, i + k * (len(sigmas) - 1), x_src.shape)
            zt_src = (1 - t if made_of.flow else 1) * x_src + t * made_of.noise_scale * noise
            zt_tar = zt_edit + zt_src - x_src
            average += (velocity("target", zt_tar, t) - velocity("source", zt_src, t)) / averages
        zt_edit = zt_edit + (next_t - t) * mask * average
    return model.model.process_latent_out(zt_edit)


def close(found: torch.Tensor, expected: torch.Tensor, share: float = 1e-5) -> bool:
    """Off by at most this share of the values' size."""
    return float((found - expected).abs().max()) <= share * float(expected.abs().max())


class Family:
    """A model, pictures and prompts of a family."""

    def __init__(self, painter: Painter):
        self.model, self.cfg = painter.model(), painter.cfg
        self.samples = painter.picture()["samples"]
        self.source, self.target, self.negative = (painter.prompt(i) for i in range(3))

    def half(self) -> torch.Tensor:
        """A MASK of pixels, its left half 1."""
        cell = self.model.get_model_object("latent_format").spacial_downscale_ratio
        mask = torch.zeros(1, self.samples.shape[-2] * cell, self.samples.shape[-1] * cell)
        mask[..., : mask.shape[-1] // 2] = 1
        return mask

    def edited(self, **settings) -> torch.Tensor:
        settings = {"latent": {"samples": self.samples}, "target": self.target, "mask": self.half(), **settings}
        settings = {"target_cfg": self.cfg, "source_cfg": 1.0, "negative": self.negative, **settings}
        return edited(self.model, source=self.source, **settings)


@functools.cache
def family_of(painter: Painter) -> Family:
    return Family(painter)


@pytest.fixture(params=EVERY_FAMILY, ids=lambda painter: painter.name)
def family(request):
    return family_of(request.param)


def of_family(name: str) -> Family:
    return family_of(next(painter for painter in PAINTERS if painter.name == name))


class TestEveryFamily:
    def test_outside_the_mask_it_is_the_original_bit_for_bit(self, family):
        found, middle = family.edited(), family.samples.shape[-1] // 2
        assert torch.equal(found[..., middle:], family.samples[..., middle:])
        assert torch.isfinite(found).all() and (found != family.samples)[..., :middle].float().mean() > 0.9
        assert not close(found[..., :middle], family.samples[..., :middle], 1e-4)

    def test_equal_prompts_at_equal_guidance_give_the_original_bit_for_bit(self, family):
        both = {"target": family.source, "target_cfg": family.cfg, "source_cfg": family.cfg, "mask": None}
        assert torch.equal(family.edited(**both), family.samples)

    def test_the_seed_decides(self, family):
        found = family.edited()
        assert torch.equal(family.edited(), found) and not torch.equal(family.edited(seed=4), found)

    def test_a_batch_gives_what_its_pictures_give_alone(self, family):
        both = torch.cat([family.samples, family.samples.flip(-1)])
        together = family.edited(latent={"samples": both})
        alone = [family.edited(latent={"samples": both[i : i + 1], "batch_index": [i]}) for i in range(len(both))]
        assert torch.equal(torch.cat(alone), together)


@pytest.mark.parametrize("averages", [1, 3])
@pytest.mark.parametrize(
    "name", ["SD 1.x", "SD 2.x, velocity", "SD 2.x, zero terminal SNR", "CosXL", "SD3", "Flux", "Lumina 2", "Wan 2.1"]
)
def test_is_the_published_loop(name, averages):
    family = of_family(name)
    mask = torch.zeros(1, 1, *family.samples.shape[2:])
    mask[..., : mask.shape[-1] // 2] = 1
    sides = {"target": (family.target, family.negative, 3.0), "source": (family.source, family.negative, 1.5)}
    found = family.edited(target_cfg=3.0, source_cfg=1.5, averages=averages)
    for i, clean in enumerate(family.samples.split(1)):
        expected = by_the_published_loop(family.model, clean, sides, i, mask, averages=averages)
        assert close(found[i : i + 1], expected)


def half() -> torch.Tensor:
    mask = torch.zeros(1, 64, 64)
    mask[..., :32] = 1
    return mask


@pytest.fixture(scope="module")
def model():
    model = tiny_model(gain=0.3)
    before = fingerprint(model)
    yield model
    assert fingerprint(model) == before


def run(model, **settings) -> torch.Tensor:
    settings = {"latent": picture(2), "target": TARGET, "source": SOURCE, "negative": NEGATIVE, "mask": half(), **settings}
    return edited(model, **settings)


@pytest.fixture(scope="module")
def plain(model) -> torch.Tensor:
    return run(model)


class TestWithTheHost:
    @pytest.mark.parametrize(
        "compose",
        [each for each in COMPOSED if each is not with_a_prompt_a_picture],
        ids=lambda compose: compose.__name__.removeprefix("with_"),
    )
    def test_acts_on_both_sides_as_the_host_s_own_guidance(self, model, plain, compose):
        changed, target, negative = compose(model, TARGET, NEGATIVE)
        _, source, _ = compose(model, SOURCE, NEGATIVE)
        found = run(changed, target=target, source=source, negative=negative)
        assert torch.equal(found[..., 4:], PICTURE[..., 4:]) and not close(found[..., :4], plain[..., :4], 1e-3)
        assert torch.equal(run(changed, target=target, source=source, negative=negative), found)
        if compose not in (with_lora_hook, with_time_hook):  # which follow a schedule, and the reference has none
            mask = half()[:, None, ::8, ::8]
            sides = {"target": (target, negative, 3.0), "source": (source, negative, 1.5)}
            for i, clean in enumerate(PICTURE.split(1)):
                assert close(found[i : i + 1], by_the_published_loop(changed, clean, sides, i, mask), 2e-5)
        assert torch.equal(run(model), plain)  # nothing stays behind

    def test_differential_diffusion_opens_the_mask_step_by_step(self, model):
        ramp = torch.linspace(0, 1, 8).repeat_interleave(8).expand(1, 64, 64)
        (differential,) = DifferentialDiffusion.execute(model).result
        found = run(differential, mask=ramp)
        assert torch.equal(found[..., 0], PICTURE[..., 0]) and not close(found, run(model, mask=ramp), 1e-3)

    def test_an_inpainting_model_hears_of_the_mask(self):
        family, seen = of_family("SD 1.x, inpainting"), []
        watching = family.model.clone()
        watching.set_model_unet_function_wrapper(
            lambda apply, args: seen.append(args["c"]["c_concat"]) or apply(args["input"], args["timestep"], **args["c"])
        )
        edited(
            watching, {"samples": family.samples}, family.target, family.source, negative=family.negative, mask=family.half()
        )
        assert all((concat[:, 0, :, :2] == 1).all() and (concat[:, 0, :, 2:] == 0).all() for concat in seen)

    def test_in_inference_mode_with_a_text_encoder(self, model):
        with torch.inference_mode():
            target = clip().encode_from_tokens_scheduled(clip().tokenize("a blue rose"))
            found = run(model, target=target, source=None, negative=None, clip=clip())
        assert torch.equal(found[..., 4:], PICTURE[..., 4:]) and not torch.equal(found, PICTURE)

    def test_progress_counts_the_steps_of_all_pictures(self, model, monkeypatch):
        seen = []
        monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", lambda value, total, *_, **__: seen.append((value, total)))
        run(model)
        # The host leaves out what comes too soon after the last.
        assert seen == sorted(set(seen)) and seen[-1] == (8, 8) and {total for _, total in seen} == {8}

    def test_an_interrupt_ends_within_one_model_call_and_leaves_nothing(self, model, plain):
        seen, calls = watched(model, interrupt_at=3)
        with interrupted():
            run(seen)
        assert len(calls.rows) == 3 and torch.equal(run(model), plain)

    def test_nothing_is_drawn_from_the_process(self, model, plain):
        generator = torch.get_rng_state()
        assert torch.equal(run(model), plain) and torch.equal(torch.get_rng_state(), generator)


class TestInputs:
    def test_evaluations(self, model):
        """Two a noise and step, twice as many where a side is guided; no negative is read where none is."""
        for cfgs, rows in (((1.0, 1.0), 1 + 1), ((3.0, 1.0), 2 + 1), ((3.0, 2.0), 2 + 2)):
            seen, calls = watched(model)
            run(seen, latent=picture(1), target_cfg=cfgs[0], source_cfg=cfgs[1], averages=2)
            assert sum(calls.rows) == 4 * 2 * rows

    def test_levels_are_those_of_the_inversion(self, model):
        for scheduler in (LEADING, "karras"):
            seen, calls = watched(model)
            run(seen, latent=picture(1), scheduler=scheduler, steps=10, strength=0.6)
            levels = inversion_levels(model, 10, 0.6, scheduler, None).flip(0)[:-1].tolist()
            assert calls.sigmas == [level for level in levels for side in range(2)]

    def test_a_prompt_left_out_is_the_empty_one(self, model):
        empty = clip().encode_from_tokens_scheduled(clip().tokenize(""))
        assert torch.equal(run(model, source=None, negative=None, clip=clip()), run(model, source=empty, negative=empty))
        assert torch.equal(
            run(model, target_cfg=1.0, source_cfg=1.0, negative=None), run(model, target_cfg=1.0, source_cfg=1.0)
        )

    def test_masks_of_pixels_of_other_sizes_of_the_latent_and_one_for_each_picture(self, model, plain):
        for mask in (
            half()[0],
            half().expand(2, -1, -1),
            half()[:, ::8, ::8],
            half().repeat_interleave(3, 1).repeat_interleave(3, 2),
        ):
            assert torch.equal(run(model, mask=mask), plain)
        own = {**picture(2), "noise_mask": half()[:, None]}
        assert torch.equal(run(model, latent=own, mask=None), plain)
        assert not torch.equal(run(model, latent=own, mask=1 - half()), plain)
        one_pixel = torch.zeros(1, 64, 64)
        one_pixel[:, 17, 40] = 1
        assert ((run(model, mask=one_pixel) != PICTURE).any(dim=(0, 1)).nonzero() == torch.tensor([[2, 5]])).all()
        each = torch.cat([half(), 1 - half()])
        found = run(model, mask=each)
        assert torch.equal(found[0], plain[0]) and torch.equal(found[1, ..., :4], PICTURE[1, ..., :4])
        assert torch.equal(run(model, mask=torch.ones(1, 64, 64)), run(model, mask=None))

    def test_latents_of_other_types(self, model):
        for kind, expected in ((torch.long, torch.float32), (torch.float64, torch.float64), (torch.float16, torch.float16)):
            own = (PICTURE * 10).to(kind)
            found = run(model, latent={"samples": own})
            assert found.dtype == expected and torch.equal(found[..., 4:], own[..., 4:].to(expected))

    def test_what_a_latent_brings_is_passed_on(self, model):
        own = {**picture(2), "batch_index": [5, 3]}
        found = MaskedFlowEdit.execute(model, own, TARGET, source=SOURCE, negative=NEGATIVE, **SETTINGS).result[0]
        assert found.keys() == own.keys() and found["batch_index"] == [5, 3]
        assert not torch.equal(found["samples"], run(model, mask=None))  # the numbers decide the noises
        assert torch.equal(own["samples"], PICTURE)


class TestRefusals:
    def refuse(self, message: str, model, **settings):
        seen, calls = watched(model)
        with pytest.raises(ValueError, match=message):
            run(seen, **settings)
        assert not calls.rows

    def test_prompts(self, model):
        self.refuse("source is left out.*no clip is connected.*Connect clip", model, source=None)
        self.refuse("negative is left out.*no clip is connected", model, negative=None)
        self.refuse("target has rows of width 8, but model reads 64", model, target=[[torch.zeros(1, 7, 8), {}]])
        both = with_a_prompt_a_picture(model, TARGET, NEGATIVE)[1]
        self.refuse("target has 2 rows, one for each picture of a batch.*run the pictures one by one", model, target=both)

    def test_masks(self, model):
        self.refuse("mask is 0 everywhere, so nothing would be repainted", model, mask=torch.zeros(1, 64, 64))
        self.refuse("mask has values from 0 to 255", model, mask=half() * 255)
        self.refuse(r"mask holds 3 masks for 2 picture\(s\)", model, mask=half().expand(3, -1, -1))
        self.refuse("mask is 128 x 64 pixels, but the picture is 64 x 64", model, mask=half().repeat(1, 1, 2))

    def test_numbers_and_latents(self, model):
        self.refuse("steps is 0; it must be a whole number from 1 to 1000", model, steps=0)
        self.refuse("averages is 65; it must be a whole number from 1 to 64", model, averages=65)
        self.refuse("scheduler is 'no such'; choose one of leading", model, scheduler="no such")
        self.refuse("latent has 3 channels, but the model works on 4", model, latent={"samples": torch.ones(1, 3, 8, 8)})

    def test_controlnets_with_a_picture_for_each(self, model):
        _, target, negative = with_controlnet(model, TARGET, NEGATIVE)
        control = target[0][1]["control"]
        several = nodes.ControlNetApplyAdvanced().apply_controlnet(
            TARGET, NEGATIVE, control, torch.rand(2, 64, 64, 3), 1.0, 0, 1
        )
        self.refuse(
            "target has a ControlNet with 2 pictures for a batch of 2; run the pictures one by one", model, target=several[0]
        )
        assert torch.isfinite(run(model, latent=picture(1), target=several[0])).all()

    def test_a_second_picture_that_is_missing(self):
        painter = FROM_A_PICTURE[0]
        family = family_of(painter)
        with pytest.raises(ValueError, match="reads a second picture beside the latent, and target brings none"):
            family.edited(target=painter.bare_prompt(1))

    def test_predictions_that_are_not_finite(self, model):
        broken = model.clone()
        broken.set_model_sampler_post_cfg_function(lambda args: args["denoised"] / 0)
        with pytest.raises(ValueError, match="model gives predictions that are not finite; run it in float32"):
            run(broken)
