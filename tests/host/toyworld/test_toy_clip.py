"""The toy world's CLIP through the host's loaders: it judges drawn pictures, and its narrow form is the same function."""

import logging

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from time_diffedit.time_core.balance.zero_shot import picture_embeddings, scores, text_embeddings
from toyworld import train_clip
from toyworld.clip_host import load_text_half, load_vision_half, narrow_text_half, narrow_vision_half
from toyworld.clip_model import VisionEncoder, clip_text_file, clip_vision_file
from toyworld.world import ASSUMED_COLOUR, COLOURS, OBJECTS, Scene, draw

from tools.comfyui.environment import HOST, TOY_CLIP, TOY_CLIP_VISION

MODELS = HOST / "ComfyUI" / "models"


@pytest.fixture(autouse=True, scope="module")
def no_gradients():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def text_half():
    return narrow_text_half(MODELS)


@pytest.fixture(scope="module")
def narrow():
    return narrow_vision_half()


def drawn(scenes, seed: int) -> torch.Tensor:
    rng = np.random.RandomState(seed)
    return torch.from_numpy(np.stack([draw(rng, scene).pixels for scene in scenes]))


def same(built, stored) -> bool:
    return built.keys() == stored.keys() and all(torch.equal(built[key].float(), stored[key].float()) for key in built)


def test_files_on_disk_are_those_the_weights_make():
    assert same(clip_text_file(), load_file(MODELS / "text_encoders" / TOY_CLIP))
    assert same(clip_vision_file(), load_file(MODELS / "clip_vision" / TOY_CLIP_VISION))


def test_the_host_loads_it_without_a_word_and_computes_what_the_narrow_one_does(narrow, caplog):
    with caplog.at_level(logging.WARNING):
        wide = load_vision_half(MODELS)
        pictures = drawn([Scene("rose", "blue"), Scene("cup", "black", background=" on grass", pair=True)], 1)
        found, expected = picture_embeddings(narrow, pictures), picture_embeddings(wide, pictures)
    assert not caplog.records
    assert wide.config["num_hidden_layers"] == 24 and wide.config["patch_size"] == 14
    assert expected.shape == (2, 768)
    torch.testing.assert_close((found * expected).sum(1), torch.ones(2), atol=1e-3, rtol=0)


def test_so_it_does_with_the_text_half(text_half, caplog):
    texts = ["a rose", "a picture of two blue cups on sand"]
    with caplog.at_level(logging.WARNING):
        wide = load_text_half(MODELS)
        expected = text_embeddings(wide, texts)
    assert not caplog.records
    assert expected.shape == (2, 768) and len(wide.cond_stage_model.clip_l.transformer.text_model.encoder.layers) == 12
    torch.testing.assert_close((text_embeddings(text_half, texts) * expected).sum(1), torch.ones(2), atol=1e-3, rtol=0)


@pytest.fixture(scope="module")
def judged(text_half, narrow):
    """Two colours of every object, the assumed one first: nouns, colours, and cosines (pictures, objects, 1 + colours)."""
    scenes = [Scene(noun, colour) for noun in OBJECTS for colour in (ASSUMED_COLOUR[noun], other_than(ASSUMED_COLOUR[noun]))]
    texts = [text for noun in OBJECTS for text in (f"a {noun}", *(Scene(noun, colour).caption for colour in COLOURS))]
    cosines = scores(text_half, narrow, drawn(scenes, 2), texts).unflatten(1, (len(OBJECTS), 1 + len(COLOURS)))
    nouns = torch.tensor([OBJECTS.index(scene.noun) for scene in scenes])
    return nouns, torch.tensor([list(COLOURS).index(scene.colour) for scene in scenes]), cosines


def other_than(colour: str) -> str:
    colours = list(COLOURS)
    return colours[(colours.index(colour) + 3) % len(colours)]


def test_it_tells_colours_and_objects_apart(judged):
    nouns, colours, cosines = judged
    rows = torch.arange(len(nouns))
    assert (cosines[rows, nouns, 1:].argmax(1) == colours).float().mean() >= 0.95
    assert (cosines[rows, :, 1 + colours].argmax(1) == nouns).float().mean() >= 0.8


def test_an_object_without_a_colour_has_the_one_that_is_assumed(judged):
    """The two-way question of TIME: "a rose" or "a blue rose"?"""
    nouns, colours, cosines = judged
    plain = cosines[torch.arange(len(nouns)), nouns, 0].unflatten(0, (-1, 2))
    named = cosines[torch.arange(len(nouns)), nouns, 1 + colours[1::2].repeat_interleave(2)].unflatten(0, (-1, 2))
    assert (plain[:, 0] > named[:, 0]).float().mean() >= 0.9
    assert (named[:, 1] > plain[:, 1]).float().mean() >= 0.9


def test_the_class_token_is_trained_on_what_the_whole_network_computes():
    vision, pictures = VisionEncoder(), torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(4))
    read = train_clip.read_regions(vision, vision.rows(pictures))
    torch.testing.assert_close(train_clip.embed(vision, read), vision(pictures), atol=1e-5, rtol=1e-4)


@pytest.mark.gradients
def test_training_is_decided_by_its_seed():
    settings = train_clip.Settings(pictures=12, row_steps=2, row_batch=4, steps=2, batch=4)
    with torch.enable_grad():
        once, again = train_clip.train(settings).state_dict(), train_clip.train(settings).state_dict()
    assert all(torch.equal(once[key], again[key]) for key in once)
    torch.manual_seed(settings.seed)
    assert not torch.equal(once["vision.projection.weight"], VisionEncoder().projection.weight)
