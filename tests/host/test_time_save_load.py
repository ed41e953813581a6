"""Saved edits: the nodes, the files, and where they may lie."""

import dataclasses
import json
import os
from pathlib import Path

import folder_paths
import pytest
import torch
from host import tiny
from safetensors import safe_open
from safetensors.torch import save_file
from time_diffedit.nodes import places
from time_diffedit.nodes.time_load_edit import TIMELoadEdit
from time_diffedit.nodes.time_save_edit import TIMESaveEdit
from time_diffedit.time_core.atomic import write_atomically
from time_diffedit.time_core.edit import build_edit
from time_diffedit.time_core.edit_file import FORMAT, load_edit, save_edit
from time_diffedit.time_core.text import TextReader
from time_diffedit.time_core.time_edit import Kept, Pair, Settings, TimeEdit


@pytest.fixture(scope="module")
def edit() -> TimeEdit:
    pairs = (Pair("A pack of roses", "A pack of blue roses"), Pair("a café", "a [red] café", 2.0))
    return build_edit(TextReader(tiny.clip()), pairs, Settings(augmentations=("A photo of",)), (Kept("a tree"),))


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """The host's own folder settings, on a temporary folder."""
    models = tmp_path / "models" / places.EDITS
    models.mkdir(parents=True)
    monkeypatch.setitem(folder_paths.folder_names_and_paths, places.EDITS, ([str(models)], set()))
    before = folder_paths.get_output_directory()
    folder_paths.set_output_directory(str(tmp_path / "output"))
    yield tmp_path
    folder_paths.set_output_directory(before)


def same(first: TimeEdit, second: TimeEdit) -> bool:
    return (
        torch.equal(first.left, second.left)
        and torch.equal(first.right, second.right)
        and first.report() == second.report()
        and all(
            getattr(first, item.name) == getattr(second, item.name)
            for item in dataclasses.fields(first)
            if item.name not in ("left", "right")
        )
    )


@pytest.mark.parametrize("folder", places.FOLDERS)
def test_saved_and_loaded_by_the_nodes(edit, folders, folder):
    output = TIMESaveEdit.execute(edit, "flowers/roses", folder)
    assert output.args == (edit,)
    assert "flowers/roses: rank" in output.ui.as_dict()["text"][0]
    path = folders / folder / places.EDITS / "flowers" / "roses.safetensors"
    assert path.is_file()
    option = f"{folder}/flowers/roses.safetensors"
    (combo, _) = TIMELoadEdit.define_schema().inputs
    assert option in combo.options
    assert TIMELoadEdit.validate_inputs(option) is True
    loaded = TIMELoadEdit.execute(option, tiny.clip())
    assert same(loaded.args[0], edit)
    assert loaded.ui["time_edit"] == [edit.report()]


def test_the_file_is_small_and_plain(edit, folders):
    """Other programs can read it: two float32 tensors, and JSON in the metadata."""
    path = folders / "edit.safetensors"
    save_edit(path, edit)
    assert path.stat().st_size < 8 * 768 * edit.rank + 20_000
    with safe_open(path, framework="pt") as file:
        assert set(file.keys()) == {"left", "right"}
        metadata = file.metadata()
    assert metadata["format"] == FORMAT and metadata["version"] == "1"
    assert json.loads(metadata["edit"])["pairs"][1] == {"source": "a café", "destination": "a [red] café", "weight": 2.0}


def test_a_file_saved_anew_is_loaded_anew(edit, folders):
    TIMESaveEdit.execute(edit, "roses", "models")
    option = "models/roses.safetensors"
    first = TIMELoadEdit.fingerprint_inputs(option)
    assert TIMELoadEdit.fingerprint_inputs(option, clip=None) == first
    os.utime(places.find(places.EDITS, option), ns=(1, 1))
    assert TIMELoadEdit.fingerprint_inputs(option) != first


def test_another_text_encoder_is_refused_with_both_fingerprints(edit, folders):
    path = folders / "edit.safetensors"
    save_edit(path, edit)
    other = TextReader(tiny.new_clip(seed=2)).fingerprint
    with pytest.raises(ValueError, match="for the text encoder .*, but clip is .*connect the clip") as error:
        load_edit(path, other)
    assert str(edit.fingerprint) in str(error.value) and str(other) in str(error.value)


def test_what_is_no_edit_is_refused(edit, folders):
    mine = TextReader(tiny.clip()).fingerprint
    path = folders / "x.safetensors"
    good = {"format": FORMAT, "version": "1", "edit": json.dumps(edit.report())}
    factors = {"left": edit.left, "right": edit.right}
    broken = edit.left.clone()
    broken[3, 4] = float("nan")
    for tensors, metadata, message in [
        (factors, {}, "holds no TIME edit"),
        (factors, {**good, "version": "2"}, "has version 2 of the format.*update the pack"),
        (factors, {**good, "edit": "{}"}, "is damaged"),
        (factors, {**good, "edit": "no json"}, "is damaged"),
        ({"left": edit.left}, good, "is damaged"),
        ({**factors, "right": edit.right[:, :-1].contiguous()}, good, "is damaged .factors of shapes"),
        ({**factors, "left": broken}, good, "is damaged .*not finite"),
        ({name: factor.half() for name, factor in factors.items()}, good, "is damaged .*float32"),
    ]:
        save_file(tensors, path, metadata)
        with pytest.raises(ValueError, match=f"file 'x.safetensors' {message}"):
            load_edit(path, mine)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="damaged or no safetensors file"):
        load_edit(path, mine)


def test_a_failed_save_leaves_the_old_file(edit, folders):
    path = folders / "edit.safetensors"
    save_edit(path, edit)
    before = path.read_bytes()

    def fail(temporary: Path) -> None:
        temporary.write_bytes(before[:100])
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        write_atomically(path, fail)
    assert path.read_bytes() == before
    assert [entry.name for entry in folders.iterdir() if entry.is_file()] == ["edit.safetensors"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "/roses",
        "../roses",
        "a/../../roses",
        "a/./b",
        "C:\\roses",
        "a\\b",
        "a\0b",
        "ro?ses",
        ".hidden",
        "a/",
        "dot.",
        "a//../b",
    ],
)
def test_names_stay_inside(name):
    with pytest.raises(ValueError, match="filename is "):
        places.save_path("models", places.EDITS, name)


def test_a_link_out_of_the_folder_is_not_followed(folders):
    outside = folders / "outside"
    outside.mkdir()
    (outside / "edit.safetensors").write_bytes(b"x")
    (folders / "models" / places.EDITS / "link").symlink_to(outside)
    with pytest.raises(ValueError, match="leads out of the models folder"):
        places.save_path("models", places.EDITS, "link/edit")
    with pytest.raises(ValueError, match="is not in the models or output folder"):
        places.find(places.EDITS, "models/link/edit.safetensors")
    assert "is not in the models" in TIMELoadEdit.validate_inputs("output/../outside/edit.safetensors")


def test_the_suffix_is_added_once():
    for name in ("roses", "roses.safetensors"):
        assert places.save_path("output", places.EDITS, name).name == "roses.safetensors"
    assert places.save_path("output", places.EDITS, "roses v1.5").name == "roses v1.5.safetensors"
