"""Natural world: what is learned from, and that learning goes on where it stopped. Nothing is trained to be of use here."""

import pytest
import torch
from naturalworld.autoencoder import Autoencoder, psnr
from naturalworld.build import checkpoint
from naturalworld.captions import caption
from naturalworld.contrast import OWN_POSITIONS, CaptionEncoder, Contrast
from naturalworld.dataset import example
from naturalworld.scenes import random_scene, seed_of
from naturalworld.train import Part, Settings, encode_all, train_autoencoder, train_contrast, train_model
from naturalworld.training_data import make_training_data
from naturalworld.words import vocabulary
from numpy.random import RandomState
from torch import nn
from toyworld.build import checkpoint as toyworld_checkpoint
from toyworld.text_encoder import host_weights
from toyworld.unet import UNet
from toyworld.words import END, token_ids

FEW = Settings(
    pictures=24, autoencoder_steps=2, autoencoder_batch=2, contrast_steps=2, contrast_batch=6, steps=2, batch=4, warm_up=1,
    save_every=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_training_data(tmp_path_factory.mktemp("run"), FEW.pictures, size=64)


def test_data_are_the_split(data, tmp_path):
    assert data.texts[0] == "" and data.pictures.shape == (24, 64, 64, 3)
    third = example("train", 3, size=64)
    assert data.texts[data.caption[3]] == caption(third.scene)
    assert (data.batch(torch.tensor([3]))[0].movedim(0, -1) - torch.from_numpy(third.pixels)).abs().max() < 1 / 250
    assert (data.ids[torch.arange(len(data.texts)), data.ends] == END).all()


def test_the_vocabulary_has_every_token_of_every_caption():
    known = set(vocabulary())
    assert 250 < len(known) < 600
    for i in range(1500):
        text = caption(random_scene(RandomState(seed_of("validation", i))))
        ids = token_ids(text)
        assert set(ids) <= known, text
        assert ids.index(END) < OWN_POSITIONS, text


def test_the_same_caption_is_no_wrong_answer():
    torch.manual_seed(0)
    contrast = Contrast(16)
    rows, pictures = torch.randn(3, 5, 16), torch.rand(3, 3, 32, 32)
    rows[1] = rows[0]
    ends = torch.tensor([4, 4, 4])
    told_apart = contrast(rows, ends, torch.tensor([0, 1, 2]), pictures)
    same = contrast(rows, ends, torch.tensor([0, 0, 2]), pictures)
    assert same < told_apart


def test_the_text_encoder_fits_in_the_host():
    torch.manual_seed(0)
    encoder = CaptionEncoder(vocabulary())
    wide = host_weights(encoder)
    prefix = "cond_stage_model.transformer.text_model."
    assert wide[f"{prefix}embeddings.position_embedding.weight"].shape == (77, 768)
    assert wide[f"{prefix}embeddings.token_embedding.weight"].shape == (49408, 768)
    assert not torch.equal(*wide[f"{prefix}embeddings.position_embedding.weight"][20:22])
    assert wide[f"{prefix}encoder.layers.3.mlp.fc1.weight"].any()
    assert not wide[f"{prefix}encoder.layers.4.mlp.fc1.weight"].any()


def test_every_part_learns(data, tmp_path):
    autoencoder = train_autoencoder(data, tmp_path, FEW)
    latents = encode_all(data, autoencoder)
    assert latents.shape == (24, 4, 8, 8)
    text = train_contrast(data, tmp_path, FEW)
    before = [parameter.clone() for parameter in text["text"].parameters()]
    parts = train_model(data, latents, text, tmp_path, FEW)
    assert set(parts) == {"unet", "text"}
    assert all(parameter.isfinite().all() for parameter in parts.parameters())
    assert any(not torch.equal(a, b) for a, b in zip(before, parts["text"].parameters(), strict=True))
    again = train_model(data, latents, text, tmp_path, FEW)  # nothing is left to learn: what was kept comes back
    for a, b in zip(parts.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_learning_goes_on_where_it_stopped(tmp_path):
    """Stopped after two steps of five, and again after one more: the weights are those of five without a stop."""

    def learn(file, stop_after=None):
        torch.manual_seed(0)
        live = nn.ModuleDict({"line": nn.Linear(3, 1)})
        part = Part(file, live, ("line",), {"line": 0.1}, FEW)
        calls = 0

        def loss():
            nonlocal calls
            if calls == stop_after:
                raise KeyboardInterrupt
            calls += 1
            squared = (live["line"](torch.randn(8, 3)) - 1).pow(2).mean()
            return squared, squared.item()

        part.run("line", 5, loss)
        return part.average["line"].weight

    whole = learn(tmp_path / "whole.pt")
    for steps in (2, 1):
        with pytest.raises(KeyboardInterrupt):
            learn(tmp_path / "stopped.pt", steps)
    assert torch.load(tmp_path / "stopped.pt")["done"] == 3
    torch.testing.assert_close(learn(tmp_path / "stopped.pt"), whole, rtol=0, atol=0)


def test_the_checkpoint_has_the_drawn_worlds_shapes():
    """The host loads the drawn world's; every key and every shape here is one of that."""
    torch.manual_seed(0)
    text = CaptionEncoder(vocabulary())
    ours = checkpoint(Autoencoder(), UNet(text=text.width), text)
    theirs = toyworld_checkpoint()
    assert {key: tensor.shape for key, tensor in ours.items()} == {key: tensor.shape for key, tensor in theirs.items()}
    assert {tensor.dtype for key, tensor in ours.items() if "vae_s" not in key} == {torch.float16}


def test_decibels():
    assert psnr(0.01) == pytest.approx(20)
