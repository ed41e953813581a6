"""Where results are kept: whole files only, in a folder and in another fsspec file system; and the manifest of a run."""

import json

import numpy as np
import pytest

from benchmarks.run.manifest import ManifestError, agree
from benchmarks.run.measurement import Outcome, Task
from benchmarks.run.store import Store, canonical

TASK = Task("line 3/efficacy/1", {}, 2)


@pytest.fixture(params=["folder", "memory"])
def store(request, tmp_path):
    return Store(str(tmp_path / "out") if request.param == "folder" else f"memory://{tmp_path.name}")


def test_a_task_comes_back_with_its_pictures(store):
    pixels = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    assert store.results() == {}
    store.save(TASK, Outcome({"scores": [0.1, 1 / 3]}, {"first": pixels}))
    store.save(Task("other", {}, 1), Outcome({"error": "é"}))
    assert store.results() == {"line 3/efficacy/1": {"scores": [0.1, 1 / 3]}, "other": {"error": "é"}}
    assert (np.asarray(store.picture("line 3/efficacy/1", "first")) == pixels).all()
    assert store.picture("other", "first") is None


def test_a_write_that_fails_leaves_the_old_file_and_no_part(tmp_path, monkeypatch):
    store = Store(str(tmp_path))
    store.write("a/b.json", b"old")

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(store.fs, "mv", fail)
    with pytest.raises(OSError, match="no space left"):
        store.write("a/b.json", b"new")
    assert store.read("a/b.json") == b"old"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.json"]


def test_a_part_of_a_killed_write_is_no_result(tmp_path):
    store = Store(str(tmp_path))
    store.save(TASK, Outcome({"scores": []}))
    (tmp_path / "tasks" / "line 3" / "efficacy" / "9.json.0af3.part").write_bytes(b"{")
    assert list(store.results()) == [TASK.id]


def test_a_run_goes_on_only_with_the_same_manifest(store):
    manifest = {"settings": {"seeds": (1, 8)}, "versions": {"torch": "2.11"}}
    agree(store, manifest)
    agree(store, manifest)
    assert json.loads(store.read("manifest.json")) == json.loads(canonical(manifest))
    with pytest.raises(ManifestError, match=r"settings.seeds: \[1, 8\] there, \[1, 9\] now") as refusal:
        agree(store, {"settings": {"seeds": (1, 9)}, "versions": {"torch": "2.11"}})
    assert "another --output" in str(refusal.value)
