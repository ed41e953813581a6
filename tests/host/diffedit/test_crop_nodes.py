"""A small thing of the natural world through all nodes of the template: cut out, repainted, laid back."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from naturalworld.edits import natural_edit

from benchmarks.hosts.editing import DiffEditNodes
from benchmarks.hosts.inputs import run_node
from benchmarks.hosts.library import NATURAL, LibraryHost, Sampling
from benchmarks.judges.pixels import left_as_it_was

SIZE, STRENGTH = 128, 0.8
BULB = 0  # of the validation pictures: a small green bulb that shall be red


@pytest.fixture(scope="module")
@torch.inference_mode()
def made():
    edit, host = natural_edit("validation", BULB), LibraryHost(NATURAL, Sampling(SIZE, steps=20, cfg=3.0))
    assert edit.size == "small"
    nodes = DiffEditNodes(host)
    picture = host.image(np.uint8(255 * edit.pixels))
    settings = {"rule": "otsu", "fill_holes": True, "noise_strength": 0.2, "maps": 4, "seed": 1}
    mask = nodes.contrast(host.encoded(picture), edit.source, edit.target, settings)[0]
    cut, cut_mask, crop = run_node(host, "CropAroundMask", {"size": SIZE}, picture=picture, mask=mask)
    trajectory = nodes.invert(host.encoded(cut), "", {"steps": 20, "strength": STRENGTH})
    repainted = host.decoded(nodes.sample(trajectory, edit.target, cut_mask, {"seed": 1})).clamp(0, 1)
    given = {"original": picture, "edited": repainted, "crop": crop, "mask": cut_mask}
    (result,) = run_node(host, "StitchCrop", {}, **given)
    (whole_window,) = run_node(host, "StitchCrop", {}, **given | {"mask": None})
    return SimpleNamespace(**locals())


def test_the_window_is_cut_at_the_models_size(made):
    assert made.cut.shape == (1, SIZE, SIZE, 3) and made.cut_mask.shape == (1, SIZE, SIZE)
    (side, _), enlarged = made.crop.window, float(made.cut_mask.mean() / made.mask.mean())
    assert side < SIZE and enlarged == pytest.approx((SIZE / side) ** 2, rel=0.05)


def test_outside_the_mask_and_the_window_the_picture_is_the_original(made):
    changed = (made.result != made.picture).any(-1)
    assert changed.any() and not (changed & (made.mask == 0)).any()
    (top, left), (height, width) = made.crop.places[0], made.crop.window
    outside = torch.ones_like(changed)
    outside[:, top : top + height, left : left + width] = False
    assert torch.equal(made.whole_window[outside], made.picture[outside])


def test_the_thing_has_the_colour_that_was_asked_for(made):
    edit = made.edit
    assert left_as_it_was(edit.pixels, edit.wanted, made.result[0].numpy(), edit.truth) < 0.25
