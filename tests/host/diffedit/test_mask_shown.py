"""What DiffEdit Mask and Heatmap to Mask hand to the view in the browser."""

import json

import folder_paths
import numpy as np
import pytest
import safetensors
import torch
from host.models.node_inputs import mask_inputs
from host.models.picture_families import PAINTERS
from host.models.tiny_diffusion import picture, prompt, tiny_model
from latent_preview import Latent2RGBPreviewer
from PIL import Image
from time_diffedit.diffedit_core.mask.cell_shapes import smoothed
from time_diffedit.diffedit_core.mask.heatmap import Heatmap
from time_diffedit.nodes.diffedit.diffedit_mask import DiffEditMask
from time_diffedit.nodes.diffedit.heatmap_to_mask import HeatmapToMask

MASK = {"seed": 7, "maps": 2, "noise_strength": 0.5}
RULE = {
    "rule": {"rule": "paper", "outliers": 5.0, "threshold": 0.4},
    "smooth": 0.8,
    "grow": 1,
    "fill_holes": True,
}


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def heat(*shape: int, **places) -> Heatmap:
    return Heatmap(torch.rand(shape, generator=torch.Generator().manual_seed(4)), **places)


def from_model(model, latent, **settings):
    return DiffEditMask.execute(model, latent, prompt(0), **mask_inputs(**{**MASK, "source": prompt(1), **settings}))


def from_heatmap(heatmap: Heatmap, **settings):
    return HeatmapToMask.execute(heatmap, **{"rule": {"rule": "mean ratio"}, **settings})


def path_of(item: dict):
    assert item["type"] == "temp"
    return folder_paths.get_temp_directory() + "/" + item["subfolder"] + "/" + item["filename"]


def file_of(output):
    (item,) = output.ui["heatmap"]
    return safetensors.safe_open(path_of(item), "pt")


def images_of(output) -> list[np.ndarray]:
    return [np.asarray(Image.open(path_of(item))) for item in output.ui["picture"]]


def settings_of(output) -> dict:
    return json.loads(file_of(output).metadata()["settings"])


def test_the_file_holds_the_exact_values_that_the_rule_judges():
    heatmap = heat(2, 3, 7, 5, cell=16)
    file = file_of(from_heatmap(heatmap, **RULE))
    assert torch.equal(file.get_tensor("values"), smoothed(heatmap.values, 0.8))
    assert file.get_tensor("values").dtype == torch.float32 and file.metadata()["cell"] == "16"
    mean, expected = file.get_tensor("mean"), smoothed(heatmap.values, 0.8).double().mean((2, 3))
    assert mean.dtype == torch.float64 and torch.allclose(mean, expected, rtol=1e-14, atol=0)


def test_the_file_names_the_settings_as_the_widgets_are_named():
    settings = settings_of(from_heatmap(heat(1, 1, 6, 6), **RULE))
    assert settings == {
        "rule": "paper",
        "rule.outliers": 5.0,
        "rule.threshold": 0.4,
        "outline": "cells",
        "smooth": 0.8,
        "grow": 1,
        "fill_holes": True,
        "strokes": "",
    }
    for option in next(i for i in HeatmapToMask.define_schema().inputs if i.id == "rule").options:
        settings = settings_of(from_heatmap(heat(1, 1, 6, 6), rule={"rule": option.key}))
        widgets = {f"rule.{i.id}": i.default for i in option.inputs}
        others = {"outline": "cells", "smooth": 0.0, "grow": 0, "fill_holes": False, "strokes": ""}
        assert settings == {"rule": option.key, **widgets, **others}


def test_the_file_of_the_model_says_what_else_the_heat_map_was_made_with(model):
    plain = from_model(model, picture())
    guided = from_model(model, picture(), target_negative=prompt(2), source_negative=prompt(3))
    assert settings_of(plain).items() >= {"seed": 7, "maps": 2, "noise_strength": 0.5}.items()
    assert "compare.cfg" not in settings_of(plain) and settings_of(guided)["compare.cfg"] == 7.5
    inputs = {i.id: i for i in DiffEditMask.define_schema().inputs}
    widgets = {f"{choice}.{i.id}" for choice in ("rule", "compare") for o in inputs[choice].options for i in o.inputs}
    assert set(settings_of(guided)) <= inputs.keys() | widgets


def test_each_run_writes_a_file_of_its_own():
    names = {from_heatmap(heat(1, 1, 6, 6)).ui["heatmap"][0]["filename"] for _ in range(3)}
    assert len(names) == 3


def test_a_picture_is_cropped_as_vae_encode_crops_and_changes_nothing_else(model):
    shown = torch.rand(1, 8 * 8 + 5, 12 * 8 + 3, 3, generator=torch.Generator().manual_seed(1))
    plain, output = from_model(model, picture(1, 8, 12)), from_model(model, picture(1, 8, 12), picture=shown)
    (image,) = images_of(output)
    assert np.abs(image - 255 * shown[0, 2:66, 1:97].numpy()).max() <= 1
    assert torch.equal(output.result[0], plain.result[0]) and len(output.ui["images"]) == len(plain.ui["images"]) == 2


def test_a_picture_of_another_size_stays_whole():
    shown = torch.rand(1, 100, 90, 4)
    (image,) = images_of(from_heatmap(heat(1, 1, 6, 6), picture=shown))
    assert image.shape == (100, 90, 3)


def test_one_picture_serves_all_and_several_each_their_own():
    heatmap, shades = heat(2, 3, 6, 6), torch.tensor([0.2, 0.5, 0.8])
    pictures = shades[:, None, None, None].expand(3, 48, 48, 3)
    one = from_heatmap(heatmap, picture=pictures[:1])
    assert len({item["filename"] for item in one.ui["picture"]}) == 1 and len(one.ui["picture"]) == 3
    each = images_of(from_heatmap(heatmap, picture=pictures))
    assert [image[0, 0, 0] / 255 for image in each] == pytest.approx(shades.tolist(), abs=0.01)


@pytest.mark.parametrize(
    "count, expected",
    [
        (18, [0, 1, 5, 9, 10, 14]),  # of both clips
        (9, [0, 1, 5, 0, 1, 5]),  # of one for both
        (20, [0, 1, 5, 10, 11, 15]),  # VAE Encode drops what does not fill a latent frame
        (1, [0] * 6),
    ],
)
def test_latent_frames_show_the_first_picture_frame_that_they_cover(count, expected):
    frames = (torch.arange(count) / 25)[:, None, None, None].expand(count, 32, 32, 3)
    images = images_of(from_heatmap(heat(1, 2, 3, 4, 4, cell_frames=4), picture=frames))
    assert [round(image[0, 0, 0] / 255 * 25) for image in images] == expected


def test_without_a_picture_the_latent_is_shown_in_the_colours_that_the_host_knows(model):
    latent = picture(2, 8, 12)
    images = images_of(from_model(model, latent))
    latent_format = model.get_model_object("latent_format")
    host = Latent2RGBPreviewer(latent_format.latent_rgb_factors, latent_format.latent_rgb_factors_bias)
    for i in range(2):
        expected = np.asarray(host.decode_latent_to_preview(model.model.process_latent_in(latent["samples"][i : i + 1])))
        assert np.abs(images[i].astype(int) - expected).max() <= 1
    assert images[0].shape == (8, 12, 3) and not np.array_equal(*images)


@pytest.mark.parametrize("painter", [p for p in PAINTERS if p.name in ("SDXL", "Flux", "Wan 2.1")], ids=lambda p: p.name)
def test_every_frame_of_every_family_gets_its_picture(painter):
    model, latent = painter.model(), painter.picture()
    output = DiffEditMask.execute(model, latent, painter.prompt(0), **mask_inputs(**MASK, source=painter.prompt(1)))
    count = latent["samples"].shape[0] * (latent["samples"].shape[2] if latent["samples"].ndim == 5 else 1)
    assert [image.shape for image in images_of(output)] == [(*latent["samples"].shape[-2:], 3)] * count


def test_a_family_without_known_colours_shows_none(model, monkeypatch):
    monkeypatch.setattr(model.get_model_object("latent_format"), "latent_rgb_factors", None)
    assert from_model(model, picture()).ui["picture"] == []


def test_a_heat_map_alone_shows_no_picture():
    assert from_heatmap(heat(1, 1, 6, 6)).ui["picture"] == []
