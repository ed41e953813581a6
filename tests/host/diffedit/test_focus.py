"""Focused on the words that change: against attention computed by itself, and on pictures whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from host.models.node_inputs import mask_inputs
from host.models.picture_families import EVERY_FAMILY
from host.models.tiny_diffusion import denoised, picture, prompt, tiny_model
from naturalworld.edits import natural_edit
from time_diffedit.diffedit_core.inversion.schedule import noise_sigma
from time_diffedit.diffedit_core.mask.changed_words import changed_rows
from time_diffedit.diffedit_core.mask.heatmap import NO_TWO_PROMPTS, NO_WORD_CHANGES, NOTHING_HEARD
from time_diffedit.diffedit_core.mask.word_attention import HOOK
from time_diffedit.diffedit_core.model.host_model import noising, sigma_table
from time_diffedit.diffedit_core.model.noise import picture_noise
from time_diffedit.nodes import DiffEditMask

from benchmarks.hosts.editing import DiffEditNodes
from benchmarks.hosts.library import NATURAL, LibraryHost, Sampling

SETTINGS = {"seed": 7, "maps": 3, "noise_strength": 0.5}
FOCUSED = {"focus": "words that change"}
SOURCE, CHANGED = prompt(1), 3
TARGET = [[torch.where(torch.arange(7)[:, None] == CHANGED, prompt(2)[0][0], SOURCE[0][0]), SOURCE[0][1]]]
BY_CROSS_ATTENTION = {
    *("SD 1.x", "SD 1.x, inpainting", "SD 2.x", "SD 2.x, velocity", "SD 2.x, zero terminal SNR"),
    *("SDXL", "SDXL, inpainting", "Playground 2.5", "CosXL", "InstructPix2Pix", "InstructPix2Pix XL"),
    *("Anima", "Cosmos 1", "Cosmos 1, image to video", "Cosmos-Predict2", "Kandinsky 5"),
    *("Wan 2.1", "Wan 2.1, image to video", "Wan 2.2 5B"),
}
"""Of PixArt, HunyuanDiT and Stable Cascade, which read so, too, the host does not ask the hook."""
TWO_PROMPTS_AT_ONCE = [painter for painter in EVERY_FAMILY if painter.cfg != 1.0]


def heat(model, latent, target=TARGET, source=SOURCE, **settings):
    given = mask_inputs(**{**SETTINGS, "source": source, **settings})
    return DiffEditMask.execute(model, latent, target, **given).result[1]


def attention_to(model, latent: dict, prompt: list, row: int) -> torch.Tensor:
    """(h, w): the mean over noises and layers, heard by the host's hook for cross-attention in U-Nets."""
    heard, size = [], latent["samples"].shape[2:]

    def read(q, k, v, extra):
        heads = extra["n_heads"]
        queries, keys, values = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
        shares = torch.softmax(queries @ keys.transpose(-1, -2) / queries.shape[-1] ** 0.5, dim=-1)
        halved = round((size[0] * size[1] / q.shape[1]) ** 0.5)
        cells = shares[..., row].mean(1).reshape(1, 1, size[0] // halved, size[1] // halved)
        heard.append(torch.nn.functional.interpolate(cells, tuple(size), mode="bilinear")[0, 0])
        return (shares @ values).transpose(1, 2).flatten(2)

    patched = model.clone()
    for block, count in (("input", 6), ("middle", 1), ("output", 6)):
        for number in range(count):
            patched.set_model_attn2_replace(read, block, number)
    made_of, sigma = noising(model), noise_sigma(sigma_table(model), SETTINGS["noise_strength"])
    clean = model.model.process_latent_in(latent["samples"])
    for i in range(SETTINGS["maps"]):
        denoised(patched, prompt, made_of.noised(clean, picture_noise(SETTINGS["seed"], 0, i, clean.shape), sigma), sigma)
    assert heard
    return torch.stack(heard).mean(0)


def test_the_heat_is_multiplied_by_the_attention_to_the_words_that_change():
    model, latent = tiny_model(), picture(height=16, width=24)
    assert changed_rows(SOURCE[0][0][0], TARGET[0][0][0]) == [CHANGED]
    read = attention_to(model, latent, SOURCE, CHANGED)
    gate = (read - read.min()) / (read.max() - read.min())
    plain, focused = heat(model, latent).values[0, 0], heat(model, latent, **FOCUSED).values[0, 0]
    assert float(gate.std()) > 0
    torch.testing.assert_close(focused, plain * gate, rtol=1e-4, atol=1e-5 * float(plain.max()))


def test_a_batch_gives_what_its_pictures_give_alone():
    model, latent = tiny_model(), picture(batch=3)
    together = heat(model, latent, **FOCUSED).values[0]
    for i in range(3):
        alone = {"samples": latent["samples"][i : i + 1], "batch_index": [i]}
        assert torch.equal(together[i], heat(model, alone, **FOCUSED).values[0, 0])


def test_an_attention_that_somebody_has_put_in_is_asked_as_before():
    model, asked = tiny_model(), []

    def theirs(attention, *args, **kwargs):
        asked.append(kwargs["transformer_options"]["cond_or_uncond"])
        return attention(*args, **kwargs)

    patched = model.clone()
    patched.model_options["transformer_options"][HOOK] = theirs
    focused = heat(patched, picture(), **FOCUSED)
    assert asked and torch.equal(focused.values, heat(model, picture(), **FOCUSED).values)


def test_says_why_it_is_not_focused():
    model, latent = tiny_model(), picture()
    more = [[torch.cat([SOURCE[0][0][:, :-1], prompt(2)[0][0]], dim=1), SOURCE[0][1]]]
    for why, given in (
        (NO_WORD_CHANGES, {"target": more}),
        (NO_TWO_PROMPTS, {"target_model": tiny_model(1)}),
        (NO_TWO_PROMPTS, {"source": SOURCE + prompt(4)}),
        ("", {}),
    ):
        found, plain = heat(model, latent, **FOCUSED, **given), heat(model, latent, **given)
        assert found.unfocused == why and plain.unfocused == ""
        assert torch.equal(found.values, plain.values) is bool(why)


@pytest.mark.parametrize("painter", TWO_PROMPTS_AT_ONCE, ids=lambda painter: painter.name)
def test_every_family_is_focused_or_says_that_it_is_not(painter):
    painter = replace(painter, latent=(1, *painter.latent[1:]))
    model, latent, source, target = painter.model(), painter.picture(), painter.prompt(0), painter.prompt(1)
    found, plain = (heat(model, latent, target, source, maps=1, **how) for how in (FOCUSED, {}))
    assert (found.unfocused == "") is (painter.name in BY_CROSS_ATTENTION)
    assert found.unfocused in ("", NOTHING_HEARD)
    assert torch.equal(found.values, plain.values) is bool(found.unfocused)


@pytest.fixture(scope="module")
@torch.inference_mode()
def natural_world():
    return LibraryHost(NATURAL, Sampling(128, steps=20, cfg=3.0))


@pytest.mark.parametrize("number", [19, 21])
def test_of_two_things_the_other_stays_out_of_the_mask(natural_world, number):
    edit, host = natural_edit("validation", number), natural_world
    picture, latent = host.image(np.uint8(255 * edit.pixels)), host.encode(edit.pixels)
    settings = {"seed": 0, "maps": 4, "rule": "otsu", "fill_holes": True, "outline": "edges of picture"}
    masks = []
    for how in ({}, FOCUSED):
        mask = DiffEditNodes(host).contrast(latent, edit.source, edit.target, settings | how, picture=picture)[0]
        masks.append(mask[0].numpy() >= 0.5)
    plain, focused = ((mask[edit.other].mean(), mask[edit.truth].mean()) for mask in masks)
    assert plain[0] > 0.2 and focused[0] < 0.02
    assert focused[1] > 0.9
