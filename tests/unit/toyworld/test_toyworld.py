"""The toy world: the drawing program and judge, and that the narrow network is the one in the checkpoint."""

from pathlib import Path

import numpy as np
import pytest
import torch
from smallmodel.build import VAE_SCALE
from smallmodel.host_model import NarrowDiffusionModel, load_checkpoint, load_narrow
from smallmodel.text_encoder import TextEncoder
from smallmodel.unet import UNet
from toyworld import autoencoder, train
from toyworld.build import stored_checkpoint
from toyworld.data import make_dataset
from toyworld.judge import judge
from toyworld.stored import WEIGHTS, load_text_encoder, load_unet
from toyworld.text_losses import TextLosses
from toyworld.words import token_ids, vocabulary
from toyworld.world import Scene, draw, random_scene

from tools.comfyui.environment import HOST, TOY_CHECKPOINT

CHECKPOINT = HOST / "ComfyUI" / "models" / "checkpoints" / TOY_CHECKPOINT


@pytest.fixture(scope="module")
def toy():
    with torch.no_grad():
        return load_checkpoint(CHECKPOINT)


@pytest.mark.slow
def test_judge_reads_drawn_pictures():
    rng = np.random.RandomState(1)
    scenes = [random_scene(rng) for _ in range(300)]
    verdicts = [judge(draw(rng, scene).pixels) for scene in scenes]
    right = [(v.noun, v.colour, v.count) == (s.noun, s.colour, 1 + s.pair) for s, v in zip(scenes, verdicts, strict=True)]
    assert np.mean(right) >= 0.99


def test_judge_sees_nothing_on_an_empty_picture():
    assert judge(np.full((128, 128, 3), 0.9)).noun is None


def test_drawing_is_decided_by_its_seed():
    a, b = (draw(np.random.RandomState(5), Scene("car", "red")).pixels for _ in range(2))
    np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="no 'horse'"):
        draw(np.random.RandomState(5), Scene("horse", "red"))


def test_captions_read_as_written():
    assert Scene("leaf", "orange", pair=True, background=" on sand").caption == "two orange leaves on sand"
    assert Scene("cup", "orange", template="a photo of a {}").caption == "a photo of an orange cup"
    assert Scene("cup", "orange", names_colour=False).caption == "a cup"


def test_weights_fit_in_the_repository():
    assert sum(path.stat().st_size for path in WEIGHTS.glob("*.safetensors")) <= 16e6


@pytest.mark.slow
def test_checkpoint_on_disk_is_the_one_the_weights_make():
    from safetensors.torch import load_file

    stored, built = load_file(CHECKPOINT), stored_checkpoint()
    assert stored.keys() == built.keys()
    assert all(torch.equal(stored[key], built[key]) for key in built)


def test_the_hosts_unet_computes_what_the_narrow_one_does(toy):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 4, 16, 16, generator=generator)
    context = torch.zeros(2, 77, 768)
    context[..., :128] = torch.randn(2, 77, 128, generator=generator)
    t = torch.tensor([10.0, 700.0])
    host = toy.model.model.diffusion_model.float()
    with torch.no_grad():
        expected = host(x, t, context=context)
        found = NarrowDiffusionModel(load_unet())(x, t, context)
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=1e-3)


def test_the_hosts_text_encoder_computes_what_the_narrow_one_does(toy):
    text = "a photo of two blue cups on grass"
    rows = toy.clip.encode_from_tokens(toy.clip.tokenize(text))[0].float()
    with torch.no_grad():
        narrow = load_text_encoder()(torch.tensor([token_ids(text)]))[0]
    torch.testing.assert_close(rows[:, :128], narrow, atol=2e-3, rtol=1e-2)
    assert rows[:, 128:].abs().max() == 0


@pytest.mark.slow
def test_encode_and_decode_keep_28_db(toy):
    rng = np.random.RandomState(2)
    pictures = torch.from_numpy(np.stack([draw(rng, random_scene(rng)).pixels for _ in range(24)]))
    latents = toy.vae.encode(pictures)
    torch.testing.assert_close(latents * VAE_SCALE, autoencoder.encode(pictures.permute(0, 3, 1, 2)), atol=2e-2, rtol=0)
    error = (toy.vae.decode(latents).clamp(0, 1) - pictures).pow(2).mean((1, 2, 3))
    assert (-10 * error.log10()).mean() >= 28


@pytest.mark.slow
def test_narrow_model_samples_the_asked_object():
    from smallmodel.host_model import Sampler

    with torch.no_grad():
        sampler = Sampler(load_narrow(CHECKPOINT, load_unet()))
        verdicts = [judge(p) for p in sampler.pictures("a green star on sand", [1, 2, 3, 4])]
    assert [(v.noun, v.colour) for v in verdicts] == [("star", "green")] * 4


@pytest.mark.slow
def test_training_resumed_is_training_uninterrupted(tmp_path: Path):
    data = make_dataset(1000, 3, tmp_path)
    settings = train.Settings(batch=4, steps=4)

    def new():
        torch.manual_seed(0)
        encoder = TextEncoder(vocabulary())
        return train.JointTraining(data, UNet(), encoder, TextLosses(encoder.width), settings)

    whole, first, second = new(), new(), new()
    for _ in range(3):
        whole.step()
    first.step()
    train.save(tmp_path / "model.pt", first.state())
    second.load(torch.load(tmp_path / "model.pt"))
    for _ in range(2):
        second.step()
    assert second.done == whole.done == 3
    for a, b in zip(whole.average.parameters(), second.average.parameters(), strict=True):
        assert torch.equal(a, b)
