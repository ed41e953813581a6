"""The study of masks and crops on the natural world, for a picture each."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from naturalworld.edits import natural_edit

from benchmarks.hosts.library import NATURAL, LibraryHost
from benchmarks.measurements import natural_settings
from benchmarks.measurements.natural_settings import NaturalSettings, crop, masks

OF_TWO = next(i for i in range(18, 27) if natural_edit("validation", i).other is not None)


@pytest.fixture(scope="module")
def rows():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(natural_settings, "NOISE_STRENGTHS", (0.4,))
        host = LibraryHost(NATURAL, NaturalSettings.sampling)
        return masks(SimpleNamespace(host=host), OF_TWO)["masks by noise and rule"]


def test_no_mask_of_cells_is_better_than_the_best_one(rows):
    best = rows.pop("highest of latent cells")["IoU, one of two"]
    found = [row["IoU, one of two"] for row in rows.values()]
    assert 0.05 < max(found) <= best < 1


def test_a_larger_mask_takes_in_as_much_of_the_other_thing(rows):
    assert 0 <= rows["noise 0.4, otsu"]["other"] <= rows["noise 0.4, otsu, grow 1"]["other"] <= 1
    assert len(rows) >= len(natural_settings.RULES)


@torch.inference_mode()
def test_a_small_thing_is_edited_whole_and_cropped(monkeypatch):
    for name, few in {"SAMPLING_STEPS": 2, "CROPPED_STRENGTHS": (0.8,), "CONTEXTS": (0.5,)}.items():
        monkeypatch.setattr(natural_settings, name, few)
    host = LibraryHost(NATURAL, NaturalSettings.sampling)
    judge = SimpleNamespace(scores=lambda pictures, texts: np.array([[0.6, 0.4]] * len(pictures)))
    found = crop(SimpleNamespace(host=host, judge=judge), 0)["small things, cut out"]
    assert [row["window"] == 128 for row in found.values()] == [True, False] * 2
    assert all(row["told, colour"] == 1 and row["background LPIPS"] < 0.2 for row in found.values())
