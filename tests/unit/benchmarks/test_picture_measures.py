"""Measures of edited pictures against values by hand and against torchmetrics."""

import math

import numpy as np
import pytest
import torch
from comfy.clip_vision import ClipVisionModel
from host.models import tiny
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure
from torchvision.models import squeezenet1_1

from benchmarks.judges.pixels import (
    best_of_cells,
    left_as_it_was,
    lpips_by,
    mse,
    pie_bench,
    psnr,
    self_similarity,
    ssim,
    structure_distance,
)

VISION = {
    "hidden_act": "quick_gelu",
    "hidden_size": 32,
    "image_size": 56,
    "intermediate_size": 64,
    "model_type": "clip_vision_model",
    "num_attention_heads": 2,
    "num_channels": 3,
    "num_hidden_layers": 3,
    "patch_size": 14,
    "projection_dim": 16,
}
DINO = VISION | {"model_type": "dinov2", "layer_norm_eps": 1e-6, "use_swiglu_ffn": False}


def vision(config: dict) -> ClipVisionModel:
    model = ClipVisionModel(config)
    tiny.initialise(model.model, seed=3)
    return model


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    a = np.float32(rng.random((40, 56, 3)))
    return a, np.clip(a + np.float32(0.1) * np.float32(rng.standard_normal(a.shape)), 0, 1)


@pytest.fixture
def background() -> np.ndarray:
    where = np.ones((40, 56), bool)
    where[10:30, 20:40] = False
    return where


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def as_batch(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.float64(picture)).movedim(-1, 0)[None]


def test_mse_and_psnr_by_hand(background):
    a, b = np.zeros((40, 56, 3)), np.zeros((40, 56, 3))
    b[~background] = 1.0
    b[0, 0] = 0.5
    assert mse(a, b, background) == pytest.approx(0.25 / background.sum())
    assert psnr(a, b, background) == pytest.approx(10 * math.log10(background.sum() / 0.25))
    assert mse(a, b) == pytest.approx((0.25 + 400) / (40 * 56))
    assert psnr(a, a) == 120.0


def test_ssim_of_flat_pictures_by_hand():
    a, b = np.full((32, 32, 3), 0.4), np.full((32, 32, 3), 0.7)
    c1 = 0.01**2
    assert ssim(a, b) == pytest.approx((2 * 0.4 * 0.7 + c1) / (0.4**2 + 0.7**2 + c1))


def test_ssim_counts_only_where_it_is_asked(pair, background):
    a, noisy = pair
    b = np.where(background[..., None], a, noisy)
    far = np.zeros_like(background)
    far[:4] = True  # further from the changed pixels than the window reaches
    assert ssim(a, b, far) == pytest.approx(1.0)
    assert ssim(a, b, ~background) < 0.99
    assert ssim(a, b, background) < 1.0


def test_whole_pictures_measure_as_in_torchmetrics(pair):
    a, b = pair
    assert psnr(a, b) == pytest.approx(float(peak_signal_noise_ratio(as_batch(b), as_batch(a), data_range=1.0)), abs=1e-4)


def test_as_pie_bench_is_torchmetrics_on_masked_pictures(pair, background):
    a, b = (picture * background[..., None] for picture in pair)
    found = pie_bench(*pair, background)
    assert found["MSE"] == pytest.approx(float(((a - b) ** 2).mean()), rel=1e-5)
    assert found["PSNR"] == pytest.approx(float(peak_signal_noise_ratio(as_batch(b), as_batch(a), data_range=1.0)), abs=1e-4)
    expected = structural_similarity_index_measure(as_batch(b), as_batch(a), data_range=1.0)
    assert found["SSIM"] == pytest.approx(float(expected), abs=1e-4)


def test_as_pie_bench_depends_on_the_area(pair, background):
    share = background.mean()
    assert pie_bench(*pair, background)["PSNR"] == pytest.approx(psnr(*pair, background) - 10 * math.log10(share), abs=1e-6)


@pytest.mark.parametrize("config", [VISION, DINO])
def test_structure_is_how_patches_resemble_each_other(pair, config):
    model = vision(config)
    similarity = self_similarity(model, pair[0])
    patches = (56 // 14) ** 2
    assert similarity.shape == (patches, patches)
    assert torch.allclose(similarity.diagonal(), torch.ones(patches), atol=1e-5)
    tokens = model.encode_image(torch.from_numpy(pair[0])[None], crop=False)["penultimate_hidden_states"][0]
    assert tokens.shape[0] == 1 + patches
    expected = torch.nn.functional.cosine_similarity(tokens[3], tokens[7], dim=0)
    assert similarity[2, 6] == pytest.approx(float(expected), abs=1e-5)
    other = self_similarity(model, pair[1])
    assert structure_distance(model, *pair) == pytest.approx(float(((similarity - other) ** 2).mean()), rel=1e-4)
    assert structure_distance(model, pair[0], pair[0]) == 0.0
    assert structure_distance(model, *pair) > 0.0


def test_lpips_reads_local_weights_and_counts_only_where_it_is_asked(tmp_path, pair, background):
    torch.manual_seed(0)
    network = squeezenet1_1(weights=None)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    hub = torch.hub.get_dir()
    measure = lpips_by(tmp_path / "weights.pth")
    assert torch.hub.get_dir() == hub
    a, b = (np.kron(picture, np.ones((2, 2, 1), np.float32)) for picture in pair)
    where = np.kron(background, np.ones((2, 2), bool))
    assert measure(a, a, where) == pytest.approx(0.0, abs=1e-6)
    assert measure(a, np.where(where[..., None], a, b), where) == pytest.approx(0.0, abs=1e-6)
    found = measure(a, b, where)
    assert found > 0.0
    torch.save(squeezenet1_1(weights=None).state_dict(), tmp_path / "other.pth")
    assert lpips_by(tmp_path / "other.pth")(a, b, where) != pytest.approx(found)


def test_the_best_mask_of_cells_by_hand():
    """A square of whole cells can be met; of one that is moved by half a cell, what is masked too much is half of it."""
    truth = np.zeros((64, 64), bool)
    truth[16:32, 16:32] = True
    assert best_of_cells(truth) == 1
    moved = np.roll(truth, 4, 1)
    assert best_of_cells(moved) == pytest.approx(256 / (256 + 128))


def test_what_is_left_is_nearer_to_the_original():
    red, blue, where = np.zeros((8, 8, 3)), np.zeros((8, 8, 3)), np.ones((8, 8), bool)
    red[..., 0], blue[..., 2] = 1, 1
    mostly_blue = blue.copy()
    mostly_blue[:2] = red[:2] * 0.9
    assert left_as_it_was(red, blue, red, where) == 1
    assert left_as_it_was(red, blue, blue, where) == 0
    assert left_as_it_was(red, blue, mostly_blue, where) == 0.25
