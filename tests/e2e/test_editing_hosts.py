"""The editing benchmark on a running server makes the pictures that it makes with the host as a library."""

import folder_paths
import numpy as np
import pytest
import torch
from toyworld.edits import named_edits

from benchmarks.hosts.editing import EVERYWHERE, FOUND, GIVEN, NOWHERE, Asked, Settings, edit_picture
from benchmarks.hosts.library import TOY, LibraryHost, Sampling
from benchmarks.hosts.server import ServerHost
from tools.comfyui.environment import TOY_CHECKPOINT

QUICK = {"mask": {"maps": 2}, "invert": {"steps": 3}}
SETTINGS = [
    Settings("found", **QUICK),
    Settings("given", masked_by=GIVEN, composite=True, inverted_under="source", negative="a house", **QUICK),
    Settings("everywhere", masked_by=EVERYWHERE, **QUICK),
    Settings("VAE", masked_by=NOWHERE),
]


@pytest.fixture(scope="module")
def hosts(server):
    sampling = Sampling(128)
    before = folder_paths.get_temp_directory()
    with torch.no_grad():
        yield ServerHost(server.url, TOY_CHECKPOINT, sampling), LibraryHost(TOY, sampling)
    folder_paths.set_temp_directory(before)


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: settings.name)
def test_both_hosts_edit_alike(hosts, settings):
    (_, task) = named_edits(1, seed=3)["000"]
    pixels = (task.pixels * 255).round().astype(np.uint8)
    strengths = (0.0,) if settings.masked_by == NOWHERE else (0.4, 0.8)
    asked = Asked(pixels, task.source, task.target, task.truth)
    ours, theirs = (edit_picture(host, asked, settings, strengths) for host in hosts)
    assert ours.pictures.shape == (len(strengths), *pixels.shape)
    # A server's files round down, and its network is the toy's wide one.
    assert np.abs(ours.pictures.astype(int) - theirs.pictures).max() <= 2
    if settings.masked_by in (FOUND, GIVEN):
        assert np.array_equal(ours.mask, theirs.mask)
        assert 0 < ours.mask.mean() < 1
    else:
        assert ours.mask is None and theirs.mask is None
    if settings.composite:
        assert np.array_equal(theirs.pictures[0][~task.truth], pixels[~task.truth])
