"""Natural world: what is learned from, and that learning goes on where it stopped. Nothing is trained to be of use here."""

import pytest
import torch
from naturalworld import training_data
from naturalworld.autoencoder import Autoencoder, psnr
from naturalworld.captions import caption
from naturalworld.colours import COLOURS
from naturalworld.contrast import OWN_POSITIONS, CaptionEncoder, Contrast
from naturalworld.dataset import example
from naturalworld.draw import draw
from naturalworld.network import new_unet
from naturalworld.part import Course, Part
from naturalworld.scenes import Scene, Subject, random_scene, seed_of
from naturalworld.things import BY_NOUN
from naturalworld.train import Settings, encode_all, train_autoencoder, train_contrast, train_model
from naturalworld.training_data import NOUNS, make_training_data, truth_of
from naturalworld.words import vocabulary
from numpy.random import RandomState
from smallmodel.build import checkpoint
from smallmodel.text_encoder import host_weights
from smallmodel.tokens import END, token_ids
from torch import nn
from toyworld.build import stored_checkpoint as toyworld_checkpoint

FEW = Settings(
    pictures=24,
    autoencoder=Course(batch=2, rate=1e-3, steps=2, save_every=1),
    contrast=Course(batch=6, rate=1e-3, steps=2, save_every=1),
    model=Course(batch=4, rate=1e-3, steps=2, save_every=1),
)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def data(drawn):
    return make_training_data(drawn, FEW.pictures, size=64)


def test_data_are_the_split(data, tmp_path):
    assert data.texts[0] == "" and data.pictures.shape == (24, 64, 64, 3)
    third = example("train", 3, size=64)
    assert data.texts[data.caption[3]] == caption(third.scene)
    assert (data.batch(torch.tensor([3]))[0].movedim(0, -1) - torch.from_numpy(third.pixels)).abs().max() < 1 / 250
    assert (data.ids[torch.arange(len(data.texts)), data.ends] == END).all()
    for kept, told in zip(vars(data.truth).values(), truth_of(third), strict=True):
        assert (kept[3] == told).all()


def test_what_is_drawn_is_kept(drawn, data, monkeypatch):
    monkeypatch.setattr(training_data, "draw_into", None)
    assert make_training_data(drawn, FEW.pictures, size=64).texts == data.texts


def test_pictures_of_two_things_are_known(data):
    scenes = [random_scene(RandomState(seed_of("train", i))) for i in range(FEW.pictures)]
    assert data.with_two().tolist() == [i for i, scene in enumerate(scenes) if len(scene.subjects) == 2]


def test_truth_tells_what_lies_where():
    """A blue rose to the left of a car, on cells of 4 x 4 pixels."""
    rose, car = Subject(BY_NOUN["rose"], "blue", True), Subject(BY_NOUN["car"], "red")
    picture = draw(RandomState(0), Scene((rose, car)))
    cells, coloured, objects, ground = truth_of(picture)
    assert cells.shape == coloured.shape == (32, 32) and ground == 0
    assert objects[:2].tolist() == [
        [NOUNS.index("rose"), list(COLOURS).index("blue"), -1, -1],
        [NOUNS.index("car"), list(COLOURS).index("red"), -1, -1],
    ]
    assert (objects[2:] == -1).all()
    assert (cells[:, :14] != 2).all() and (cells[:, 18:] != 1).all() and {0, 1, 2} == set(cells.flat)
    assert (cells[coloured] > 0).all() and 0 < coloured.sum() < (cells > 0).sum()


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
        part = Part(file, live, ("line",), Course(batch=8, rate=0.1, steps=5, warm_up=1, save_every=1))
        calls = 0

        def loss():
            nonlocal calls
            if calls == stop_after:
                raise KeyboardInterrupt
            calls += 1
            squared = (live["line"](torch.randn(8, 3)) - 1).pow(2).mean()
            return squared, squared

        part.run("line", 0, loss)
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
    ours = checkpoint(Autoencoder().state_dict(), new_unet(text.width), text)
    theirs = toyworld_checkpoint()
    assert {key: tensor.shape for key, tensor in ours.items()} == {key: tensor.shape for key, tensor in theirs.items()}
    assert {tensor.dtype for key, tensor in ours.items() if "vae_s" not in key} == {torch.float16}


def test_decibels():
    assert psnr(0.01) == pytest.approx(20)
