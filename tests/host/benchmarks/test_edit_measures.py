"""What is measured of an edited picture: which mask counts, and what is left out where there is nothing to measure."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from host.models import tiny
from time_diffedit.time_core.balance.zero_shot import scores
from toyworld.wordings import ToyJudge
from toyworld.world import Place, Scene, draw

from benchmarks.data.pictures import Edit, Pixels
from benchmarks.hosts.editing import Edited
from benchmarks.judges.clip import ClipJudge
from benchmarks.judges.edits import CLIP_SCORE, MEASURES, PSNR, REGION_SCORE, STRUCTURE, SUCCESS, Instruments

EDIT = Edit("a", "line 2", "", "a red rose", "a blue rose")
JUDGE = Instruments(ToyJudge(), None)


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def drawn(colour: str) -> np.ndarray:
    picture = draw(np.random.RandomState(0), Scene("rose", colour), (Place(32, 32, 22),))
    return (picture.pixels * 255).round().astype(np.uint8)


def middle() -> np.ndarray:
    """Where the rose is."""
    mask = np.zeros((128, 128), bool)
    mask[16:112, 16:112] = True
    return mask


def measured(edited: Edited, given=None, edit: Edit = EDIT, wanted=None, other=None) -> dict:
    (row,) = JUDGE.measure(Pixels(drawn("red"), given, wanted, other), edited, edit)
    return row


def test_an_edit_that_changes_only_what_it_should():
    changed = np.where(middle()[..., None], drawn("blue"), drawn("red"))[None]
    row = measured(Edited(changed, middle()), middle())
    assert (row[SUCCESS], row["score of the target"], row["score of the source"]) == (1, 1, 0)
    assert (row[PSNR], row["background MSE"], row["mask IoU"]) == (120, 0, 1)
    assert row["mask area"] == (96 / 128) ** 2
    assert not any("CLIP" in column or "structure" in column for column in row)


def test_what_was_left_and_what_else_was_masked():
    """Half of the rose is blue as it was asked for; the mask takes in a fifth of the thing beside it."""
    half, other, found = middle(), np.zeros((128, 128), bool), middle()
    half[:, 64:] = False
    other[:10, :10] = True
    found[:10, :2] = True
    changed = np.where(half[..., None], drawn("blue"), drawn("red"))[None]
    rose = (drawn("blue") != drawn("red")).any(-1)
    row = measured(Edited(changed, found), rose, wanted=drawn("blue"), other=other)
    assert row["left as it was"] == pytest.approx((rose & ~half).sum() / rose.sum(), abs=0.02)
    assert row["other thing masked"] == pytest.approx(0.2)
    assert row["mask IoU"] < row["highest IoU of latent cells"] < 1


def test_what_is_no_edit_is_no_success():
    row = measured(Edited(drawn("red")[None], None), middle())
    assert (row[SUCCESS], row[PSNR]) == (0, 120)
    assert "mask area" not in row and "mask IoU" not in row


def test_the_known_mask_decides_what_is_background():
    changed = drawn("red").copy()
    changed[:8] = 0  # outside the known mask, inside the one that was found
    found = np.zeros((128, 128), bool)
    found[:8] = True
    assert measured(Edited(changed[None], found), middle())[PSNR] < 30
    assert measured(Edited(changed[None], found))[PSNR] == 120


def test_the_border_counts_only_if_the_edit_says_so():
    changed = drawn("red").copy()
    changed[0] = changed[:, -1] = 0
    trusted = measured(Edited(changed[None], middle()), middle())
    border = measured(Edited(changed[None], middle()), middle(), replace(EDIT, border=True))
    assert trusted[PSNR] < 30
    assert border[PSNR] == 120
    assert border["mask IoU"] == trusted["mask IoU"] == 1


@pytest.mark.parametrize("mask", [None, np.ones((128, 128), bool)], ids=["unknown", "whole picture"])
def test_without_background_none_is_measured(mask):
    row = measured(Edited(drawn("blue")[None], mask))
    assert row[SUCCESS] == 1
    assert not any("background" in column or "PIE-Bench" in column for column in row)
    assert set(row) - set(MEASURES) == {"pixels", "score of the target", "score of the source"}


def small_clip() -> ClipJudge:
    """The judge with a small random pair of halves, of the host's classes."""
    return ClipJudge(tiny.new_clip(1), tiny.clip_vision())


def test_clip_scores_the_whole_picture_and_the_edited_region():
    judge = small_clip()
    edited = Edited(drawn("blue")[None], middle())
    (row,) = Instruments(judge, None).measure(Pixels(drawn("red")), edited, EDIT)
    whole, region = (torch.tensor(x)[None] / 255 for x in (drawn("blue"), drawn("blue") * middle()[..., None]))
    target, source = scores(judge.clip, judge.vision, whole, [EDIT.target, EDIT.source])[0].tolist()
    assert row[CLIP_SCORE] == pytest.approx(100 * target, abs=1e-3)
    assert row["score of the source"] == pytest.approx(source, abs=1e-5)
    assert row[SUCCESS] == int(target > source)
    expected = float(scores(judge.clip, judge.vision, region, [EDIT.target]))
    assert row[REGION_SCORE] == pytest.approx(100 * expected, abs=1e-3)
    assert row[REGION_SCORE] != pytest.approx(row[CLIP_SCORE], abs=1e-3)
    assert row[STRUCTURE] > 0
