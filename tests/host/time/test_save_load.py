"""Saved edits: the nodes, the files, and where they may lie."""

import asyncio
import dataclasses
import errno
import json
import math
import os
import signal
from pathlib import Path

import execution
import folder_paths
import numpy as np
import pytest
import torch
from comfy_api.latest import io
from host.models import tiny
from safetensors import safe_open
from safetensors.torch import save_file
from time_diffedit.nodes.shared import places
from time_diffedit.nodes.time.time_load_edit import TIMELoadEdit
from time_diffedit.nodes.time.time_save_edit import TIMESaveEdit
from time_diffedit.time_core.application.edit_file import FORMAT, checksum, load_edit, save_edit
from time_diffedit.time_core.equations.equations import build_edit
from time_diffedit.time_core.equations.request import Request
from time_diffedit.time_core.equations.time_edit import TimeEdit
from time_diffedit.time_core.prompts.pairs import Kept, Pair, Settings
from time_diffedit.time_core.prompts.text import TextReader

import nodes


@pytest.fixture(scope="module")
def edit() -> TimeEdit:
    pairs = (Pair("A pack of roses", "A pack of blue roses"), Pair("a café", "a [red] café", 2.0))
    request = Request(pairs, (Kept("a tree"),), Settings(augmentations=("A photo of",)))
    return build_edit(TextReader(tiny.clip()), request)


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
    assert f"saved {folder}/{places.EDITS}/flowers/roses.safetensors: rank" in output.ui.as_dict()["text"][0]
    path = folders / folder / places.EDITS / "flowers" / "roses.safetensors"
    assert path.is_file()
    option = f"{folder}/flowers/roses.safetensors"
    assert option in TIMELoadEdit.GET_NODE_INFO_V1()["input"]["required"]["file"][1]["options"]
    assert TIMELoadEdit.validate_inputs(file=option) is True
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
    assert json.loads(metadata["edit"])["pairs"][1] == {
        "source": "a café",
        "destination": "a [red] café",
        "weight": 2.0,
        "own": None,
    }


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


def sealed(report: str, factors: dict) -> dict[str, str]:
    """The metadata of a file as its writer makes it, whatever the report says."""
    return {"format": FORMAT, "version": "1", "edit": report, "sha256": checksum(report, factors)}


def changed(metadata: dict[str, str], factors: dict, old: str, new: str) -> dict[str, str]:
    assert old in metadata["edit"]
    return sealed(metadata["edit"].replace(old, new, 1), factors)


def test_every_flipped_bit_is_refused(edit, folders):
    """Anywhere in the file: 400 places, drawn by a seed, most of them in the factors."""
    path = folders / "edit.safetensors"
    save_edit(path, edit)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    header = 8 + int.from_bytes(whole[:8], "little")
    places = [*rng.integers(len(whole), size=200), *rng.integers(header, size=200)]
    accepted = []
    for place in map(int, places):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        try:
            loaded = load_edit(path, edit.fingerprint)
        except ValueError as error:
            assert "file 'edit.safetensors'" in str(error)
        else:
            accepted.append((place, same(loaded, edit)))
    assert all(harmless for _, harmless in accepted)  # a blank that pads the header, for instance
    assert len(accepted) < 20


def test_what_a_file_only_claims_to_hold_is_never_read(edit, folders):
    """A sparse file of 3.7 GB that says it is an edit of rank 600,000 is refused by its shapes."""
    resource = pytest.importorskip("resource")
    path = folders / "x.safetensors"
    report = json.dumps(edit.report()).replace(f'"rank": {edit.rank}', '"rank": 600000', 1)
    size = 4 * 768 * 600_000
    header = {
        "__metadata__": {"format": FORMAT, "version": "1", "edit": report, "sha256": ""},
        "left": {"dtype": "F32", "shape": [768, 600_000], "data_offsets": [0, size]},
        "right": {"dtype": "F32", "shape": [768, 600_000], "data_offsets": [size, 2 * size]},
    }
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + 2 * size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    with pytest.raises(ValueError, match="is damaged .factors of shapes"):
        load_edit(path, edit.fingerprint)
    pages = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    assert pages * resource.getpagesize() < 100 * 2**20


def test_a_million_prompts_are_refused(edit, folders):
    path = folders / "x.safetensors"
    report = edit.report() | {"preserve": [{"prompt": "", "weight": 1}] * 1_000_000}
    factors = {"left": edit.left, "right": edit.right}
    save_file(factors, path, sealed(json.dumps(report), factors))
    with pytest.raises(ValueError, match="is damaged .settings of [0-9]+ characters"):
        load_edit(path, edit.fingerprint)


def test_what_a_killed_save_left_goes_with_the_next_one(edit, folders):
    old, fresh, other = (folders / name for name in (f".{'0' * 16}.part", f".{'1' * 16}.part", ".mine.part"))
    for file in (old, fresh, other):
        file.write_bytes(b"x")
    os.utime(old, (0, 0))
    save_edit(folders / "edit.safetensors", edit)
    assert not old.exists()
    assert fresh.exists() and other.exists()  # somebody may be writing the one; the other is none of ours


def test_what_is_no_edit_is_refused(edit, folders):
    mine = TextReader(tiny.clip()).fingerprint
    path = folders / "x.safetensors"
    factors = {"left": edit.left, "right": edit.right}
    good = sealed(json.dumps(edit.report()), factors)
    broken = {**factors, "left": edit.left.clone()}
    broken["left"][3, 4] = float("nan")
    rank = edit.rank
    for tensors, metadata, message in [
        (factors, {}, "holds no TIME edit"),
        (factors, {**good, "version": "2"}, "has version 2 of the format.*update the pack"),
        (factors, {**good, "version": "9" * 5000}, "has version 9{10} of the format"),
        (factors, {"format": FORMAT, "edit": good["edit"]}, "has version none of the format"),
        (factors, changed(good, factors, '"lamb": 0.1', f'"lamb": 1{"0" * 400}'), "is damaged .*too large"),
        (factors, changed(good, factors, '"lamb": 0.1', '"lamb": -0.1'), "is damaged .lambda is -0.1"),
        (
            factors,
            changed(good, factors, '"fit_residual": ', '"fit_residual": NaN, "x": '),
            "is damaged .NaN among",
        ),
        (factors, changed(good, factors, '"fit_residual": ', '"fit_residual": 1e999, "x": '), "is damaged"),
        (factors, changed(good, factors, '"weight": 2.0', '"weight": -2.0'), "is damaged .*not above 0"),
        (factors, changed(good, factors, '"inserted words"', '"no such words"'), "is damaged .*'no such words'"),
        (factors, changed(good, factors, f'"rank": {rank}', '"rank": 0'), "is damaged .factors of shapes.* rank 0"),
        (factors, changed(good, factors, '"width": 768', '"width": 767'), "is damaged .factors of shapes.* width 767"),
        (factors, {**good, "edit": good["edit"].replace("roses", "noses", 1)}, "is damaged .its checksum"),
        ({**factors, "left": edit.left + 1}, good, "is damaged .its checksum"),
        (factors, {**good, "edit": "{}"}, "is damaged"),
        (factors, {**good, "edit": "no json"}, "is damaged"),
        ({"left": edit.left}, good, "is damaged"),
        ({**factors, "right": edit.right[:, :-1].contiguous()}, good, "is damaged .factors of shapes"),
        (broken, sealed(good["edit"], broken), "is damaged .*not finite"),
        ({name: factor.half() for name, factor in factors.items()}, good, "is damaged .*float32"),
    ]:
        save_file(tensors, path, metadata)
        with pytest.raises(ValueError, match=f"file 'x.safetensors' {message}"):
            load_edit(path, mine)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="damaged or no safetensors file"):
        load_edit(path, mine)


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
        "con",
        "CONIN$",
        "flowers/conout$.v2",
        "flowers/NUL.v2",
        "x" * 244,
        "\ud800",
    ],
)
def test_names_stay_inside(name):
    with pytest.raises(ValueError, match="filename is "):
        places.save_path("models", places.EDITS, name)


@pytest.mark.parametrize("character", "\u202e\u2066\u200f\u200b\ufeff\u2028\x85")
def test_names_that_look_like_others(character):
    with pytest.raises(ValueError, match="filename is .*, with characters that are not seen; type the name anew"):
        places.save_path("models", places.EDITS, f"ro{character}ses")


def test_names_in_any_script_are_fine():
    for name in ("roses", "バラ", "گل‌ها", "ورود", "गुलाब", "👩‍🌾"):
        assert places.save_path("models", places.EDITS, name).name == f"{name}.safetensors"


def test_a_link_out_of_the_folder_is_not_followed(folders):
    outside = folders / "outside"
    outside.mkdir()
    (outside / "edit.safetensors").write_bytes(b"x")
    (folders / "models" / places.EDITS / "link").symlink_to(outside)
    assert places.saved(places.EDITS) == []
    with pytest.raises(ValueError, match="leads out of the models folder"):
        places.save_path("models", places.EDITS, "link/edit")
    with pytest.raises(ValueError, match="is not in the models or output folder"):
        places.find(places.EDITS, "models/link/edit.safetensors")
    assert "is not in the models" in TIMELoadEdit.validate_inputs(file="output/../outside/edit.safetensors")


def test_the_suffix_is_added_once():
    for name in ("roses", "roses.safetensors"):
        assert places.save_path("output", places.EDITS, name).name == "roses.safetensors"
    assert places.save_path("output", places.EDITS, "roses v1.5").name == "roses v1.5.safetensors"


def test_the_longest_name_can_be_written(edit, folders):
    TIMESaveEdit.execute(edit, "é" * 121, "output")
    assert places.saved(places.EDITS) == [f"output/{'é' * 121}.safetensors"]


def test_others_may_read_the_file_as_usual(edit, folders):
    usual = folders / "usual"
    usual.touch()
    path = folders / "edit.safetensors"
    save_edit(path, edit)
    assert path.stat().st_mode == usual.stat().st_mode


def test_a_folder_that_cannot_be_made(edit, folders):
    """A file stands where the folder should be: an error, nothing written."""
    (folders / "output").mkdir()
    (folders / "output" / places.EDITS).write_bytes(b"x")
    with pytest.raises(ValueError, match="filename is 'roses', which cannot be written .Not a directory.; choose another"):
        TIMESaveEdit.execute(edit, "roses", "output")
    assert (folders / "output" / places.EDITS).read_bytes() == b"x"


def test_a_folder_of_that_name(edit, folders):
    (folders / "output" / places.EDITS / "roses.safetensors").mkdir(parents=True)
    with pytest.raises(ValueError, match="filename is 'roses', and a folder has that name; choose another"):
        TIMESaveEdit.execute(edit, "roses", "output")


def test_a_path_that_is_too_long(edit):
    with pytest.raises(ValueError, match="filename is 'a/a/.*cannot be written .File name too long.; choose another"):
        TIMESaveEdit.execute(edit, "a/" * 3000 + "a", "output")


@pytest.mark.parametrize(
    "error", [PermissionError(errno.EACCES, "Permission denied"), OSError(errno.EROFS, "Read-only file system")]
)
def test_a_folder_that_may_not_be_written(edit, folders, monkeypatch, error):
    """The superuser, as whom containers run, may write everywhere; so the refusal is made."""

    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(
        ValueError, match=f"filename: 'roses.safetensors' cannot be written to .*{error.strerror}.*make room there or"
    ):
        TIMESaveEdit.execute(edit, "roses", "output")
    assert not list((folders / "output" / places.EDITS).iterdir())


def test_a_file_that_is_gone_or_a_folder(edit, folders):
    with pytest.raises(ValueError, match="file 'roses.safetensors' cannot be read .*choose another, or refresh the page"):
        load_edit(folders / "roses.safetensors", edit.fingerprint)
    (folders / "folder.safetensors").mkdir()
    with pytest.raises(ValueError, match="file 'folder.safetensors' "):
        load_edit(folders / "folder.safetensors", edit.fingerprint)


def test_a_full_disk_leaves_the_old_file(edit, folders):
    """The host's process may write no file beyond 100 kB."""
    resource = pytest.importorskip("resource")
    path = folders / "output" / places.EDITS / "edit.safetensors"
    save_edit(path, edit)
    before = path.read_bytes()
    assert len(before) > 100_000
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(ValueError, match="filename: 'edit.safetensors' cannot be written to .*make room there or allow"):
            TIMESaveEdit.execute(dataclasses.replace(edit, left=edit.left + 1), "edit", "output")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["edit.safetensors"]


def test_a_loaded_edit_does_not_depend_on_its_file(edit, folders):
    path = folders / "edit.safetensors"
    save_edit(path, edit)
    loaded = load_edit(path, edit.fingerprint)
    path.write_bytes(b"\0" * path.stat().st_size)
    assert same(loaded, edit)


def broken(report, value, path=()):
    """Copies of a report, each with `value` in one place, lists to their second item."""
    if path:
        copy = json.loads(json.dumps(report))
        place = copy
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        yield copy
    inside = report
    for step in path:
        inside = inside[step]
    steps = inside if isinstance(inside, dict) else range(min(len(inside), 2)) if isinstance(inside, list) else ()
    for step in steps:
        yield from broken(report, value, (*path, step))


@pytest.mark.parametrize("value", [None, "x", 3, 2.5, [], {}, [1], {"a": 1}, [[]]], ids=repr)
def test_a_report_of_the_wrong_kind_is_damaged(edit, folders, value):
    """Whatever stands where in the metadata: an edit that can be shown, or the error that names the file."""
    path = folders / "x.safetensors"
    refused = 0
    for report in broken(edit.report(), value):
        factors = {"left": edit.left, "right": edit.right}
        save_file(factors, path, sealed(json.dumps(report), factors))
        try:
            loaded = load_edit(path, edit.fingerprint)
        except ValueError as error:
            refused += 1
            assert str(error).startswith("file 'x.safetensors' is ")
        else:
            assert loaded.summary() and loaded.report()
    assert refused > 20


class Anything(io.ComfyNode):
    """An output that fits every input."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(node_id="Anything", inputs=[], outputs=[io.AnyType.Output()])

    @classmethod
    def execute(cls) -> io.NodeOutput:
        raise AssertionError("only validated")


@pytest.mark.parametrize("file", [["1", 0], "models/roses.safetensors", "models/gone.safetensors"])
def test_the_host_validates_the_file(edit, folders, monkeypatch, file):
    """Typed or linked, where its value is not known yet."""
    TIMESaveEdit.execute(edit, "roses", "models")
    for node in (Anything, TIMELoadEdit):
        monkeypatch.setitem(nodes.NODE_CLASS_MAPPINGS, node.__name__, node)
    prompt = {
        "1": {"class_type": "Anything", "inputs": {}},
        "2": {"class_type": "TIMELoadEdit", "inputs": {"file": file, "clip": ["1", 0]}},
    }
    valid, errors, _ = asyncio.run(execution.validate_inputs("prompt", prompt, "2", {}))
    assert valid == (file != "models/gone.safetensors")
    assert valid or "save the edit first" in errors[0]["details"]


def test_a_linked_file_is_always_loaded():
    assert math.isnan(TIMELoadEdit.fingerprint_inputs(None, clip=None))
