"""What the editing benchmark reads: its three layouts, and what it says about bad rows."""

import io
import json
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pytest
from host.benchmarks.layouts import KINDS, runs_of, write_folder, write_pie_bench
from PIL import Image
from toyworld.edits import named_edits, write_edits

from benchmarks.data.pictures import PIE_SIZE, load, mask_of_runs, read_edits


def png(size: tuple[int, int] = (16, 8), colour: tuple[int, int, int] = (255, 0, 0)) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", size, colour).save(content, "PNG")
    return content.getvalue()


def put(folder: Path, files: dict[str, bytes | str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def pie_entry(**changes) -> dict:
    entry = {
        "image_path": "1_change_object/0.png",
        "original_prompt": "a [cat] on a mat",
        "editing_prompt": "a [dog] on a mat",
        "editing_type_id": "1",
        "mask": [513, 2, 1025, 2],
    }
    return entry | changes


def pie_bench(folder: Path, entries: dict) -> Path:
    files = {"mapping_file.json": json.dumps(entries), "annotation_images/1_change_object/0.png": png(PIE_SIZE)}
    return put(folder, files)


def test_all_layouts_hold_the_same_edits(tmp_path):
    edits = named_edits(4, seed=1)
    places = [
        write_edits(tmp_path / "csv", edits),
        write_folder(tmp_path / "folder", edits),
        write_pie_bench(tmp_path / "pie", edits),
    ]
    for place in places:
        found, problems = read_edits(place)
        assert problems == []
        assert len({edit.name for edit in found}) == len(found) == len(edits)
        for edit, (kind, task) in zip(found, edits.values(), strict=True):
            known = load(edit, 128)
            assert (edit.source, edit.target) == (task.source, task.target)
            assert np.abs(known.picture / 255 - task.pixels).mean() < 0.01
            assert np.mean(known.mask != task.truth) < 0.01
            assert edit.kind in (kind, KINDS[kind], "")


def test_what_is_wanted_and_what_stands_beside(tmp_path):
    rows = ["picture,source,target,wanted,other,size,ground", "a.png,a cat,a dog,w.png,o.png,small,plain"]
    csv = "\n".join([*rows, "b.png,a cat,a dog,w.png,,,"])
    files = {"a.png": png(), "w.png": png(colour=(0, 0, 255)), "o.png": png(colour=(255, 255, 255)), "b.png": png((8, 8))}
    (edit,), problems = read_edits(put(tmp_path, {"edits.csv": csv, **files}) / "edits.csv")
    known = load(edit)
    assert known.mask is None and known.other.all() and (known.wanted == (0, 0, 255)).all()
    assert edit.groups == {"size": "small", "ground": "plain"}
    assert len(problems) == 1 and "w.png is 16 x 8, but the picture is 8 x 8" in problems[0]


def test_rows_of_a_csv(tmp_path):
    csv = 'picture,source,target,mask\na.png,a cat,"a dog, asleep",\nsub/b.png,a cup,a red cup,m.png\n'
    place = put(tmp_path, {"edits.csv": csv, "a.png": png(), "sub/b.png": png(), "m.png": png(colour=(255, 255, 255))})
    (first, second), problems = read_edits(place / "edits.csv")
    assert problems == []
    assert (first.row, first.source, first.target, first.mask) == ("line 2", "a cat", "a dog, asleep", None)
    assert load(second).mask.all()
    assert second.name == "line 3 b"


def test_bad_rows_are_named_by_their_line_and_left_out(tmp_path):
    rows = {
        "missing.png,a,b,": "there is no file",
        "a.png,,b,": "the source prompt is empty",
        "a.png,a,,": "the target prompt is empty",
        "a.png,a,a,": "the same prompt",
        "a.png,a,b,text.txt": "text.txt is no readable picture",
        "a.png,a,b,large.png": "large.png is 32 x 8, but the picture is 16 x 8",
        "a.png,a,b,missing.png": "there is no file",
        "broken.png,a,b,": "broken.png is no readable picture",
        "a.png,a, with a comma,b,": "more cells than columns",
        ",a,b,": "picture is empty",
    }
    files = {"a.png": png(), "large.png": png((32, 8)), "broken.png": png()[:-30], "text.txt": "no mask"}
    csv = "\n".join(["picture,source,target,mask", *rows, "a.png,good,better,"])
    edits, problems = read_edits(put(tmp_path, {**files, "edits.csv": csv}) / "edits.csv")
    assert [edit.row for edit in edits] == [f"line {2 + len(rows)}"]
    assert len(problems) == len(rows)
    for line, (problem, said) in enumerate(zip(problems, rows.values(), strict=True), 2):
        assert problem.startswith(f"edits.csv, line {line}: ")
        assert said in problem


def test_a_csv_without_its_columns_is_refused(tmp_path):
    place = put(tmp_path, {"edits.csv": "picture,source\na.png,a cat\n"})
    with pytest.raises(ValueError, match="'target' is missing; its columns are picture, source"):
        read_edits(place / "edits.csv")


def test_a_folder_of_pictures(tmp_path):
    place = put(
        tmp_path,
        {
            "a.png": png(),
            "a.txt": "a cat\na dog\n",
            "a.mask.png": png(colour=(255, 255, 255)),
            "b.png": png(),
            "b.json": '{"source": "a cup", "target": "a vase", "kind": "object"}',
            "c.png": png(),
            "d.png": png(),
            "d.txt": "only one line",
            "e.png": png(),
            "e.json": '{"source": "a cup"}',
            "f.png": png(),
            "f.json": "{",
            "g.txt": "a cat\na dog",
            "a.jpg": png(),
        },
    )
    (first, second), problems = read_edits(place)
    assert (first.name, first.source, first.target) == ("a", "a cat", "a dog")
    assert load(first).mask.all()
    assert (second.kind, second.mask) == ("object", None)
    said = dict(problem.removeprefix(f"{tmp_path.name}, ").split(": ", 1) for problem in problems)
    assert said["a.png"] == "there is another picture 'a'."
    assert said["c.png"] == "there is neither c.txt nor c.json with its prompts."
    assert said["d.png"].startswith("d.txt has 1 lines")
    assert said["e.png"] == "it has no 'target'."
    assert "is no JSON" in said["f.png"]
    assert said["g.txt"] == "there is no picture g."
    assert len(problems) == 6


def test_pie_bench(tmp_path):
    place = pie_bench(tmp_path, {"000000000000": pie_entry()})
    (edit,), problems = read_edits(place)
    assert problems == []
    assert (edit.name, edit.row, edit.kind) == ("000000000000", "key 000000000000", "1")
    assert (edit.source, edit.target) == ("a cat on a mat", "a dog on a mat")
    expected = np.zeros(PIE_SIZE, bool)
    expected[1, 1:3] = expected[2, 1:3] = True
    mask = load(edit).mask
    assert np.array_equal(mask, expected)
    assert np.array_equal(replace(edit, border=False).measured_mask(mask), expected)
    expected[[0, -1]] = expected[:, [0, -1]] = True
    assert np.array_equal(edit.measured_mask(mask), expected)


def test_bad_entries_of_pie_bench_are_named_by_their_key(tmp_path):
    entries = {
        "0": pie_entry(image_path="1_change_object/missing.png"),
        "1": pie_entry(editing_prompt="[ ]"),
        "2": pie_entry(mask=[1, 2, 3]),
        "3": pie_entry(mask=[512 * 512, 1]),
        "4": pie_entry(mask=None),
        "5": pie_entry(image_path="small.png"),
        "6": "no entry",
        "7": pie_entry(),
        "8": {"image_path": "1_change_object/0.png"},
    }
    put(tmp_path, {"annotation_images/small.png": png()})
    (edit,), problems = read_edits(pie_bench(tmp_path, entries))
    assert edit.name == "7"
    assert [problem.split(", ")[1].split(":")[0] for problem in problems] == [f"key {i}" for i in (0, 1, 2, 3, 4, 5, 6, 8)]
    said = (
        "there is no file",
        "the target prompt is empty",
        "no list of starts and lengths",
        "a run that starts at pixel 262144 of 262144",
        "it has no mask",
        "the picture is 16 x 8, but its mask is for 512 x 512",
        "no entry with prompts",
        "it has no 'original_prompt'",
    )
    assert all(one in problem for one, problem in zip(said, problems, strict=True))


def test_masks_by_hand():
    mask = np.array([[0, 1, 1, 0], [1, 0, 0, 1], [1, 1, 0, 0]], bool)
    assert runs_of(mask) == (1, 2, 4, 1, 7, 3)
    assert np.array_equal(mask_of_runs((1, 2, 4, 1, 7, 3), (3, 4)), mask)
    assert np.array_equal(mask_of_runs((10, 100), (3, 4)), np.arange(12).reshape(3, 4) >= 10)
    assert runs_of(np.zeros((2, 2), bool)) == ()


def test_pictures_are_cropped_to_the_grid_or_resized_in_the_middle(tmp_path):
    picture = np.zeros((20, 37, 3), np.uint8)
    picture[2:18, 2:34] = 200  # what a crop to 16 x 32 keeps
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "PNG")
    place = put(tmp_path, {"a.png": content.getvalue(), "a.mask.png": content.getvalue(), "a.txt": "a\nb"})
    (edit,), _ = read_edits(place)
    known = load(edit)
    assert known.picture.shape == (16, 32, 3)
    assert (known.picture == 200).all() and known.mask.all()
    known = load(edit, 40)
    assert known.picture.shape == (40, 40, 3) and known.mask.shape == (40, 40)
    assert known.mask.mean() == pytest.approx(16 / 20, abs=0.02)


def test_places_may_be_urls_and_contents_decide_the_digest():
    fs = fsspec.filesystem("memory")
    fs.pipe({"/edits/list.csv": b"picture,source,target\na.png,a cat,a dog\n", "/edits/a.png": png()})
    (edit,), problems = read_edits("memory://edits/list.csv")
    assert problems == []
    assert (load(edit).picture == (255, 0, 0)).all()
    fs.pipe("/edits/a.png", png(colour=(0, 255, 0)))
    assert read_edits("memory://edits/list.csv")[0][0].digest != edit.digest
    fs.rm("/edits", recursive=True)


@pytest.mark.parametrize("files", [{}, {"notes.txt": "a\nb"}])
def test_what_holds_no_pictures_is_refused(tmp_path, files):
    with pytest.raises(ValueError, match="holds no pictures"):
        read_edits(put(tmp_path, files))
    with pytest.raises(ValueError, match="is no file and no folder"):
        read_edits(tmp_path / "elsewhere")
