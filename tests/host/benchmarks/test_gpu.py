"""`make gpu` in small: the command itself on the CPU, with a small model of random weights."""

import json
import os
import subprocess
import sys

import pytest

from benchmarks.gpu.bounds import BOUNDS
from tools.comfyui.environment import ROOT


@pytest.mark.slow
def test_the_command_in_small(tmp_path):
    """Every part gives its numbers, bfloat16 is as near to float32 as it has to be, and the page says so."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    command = [sys.executable, "-P", "-m", "benchmarks.gpu", "--small", "--docs", str(tmp_path), "--folder", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(folder.iterdir())

    results = json.loads((tmp_path / "gpu.json").read_text())
    (row,) = results["configurations"]
    assert row["problems"] == []
    parts = row["parts"]
    assert parts["edit"]["projections"] == 14  # seven blocks that read text
    assert parts["edit"]["rank"] > 0
    for part, keys in {
        "edit": ("encoding, s", "solving, s", "patches, s"),
        "sampling": ("plain", "edited"),
    }.items():
        for key in keys:
            spread = parts[part][key]
            assert 0 < spread["lowest"] <= spread["median"] <= spread["highest"]
    assert parts["loading"]["edited"]["load, s"] > 0
    assert parts["DiffEdit"]["steps walked"] == 3
    assert parts["DiffEdit"]["outside"] == 0
    errors = parts["equality"]
    assert all(errors[name] <= bounds["bf16"] for name, bounds in BOUNDS.items())
    assert errors["K and V"] > 1e-4  # they were not compared with themselves
    assert errors["edit"] > 5 * errors["edited model call"]  # the edit is far larger than what the comparison lets pass

    page = (tmp_path / "gpu.md").read_text()
    assert page.count("| small SD 1.5, bf16, CPU |") == 6
    assert "What is missing" not in page
