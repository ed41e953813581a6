"""DiffEdit Mask on tiny models of other families: v-prediction, flow, video latents, inpainting."""

from dataclasses import replace

import comfy.model_base
import comfy.supported_models
import pytest
import torch
from host.models.families import CASES, ROWS, Case, random
from host.models.node_inputs import mask_inputs
from host.models.picture_families import EVERY_FAMILY, WITH_A_REFERENCE
from host.models.tiny_diffusion import denoised, picture, prompt, tiny_model, watched
from time_diffedit.diffedit_core.inversion.schedule import noise_sigma
from time_diffedit.diffedit_core.mask.masks import to_latent_size, to_picture_size
from time_diffedit.diffedit_core.model.host_model import noising, sigma_table
from time_diffedit.diffedit_core.model.noise import picture_noise
from time_diffedit.nodes import DiffEditMask

SETTINGS = dict(seed=7, noise_strength=0.5)
FAMILIES = {case.name: case for case in CASES}


def run(model, latent, target, source, maps=2, **settings):
    return DiffEditMask.execute(
        model, latent, target, **mask_inputs(**{**SETTINGS, "maps": maps, "source": source, **settings})
    )


def prompts(case: Case) -> list[list]:
    return [[[random(1, ROWS, case.embedding, seed=seed), case.extra()]] for seed in (1, 2)]


def directly(model, latent: dict, target, source, maps: int = 2) -> torch.Tensor:
    """The heat map by its definition, from the host's own predictions, (B, [frames,] h, w)."""
    made_of, sigma = noising(model), noise_sigma(sigma_table(model), 0.5)
    rows = []
    for i, clean in enumerate(model.model.process_latent_in(latent["samples"]).split(1)):
        found = 0
        for k in range(maps):
            noise = picture_noise(7, i, k, clean.shape)
            x = ((1 - sigma) if made_of.flow else 1) * clean + sigma * noise
            found = found + (denoised(model, target, x, sigma) - denoised(model, source, x, sigma)).abs().mean(1) / sigma / maps
        rows.append(found)
    return torch.cat(rows)


@pytest.mark.parametrize("family", ["Flux", "Qwen-Image", "SD3", "Wan 2.1", "Z-Image"])
def test_text_of_another_width_is_refused_before_the_model_runs(family):
    painter = next(one for one in EVERY_FAMILY if one.name == family)
    width = painter.embedding
    other = replace(painter, embedding=width + 8)
    seen, calls = watched(painter.model())
    with pytest.raises(ValueError, match=f"has rows of width {width + 8}, but model reads {width}; encode the prompt"):
        run(seen, painter.picture(), other.prompt(1), other.prompt(0))
    assert not calls.rows


@pytest.mark.parametrize("painter", EVERY_FAMILY, ids=lambda painter: painter.name)
def test_every_family(painter):
    painter = replace(painter, latent=(1, *painter.latent[1:]))
    model, latent = painter.model(), painter.picture()
    target, source = painter.prompt(1), painter.prompt(0)
    settings = {"rule": "area", "area": 30.0, "maps": 1}
    if painter.cfg == 1.0:  # one prompt at a time, see there
        settings["target_model"] = model
    mask, heatmap, _ = run(model, latent, target, source, **settings).result
    expected = directly(model, latent, target, source, maps=1)
    assert expected.max() > 0
    assert torch.allclose(heatmap.values[0], expected, rtol=5e-3, atol=5e-3 * float(expected.max()))
    assert 0 < mask.mean() < 1


@pytest.mark.parametrize("painter", [p for p in WITH_A_REFERENCE if p.latent[0] > 1], ids=lambda painter: painter.name)
def test_each_picture_of_a_batch_reads_its_own_reference(painter):
    model, latent = painter.model(), painter.picture()
    target, source = painter.prompt(1), painter.prompt(0)
    together = run(model, latent, target, source).result[1].values
    for i in range(len(latent["samples"])):
        mine = {"reference_latents": [target[0][1]["reference_latents"][0][i : i + 1]]}
        prompts_of_one = ([[rows, options | mine] for rows, options in prompt] for prompt in (target, source))
        alone = {"samples": latent["samples"][i : i + 1], "batch_index": [i]}
        assert torch.equal(run(model, alone, *prompts_of_one).result[1].values, together[:, i : i + 1])


class SD20VPrediction(comfy.supported_models.SD20):
    def model_type(self, state_dict, prefix=""):
        return comfy.model_base.ModelType.V_PREDICTION


def test_v_prediction():
    model = tiny_model(config=SD20VPrediction, use_linear_in_transformer=True, model_channels=64)
    mask, heatmap, _ = run(model, picture(), prompt(0), prompt(1)).result
    assert torch.allclose(heatmap.values[0], directly(model, picture(), prompt(0), prompt(1)), rtol=1e-3, atol=1e-5)
    assert 0 < mask.mean() < 1


@pytest.mark.parametrize("name, size", [("SD3", (8, 6)), ("SD3", (5, 7)), ("Flux", (6, 4)), ("Flux", (5, 3))])
def test_flow(name, size):
    case = FAMILIES[name]
    model, latent = case.model(), {"samples": random(1, 16, *size, seed=3)}
    target, source = prompts(case)
    mask, heatmap, _ = run(model, latent, target, source).result
    assert heatmap.values.shape == (1, 1, *size) and heatmap.values.max() > 0
    assert torch.allclose(heatmap.values[0], directly(model, latent, target, source), rtol=2e-3, atol=1e-6)
    assert mask.shape == (1, 8 * size[0], 8 * size[1])


@pytest.fixture(scope="module")
def wan():
    return FAMILIES["Wan 2.1"].model()


class TestVideo:
    CASE = FAMILIES["Wan 2.1"]

    def latent(self, clips: int = 1) -> dict:
        return {"samples": random(clips, 16, 3, 5, 4, seed=3)}

    def test_has_a_heat_map_for_each_latent_frame_and_a_mask_for_each_picture_frame(self, wan, temp_directory):
        target, source = prompts(self.CASE)
        output = run(wan, self.latent(), target, source)
        mask, heatmap, coverage = output.result
        assert heatmap.values.shape == (1, 1, 3, 5, 4) and (heatmap.cell, heatmap.cell_frames) == (8, 4)
        assert torch.allclose(heatmap.values[0], directly(wan, self.latent(), target, source), rtol=2e-3, atol=1e-6)

        cells = (heatmap.values[0] > 1.5 * heatmap.values.mean()).float()  # of the whole clip
        assert mask.shape == (9, 40, 32)
        assert torch.equal(mask, to_picture_size(cells, 8, 4))
        assert torch.equal(to_latent_size(mask, self.latent()["samples"].shape, 8, 4)[:, 0], cells)
        assert coverage == pytest.approx(float(cells.mean()))
        assert len(output.ui["images"]) == 2 * 3

    def test_a_batch_is_its_clips_one_by_one(self, wan):
        target, source = prompts(self.CASE)
        latent = self.latent(2)
        mask, heatmap, _ = run(wan, latent, target, source).result
        assert mask.shape == (18, 40, 32)
        for i in range(2):
            alone = run(wan, {"samples": latent["samples"][i : i + 1], "batch_index": [i]}, target, source).result
            assert torch.equal(heatmap.values[:, i : i + 1], alone[1].values)
            assert torch.equal(mask[9 * i : 9 * i + 9], alone[0])
        swapped = {"samples": latent["samples"][[1, 0]], "batch_index": [1, 0]}
        assert torch.equal(run(wan, swapped, target, source).result[1].values, heatmap.values[:, [1, 0]])

    def test_noise_depends_on_seed_picture_and_map_only(self):
        shape = (1, 16, 3, 5, 4)
        assert torch.equal(picture_noise(1, 2, 3, shape), picture_noise(1, 2, 3, shape))
        assert not torch.equal(picture_noise(1, 2, 3, shape), picture_noise(1, 3, 3, shape))


def test_a_picture_of_a_video_family_is_one_frame():
    case = FAMILIES["Qwen-Image"]
    model, latent = case.model(), {"samples": random(2, 16, 1, 5, 4, seed=3)}
    target, source = prompts(case)
    mask, heatmap, _ = run(model, latent, target, source).result
    assert heatmap.values.shape == (1, 2, 1, 5, 4) and mask.shape == (2, 40, 32)
    assert torch.allclose(heatmap.values[0], directly(model, latent, target, source), rtol=2e-3, atol=1e-6)


@pytest.fixture(scope="module")
def inpainting():
    """SD 1.5 inpainting, as the host's loader sets it up (comfy/sd.py)."""
    model = tiny_model(in_channels=9)
    model.model.set_inpaint()
    return model


class TestInpainting:
    def with_picture(self, conditioning, batch: int):
        picture_of = {"concat_latent_image": picture(batch, seed=4)["samples"], "concat_mask": torch.ones(batch, 1, 64, 64)}
        return [[conditioning[0][0], {**conditioning[0][1], **picture_of}]]

    def test_is_told_that_everything_is_masked(self, inpainting):
        found = run(inpainting, picture(2), prompt(0), prompt(1)).result[1].values[0]
        assert torch.allclose(found, directly(inpainting, picture(2), prompt(0), prompt(1)), rtol=1e-3, atol=1e-5)

    def test_each_picture_of_a_batch_reads_its_own_second_picture(self, inpainting):
        target, source = (self.with_picture(prompt(i), 2) for i in range(2))
        together = run(inpainting, picture(2), target, source).result[1].values
        for i in range(2):
            alone = {"samples": picture(2)["samples"][i : i + 1], "batch_index": [i]}
            t, s = (
                [[embedding, {**options, **{k: options[k][i : i + 1] for k in ("concat_latent_image", "concat_mask")}}]]
                for (embedding, options) in (target[0], source[0])
            )
            assert torch.equal(run(inpainting, alone, t, s).result[1].values, together[:, i : i + 1])
        assert not torch.allclose(together, run(inpainting, picture(2), prompt(0), prompt(1)).result[1].values, rtol=0.01)


def test_a_model_that_reads_a_second_picture_needs_one_from_every_prompt():
    model = tiny_model(config=comfy.supported_models.SD15_instructpix2pix, in_channels=8)
    seen, calls = watched(model)
    second = {"concat_latent_image": picture(seed=4)["samples"]}
    target = [[prompt(0)[0][0], second]]
    with pytest.raises(ValueError, match="source brings none"):
        run(seen, picture(), target, prompt(1))
    with pytest.raises(ValueError, match="source_negative brings none"):
        source = [[prompt(1)[0][0], second]]
        run(seen, picture(), target, source, target_negative=[[prompt(2)[0][0], second]], source_negative=prompt(3))
    assert not calls.rows
    assert run(seen, picture(), target, source).result[2] > 0
