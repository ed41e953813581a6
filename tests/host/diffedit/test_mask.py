"""DiffEdit Mask on a real, small host model."""

import comfy.cldm.cldm
import comfy.ops
import comfy.utils
import numpy as np
import pytest
import torch
from comfy.cli_args import LatentPreviewMethod, args
from comfy.controlnet import ControlNet
from host.models.node_inputs import mask_inputs
from host.models.tiny_diffusion import (
    UNET,
    clip,
    denoised,
    fingerprint,
    interrupted,
    picture,
    prompt,
    randomise,
    tiny_model,
    watched,
)
from PIL import Image
from time_diffedit.diffedit_core.inversion.schedule import noise_sigma
from time_diffedit.diffedit_core.mask.contrast import MOST_MAPS_AT_ONCE
from time_diffedit.diffedit_core.mask.heat_colours import heat_colours
from time_diffedit.diffedit_core.mask.masks import to_picture_size
from time_diffedit.diffedit_core.model.noise import picture_noise
from time_diffedit.nodes import DiffEditMask

SETTINGS = dict(seed=7, maps=3, noise_strength=0.5)
TARGET, SOURCE, NEGATIVE, OTHER_NEGATIVE = (prompt(i) for i in range(4))


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def run(model, latent, target=TARGET, source=SOURCE, **settings):
    return DiffEditMask.execute(model, latent, target, **mask_inputs(**{**SETTINGS, "source": source, **settings}))


def heat(*args, **kwargs) -> torch.Tensor:
    """The only pair: (pictures, h, w)."""
    (pair,) = run(*args, **kwargs).result[1].values
    return pair


def test_is_the_published_rule_computed_directly(model):
    latent = picture(1, 8, 12)
    mask, heatmap, coverage = run(model, latent).result

    sigma = noise_sigma(model.model.model_sampling.sigmas, 0.5)
    clean = model.model.process_latent_in(latent["samples"])
    expected = torch.zeros(1, 8, 12)
    for k in range(3):
        x = clean + sigma * picture_noise(7, 0, k, (4, 8, 12))
        eps_target, eps_source = ((x - denoised(model, p, x, sigma)) / sigma for p in (TARGET, SOURCE))
        expected += (eps_target - eps_source).abs().mean(dim=1) / 3
    assert heatmap.values.shape == (1, 1, 8, 12) and heatmap.values.dtype == torch.float32
    assert torch.allclose(heatmap.values[0], expected, atol=1e-5)
    assert (heatmap.cell, heatmap.cell_frames) == (8, 1)

    cells = (heatmap.values[0] > 1.5 * heatmap.values.mean()).float()
    assert 0 < cells.mean() < 2 / 3
    assert mask.shape == (1, 64, 96)
    assert torch.equal(mask, cells.repeat_interleave(8, 1).repeat_interleave(8, 2))
    assert coverage == cells.mean().item()


def test_asks_the_model_twice_a_map_if_the_negatives_are_equal(model):
    same = [[NEGATIVE[0][0].clone(), dict(NEGATIVE[0][1])]]
    for settings in (
        {},
        {"target_negative": NEGATIVE, "source_negative": NEGATIVE},
        {"target_negative": NEGATIVE, "source_negative": same},
        {"target_negative": NEGATIVE, "source_negative": OTHER_NEGATIVE, "cfg": 1.0},
    ):
        seen, calls = watched(model)
        run(seen, picture(2), **settings)
        assert sum(calls.rows) == 2 * 3 * 2
        assert len(set(calls.sigmas)) == 1


def test_guidance_cannot_change_the_mask_if_the_negatives_are_equal(model):
    plain = run(model, picture()).result
    for cfg in (0.0, 1.0, 3.0, 7.5):
        mask, heatmap, _ = run(model, picture(), cfg=cfg, target_negative=NEGATIVE, source_negative=NEGATIVE).result
        assert torch.equal(mask, plain[0]) and torch.equal(heatmap.values, plain[1].values)


def test_different_negatives_guide_each_side(model):
    seen, calls = watched(model)
    found = heat(seen, picture(), target_negative=NEGATIVE, source_negative=OTHER_NEGATIVE, cfg=3.0)
    assert sum(calls.rows) == 4 * 3

    sigma = noise_sigma(model.model.model_sampling.sigmas, 0.5)
    clean = model.model.process_latent_in(picture()["samples"])
    expected = torch.zeros(1, 8, 8)
    for k in range(3):
        x = clean + sigma * picture_noise(7, 0, k, (4, 8, 8))
        t, s, tn, sn = (denoised(model, p, x, sigma) for p in (TARGET, SOURCE, NEGATIVE, OTHER_NEGATIVE))
        expected += ((tn + 3 * (t - tn)) - (sn + 3 * (s - sn))).abs().mean(dim=1) / sigma / 3
    assert torch.allclose(found, expected, atol=3e-5)


def test_a_negative_left_out_is_the_empty_prompt(model):
    empty = clip().encode_from_tokens_scheduled(clip().tokenize(""))
    found = heat(model, picture(), target_negative=NEGATIVE, clip=clip())
    assert torch.equal(found, heat(model, picture(), target_negative=NEGATIVE, source_negative=empty))
    assert not torch.equal(found, heat(model, picture()))


def test_a_source_left_out_is_the_empty_prompt(model):
    empty = clip().encode_from_tokens_scheduled(clip().tokenize(""))
    target = clip().encode_from_tokens_scheduled(clip().tokenize("a blue rose"))
    assert torch.equal(heat(model, picture(), target, None, clip=clip()), heat(model, picture(), target, empty))


def test_exchanging_the_prompts_changes_nothing(model):
    a, b = heat(model, picture(), TARGET, SOURCE), heat(model, picture(), SOURCE, TARGET)
    assert torch.allclose(a, b, atol=1e-6)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(model):
    first, again, other = (run(model, picture(), seed=s).result for s in (7, 7, 8))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1].values, again[1].values)
    assert not torch.equal(first[1].values, other[1].values)


def test_leaves_the_process_wide_generator_alone(model):
    state = torch.get_rng_state()
    run(model, picture())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("maps", [2, MOST_MAPS_AT_ONCE + 1])
def test_a_batch_is_its_pictures_one_by_one(model, maps):
    latent = picture(3)
    mask, heatmap, _ = run(model, latent, maps=maps).result
    for i in range(3):
        alone = run(model, {"samples": latent["samples"][i : i + 1], "batch_index": [i]}, maps=maps).result
        assert torch.equal(heatmap.values[:, i : i + 1], alone[1].values)
        assert torch.equal(mask[i : i + 1], alone[0])
    shuffled = {"samples": latent["samples"][[2, 0]], "batch_index": [2, 0]}
    assert torch.equal(heat(model, shuffled, maps=maps), heatmap.values[0, [2, 0]])


def test_coverage_is_the_mean_over_the_batch(model):
    mask, _, coverage = run(model, picture(3)).result
    assert coverage == pytest.approx(float(mask.mean()))
    assert len({float(m.mean()) for m in mask}) > 1


def test_maps_share_model_calls_as_far_as_memory_goes(model):
    seen, calls = watched(model)
    found = heat(seen, picture(), maps=10)
    assert calls.rows == [2 * n for n in (4, 3, 3)]
    roomy = calls.rows

    calls.rows = []
    factor = seen.model.memory_usage_factor
    seen.model.memory_usage_factor = 1e12
    try:
        tight = heat(seen, picture(), maps=10)
    finally:
        seen.model.memory_usage_factor = factor
    assert sum(calls.rows) == sum(roomy) and max(calls.rows) == 1
    assert torch.allclose(found, tight, atol=1e-5)


def test_odd_sizes_of_the_latent(model):
    latent = picture(1, 7, 11)
    mask, heatmap, _ = run(model, latent).result
    assert mask.shape == (1, 56, 88) and heatmap.values.shape == (1, 1, 7, 11)


def test_more_maps_continue_the_same_series(model):
    one, two = heat(model, picture(), maps=1), heat(model, picture(), maps=2)
    sigma = noise_sigma(model.model.model_sampling.sigmas, 0.5)
    x = model.model.process_latent_in(picture()["samples"]) + sigma * picture_noise(7, 0, 1, (1, 4, 8, 8))
    second = (denoised(model, TARGET, x, sigma) - denoised(model, SOURCE, x, sigma)).abs().mean(1) / sigma
    assert torch.allclose(two, (one + second) / 2, atol=1e-5)


def test_shows_heat_maps_then_masks(model, temp_directory):
    output = run(model, picture(2, 8, 12))
    shown = output.ui["images"]
    images = [np.asarray(Image.open(temp_directory / item["subfolder"] / item["filename"])) for item in shown]
    assert [item["type"] for item in shown] == ["temp"] * 4
    assert all(image.shape == (64, 96, 3) for image in images)
    values = output.result[1].values[0]
    rescaled = (values / (3 * values.mean((1, 2), keepdim=True))).clamp(0, 1)
    colours = heat_colours(to_picture_size(rescaled, 8)).numpy()
    for i in range(2):
        assert np.abs(images[i].astype(float) - 255 * colours[i]).max() <= 3
        assert np.array_equal(images[2 + i][..., 0], 255 * output.result[0][i].numpy())


def test_an_interrupt_ends_within_one_model_call_and_leaves_nothing(model):
    before = run(model, picture()).result
    weights = fingerprint(model)
    seen, calls = watched(model, interrupt_at=2)
    with interrupted():
        run(seen, picture(), maps=4 * MOST_MAPS_AT_ONCE)
    assert len(calls.rows) == 2
    after = run(model, picture()).result
    assert torch.equal(before[0], after[0]) and torch.equal(before[1].values, after[1].values)
    assert fingerprint(model) == weights


@pytest.fixture
def progress(monkeypatch):
    """What the host's progress hook is told: (value, total, preview)."""
    seen = []

    def hook(value, total, preview, **_):
        seen.append((value, total, preview))

    monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", hook)
    return seen


def test_progress_shows_the_heat_map_so_far(model, progress, monkeypatch):
    monkeypatch.setattr(args, "preview_method", LatentPreviewMethod.Auto)
    values = heat(model, picture(2, 8, 12), maps=MOST_MAPS_AT_ONCE + 2)
    total = 2 * (MOST_MAPS_AT_ONCE + 2)
    assert [value for value, _, _ in progress] == [total // 4, total // 2, 3 * total // 4, total]
    assert {t for _, t, _ in progress} == {total}
    for (kind, image, size), row in ((progress[1][2], 0), (progress[3][2], 1)):
        assert (kind, size, image.size) == ("JPEG", args.preview_size, (96, 64))
        expected = heat_colours(to_picture_size(values[row : row + 1] / values[row].max(), 8))[0]
        assert np.abs(np.asarray(image).astype(float) - 255 * expected.numpy()).max() <= 3
    assert progress[0][2][1].tobytes() != progress[1][2][1].tobytes()


def test_no_preview_if_the_user_wants_none(model, progress, monkeypatch):
    monkeypatch.setattr(args, "preview_method", LatentPreviewMethod.NoPreviews)
    run(model, picture(2))
    assert progress[-1] == (6, 6, None)
    assert all(preview is None for _, _, preview in progress)


def test_a_second_pair_unites_with_the_first(model):
    third = prompt(5)
    first_mask, first, _ = run(model, picture(2)).result
    second_mask, second, _ = run(model, picture(2), third).result
    mask, both, coverage = run(model, picture(2), third, heatmap=first).result
    assert torch.equal(both.values, torch.cat([first.values, second.values]))
    assert torch.equal(mask, torch.maximum(first_mask, second_mask))
    assert coverage == pytest.approx(float(mask.mean())) and mask.sum() > second_mask.sum()
    assert len(first.values) == 1


def control(model, hint: torch.Tensor) -> ControlNet:
    """A small ControlNet of the host's own class, made from the U-Net's configuration."""
    config = {"num_heads": 8} | {k: v for k, v in UNET.items() if k not in ("out_channels", "transformer_depth_output")}
    network = comfy.cldm.cldm.ControlNet(**config, hint_channels=3, operations=comfy.ops.disable_weight_init, device="cpu")
    randomise(network, seed=9)
    made = ControlNet(network, load_device=model.load_device, compression_ratio=8)
    return made.copy().set_cond_hint(hint, 0.5, (0.0, 1.0))


def hint(count: int) -> torch.Tensor:
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(3))


def with_control(conditioning, net: ControlNet):
    return [[conditioning[0][0], {**conditioning[0][1], "control": net, "control_apply_to_uncond": True}]]


def test_a_controlnet_on_the_target_is_applied_to_both_sides(model):
    net = control(model, hint(1))
    one_sided = heat(model, picture(), with_control(TARGET, net))
    assert torch.equal(one_sided, heat(model, picture(), with_control(TARGET, net), with_control(SOURCE, net)))
    assert not torch.allclose(one_sided, heat(model, picture()), rtol=0.01)


def test_hints_of_several_pictures_never_spread_over_the_maps(model):
    single = heat(model, picture(), with_control(TARGET, control(model, hint(1))))
    seen, calls = watched(model)
    several = heat(seen, picture(), with_control(TARGET, control(model, hint(3))))
    assert max(calls.rows) == 2
    assert torch.allclose(single, several, atol=1e-5)


def test_the_latent_is_left_as_it_was(model):
    latent = {**picture(), "noise_mask": torch.zeros(1, 64, 64)}
    before = latent["samples"].clone()
    found = heat(model, latent)
    assert torch.equal(latent["samples"], before) and torch.equal(found, heat(model, picture()))


class TestRefusals:
    def refuse(self, message, model, latent=None, **settings):
        seen, calls = watched(model)
        with pytest.raises(ValueError, match=message):
            run(seen, latent or picture(), **settings)
        return calls.rows

    def test_the_same_prompt_twice(self, model):
        assert not self.refuse("target and source are the same prompt.*describe", model, source=TARGET)

    def test_no_clip_for_a_prompt_left_out(self, model):
        assert not self.refuse("source is left out.*Connect clip, or connect a conditioning to source", model, source=None)
        assert not self.refuse("source_negative is left out", model, target_negative=NEGATIVE)
        assert not self.refuse("target_negative is left out", model, source_negative=NEGATIVE)

    def test_a_comparison_that_is_none(self, model):
        assert not self.refuse(
            "compare is 'pictures'; choose one of two prompts, two prompts, guided", model, compare="pictures"
        )

    def test_a_model_that_ignores_the_prompt(self):
        deaf = tiny_model()
        for name, value in deaf.model.named_parameters():
            if "attn2.to_out" in name:
                value.data.zero_()
        self.refuse("predict the same everywhere in picture 0.*change target or source", deaf)

    def test_one_prompt_a_picture(self, model):
        rows = [[torch.cat([TARGET[0][0], SOURCE[0][0]]), {}]]
        assert not self.refuse("target has 2 rows.*one by one", model, picture(2), target=rows)

    def test_a_prompt_that_does_not_apply_at_this_noise(self, model):
        late = [[SOURCE[0][0], {"start_percent": 0.9, "end_percent": 1.0}]]
        assert not self.refuse("source does not apply at noise_strength's level", model, source=late)
        early = [[TARGET[0][0], {"start_percent": 0.0, "end_percent": 0.1}]]
        assert not self.refuse("target does not apply", model, target=early)
        heat(model, picture(), early + late + [[TARGET[0][0], {"start_percent": 0.1, "end_percent": 0.9}]])

    def test_a_heat_map_of_other_pictures(self, model):
        other = run(model, picture(2)).result[1]
        assert not self.refuse(r"heatmap is of 2 picture\(s\) of 8 x 8 cells.*latent is of 1", model, heatmap=other)

    def test_predictions_that_are_not_finite(self):
        broken = tiny_model()
        broken.model.diffusion_model.out[2].bias.data.fill_(float("nan"))
        self.refuse("model gives predictions that are not finite", broken)
