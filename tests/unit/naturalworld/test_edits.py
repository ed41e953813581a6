"""Natural world: pictures to edit, and what is true of them."""

import csv
from collections import Counter

import numpy as np
import pytest
from naturalworld.edits import CELLS, GROUND_SOURCES, KINDS, natural_edit, natural_edits, write_edits
from naturalworld.reading import read
from PIL import Image


@pytest.fixture(scope="module")
def edits():
    return list(natural_edits("validation", len(CELLS)))


def test_every_combination_is_there_once(edits):
    assert Counter((edit.kind, edit.size, edit.ground) for edit in edits) == Counter(CELLS)


def test_nothing_differs_outside_of_the_truth(edits):
    for edit in edits:
        outside = np.abs(edit.pixels - edit.wanted)[~edit.truth]
        assert outside.max() <= 4 / 255 and 0.005 < edit.truth.mean() < 0.6, edit.source


def test_the_other_thing_stays_as_it_is(edits):
    for edit in edits:
        assert (edit.other is not None) == (edit.kind == "one of two")
        if edit.other is not None:
            assert edit.other.any() and not (edit.other & edit.truth).any()


def test_prompts_differ_in_what_changes(edits):
    for edit in edits:
        before, after = read(edit.source), read(edit.target)
        assert before.grounds == after.grounds and edit.source != edit.target
        if edit.kind == "colour":
            assert before.nouns == after.nouns and before.colours != after.colours
        if edit.kind == "kind":
            assert before.nouns != after.nouns


def test_sizes_are_as_they_are_called():
    areas = {size: [] for size in ("small", "middle", "large")}
    for edit in natural_edits("validation", 2 * len(CELLS)):
        if edit.kind == "kind":
            areas[edit.size].append(edit.truth.mean())
    assert max(areas["small"]) < np.mean(areas["middle"]) < min(areas["large"])


def test_splits_are_different_pictures():
    assert not np.array_equal(natural_edit("validation", 0).pixels, natural_edit("test", 0).pixels)


def test_the_table_names_the_files(tmp_path):
    table = write_edits(tmp_path, "validation", 20)
    rows = list(csv.DictReader(table.open(encoding="utf-8")))
    assert len(rows) == 20 and {row["kind"] for row in rows} == set(KINDS)
    assert {row["ground"] for row in rows} == set(GROUND_SOURCES)
    mask = np.asarray(Image.open(tmp_path / rows[0]["mask"]))
    assert (mask > 127).tolist() == natural_edit("validation", 0).truth.tolist()
    assert [bool(row["other"]) for row in rows] == [row["kind"] == "one of two" for row in rows]
