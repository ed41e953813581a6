"""Masks of photographs beside another opinion. ISNet itself is fetched by `make photographs` only."""

import numpy as np
import torch

from benchmarks.hosts.library import NATURAL, LibraryHost
from benchmarks.measurements.photographs import NOISE, PHOTOGRAPHS, SETTINGS, Photographs, photograph, rows, whole


def test_the_photographs_are_in_scikit_image():
    for name in PHOTOGRAPHS:
        pixels = whole(name)
        assert pixels.shape[0] == pixels.shape[1] >= 300 and pixels.std() > 20


@torch.inference_mode()
def test_each_setting_is_compared(monkeypatch):
    host = LibraryHost(NATURAL, Photographs.sampling)
    front = np.zeros((400, 400), bool)
    front[100:300, 100:300] = True
    found = rows(host, "horse", photograph("horse.png", 128), front)
    assert len(found) == len(NOISE) * len(SETTINGS) + 2
    assert found["everything"] == {"IoU, horse": 0.25, "masked": 1.0}
    assert found["highest of latent cells"]["IoU, horse"] == 1.0
    assert all(0 <= row["IoU, horse"] <= 1 for row in found.values())
    assert len({row["masked"] for row in found.values()}) > 3
