"""The Fréchet distance against its closed form, and what a caption is drawn with."""

from argparse import Namespace

import numpy as np
import pytest

from benchmarks.measurements.captions import Captions, frechet_distance, packed, stacked


def arguments(folder, **changes) -> Namespace:
    (folder / "captions.txt").write_text("a rose\n\na star on sand\na car\n")
    given = {"file": folder / "captions.txt", "reference": None, "edits": None, "lambdas": [0.1], "rows": None}
    return Namespace(**given | {"judge": "toy-clip", "pictures_per_task": 2} | changes)


def test_the_distance_of_two_normal_clouds():
    rng = np.random.default_rng(0)
    real, drawn = rng.normal(size=(4000, 3)), 2 * rng.normal(size=(4000, 3)) + [1.0, 0.0, 0.0]
    mean = ((real.mean(0) - drawn.mean(0)) ** 2).sum()
    root = np.linalg.cholesky(np.cov(real.T))
    cross = np.sqrt(np.linalg.eigvalsh(root.T @ np.cov(drawn.T) @ root)).sum()
    expected = mean + np.trace(np.cov(real.T)) + np.trace(np.cov(drawn.T)) - 2 * cross
    assert frechet_distance(real, drawn) == pytest.approx(100 * expected, rel=1e-6)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-6)


def test_embeddings_come_back_from_json():
    embedding = np.array([0.25, -1 / 3], np.float32)
    assert (stacked([{"embedding": packed(embedding)}] * 2) == np.float64(embedding)).all()


def test_captions_get_the_edits_in_turn(tmp_path):
    rows = tmp_path / "edits.csv"
    rows.write_text("old,new,positive1,gt1,negative1,gn1\na rose,a blue rose,b,c,d,e\na car,a red car,b,c,d,e\n")
    captions = Captions.from_arguments(arguments(tmp_path, edits=rows))
    assert captions.captions == ["a rose", "a star on sand", "a car"]
    edited = captions.variants[1]
    destinations = [edited.edits(captions.read[0][i % 2], captions.read[0])[0]["destination"] for i in range(3)]
    assert destinations == ["a blue rose", "a red car", "a blue rose"]
    assert [task.id for task in captions.next_tasks({})] == [
        "baseline/0",
        "baseline/2",
        "TIME, lambda 0.1/0",
        "TIME, lambda 0.1/2",
    ]


def test_what_cannot_be_measured_is_refused(tmp_path):
    with pytest.raises(ValueError, match="--judge clip"):
        Captions.from_arguments(arguments(tmp_path, judge=None))
    with pytest.raises(ValueError, match="holds 0 pictures; a distance needs at least two"):
        Captions.from_arguments(arguments(tmp_path, reference=tmp_path))
    empty = tmp_path / "empty.txt"
    empty.write_text("\n")
    with pytest.raises(ValueError, match="holds no caption"):
        Captions.from_arguments(arguments(tmp_path, file=empty))
