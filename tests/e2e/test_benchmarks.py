"""`python -m benchmarks` on the toy world: by several processes, killed and gone on with, on a Ray cluster of which a worker is
killed, on a running server. All give the same bytes as one process that nobody disturbs."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tools.comfyui.environment import ROOT, TOY_CHECKPOINT
from tools.comfyui.library import comfyui_path
from tools.comfyui.server import ComfyServer

ROWS = """old,new,positive1,gt1,negative1,gn1
a rose,a blue rose,a painting of a rose,a painting of a blue rose,a leaf,a blue leaf
a car,,two cars,two yellow cars,a leaf,a yellow leaf
a dog,a cat,two cars,two yellow cars,a leaf,a yellow leaf
a star,a green star,two stars,two green stars,a heart,a green heart
"""
SMALL = ["--steps", "2", "--seeds", "2", "--pictures-per-task", "1", "--lambdas", "0.1", "10"]
PATIENCE = 300  # seconds


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("timed") / "rows.csv"
    path.write_text(ROWS)
    return path


def start(*arguments: object) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}
    # All tests run at a time: Ray would end workers when memory is short, and lets everything else go before them.
    environment |= {"RAY_memory_monitor_refresh_ms": "0", "RAY_worker_niceness": "0"}
    command = [sys.executable, "-P", "-m", "benchmarks", *map(str, arguments)]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen) -> str:
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    return out


def contents(output: Path) -> dict[str, bytes]:
    """All files but the log of starts."""
    files = [path for path in output.rglob("*") if path.is_file() and path.relative_to(output).parts[0] != "runs"]
    return {str(path.relative_to(output)): path.read_bytes() for path in files}


def finished_tasks(output: Path) -> list[Path]:
    return sorted((output / "tasks").rglob("*.json"))


def wait_for(condition) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(scope="module")
def undisturbed(rows, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("undisturbed")
    out = finish(start("timed", rows, *SMALL, "--workers", 1, "--output", output))
    assert "2 of 3 rows" in out
    assert "line 3: old or new is empty" in out
    assert "line 4: TIME, lambda 0.1: 'a dog' -> 'a cat'" in out
    return output


def test_the_table_is_what_the_pictures_say(undisturbed):
    results = json.loads((undisturbed / "results.json").read_text())
    scores = {row["method"]: row for row in results["tables"]["Scores"]}
    assert list(scores) == ["baseline", "oracle", "TIME, lambda 0.1", "TIME, lambda 10"]
    pictures = (undisturbed / "pictures.csv").read_text().splitlines()
    assert len(pictures) == 1 + 4 * 2 * 3 * 2  # methods x rows x prompts x seeds
    asked = [line for line in csv.DictReader(pictures) if (line["method"], line["kind"]) == ("TIME, lambda 10", "efficacy")]
    assert {line["line"] for line in asked} == {"2", "5"}
    assert scores["TIME, lambda 10"]["efficacy"] == sum(int(line["passed"]) for line in asked) / len(asked)
    assert scores["baseline"]["efficacy"] < scores["TIME, lambda 10"]["efficacy"]
    page = (undisturbed / "report.html").read_text()
    assert page.count('<img src="data:image/jpeg') == 2 * 4 * 3
    assert re.findall(r'(?:src|href)="(?!data:image/|#)[^"]*', page) == []


def test_several_processes_give_the_same_bytes(rows, undisturbed, tmp_path):
    finish(start("timed", rows, *SMALL, "--workers", 2, "--output", tmp_path))
    assert contents(tmp_path) == contents(undisturbed)


def test_a_killed_run_goes_on_with_other_workers_and_makes_no_picture_twice(rows, undisturbed, tmp_path):
    arguments = ("timed", rows, *SMALL, "--output", tmp_path)
    run = start(*arguments, "--workers", 1)
    wait_for(lambda: len(finished_tasks(tmp_path)) >= 3 or run.poll() is not None)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    done = {path: path.stat().st_mtime_ns for path in finished_tasks(tmp_path)}
    assert 3 <= len(done) < len(finished_tasks(undisturbed))
    finish(start(*arguments, "--workers", 2))
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert contents(tmp_path) == contents(undisturbed)
    found = [json.loads(path.read_text())["tasks found"] for path in (tmp_path / "runs").iterdir()]
    assert found == [len(done)]


def test_a_cluster_that_loses_a_worker_gives_the_same_bytes(rows, undisturbed, tmp_path):
    run = start("timed", rows, *SMALL, "--workers", 2, "--ray", "--output", tmp_path)
    wait_for(lambda: len(finished_tasks(tmp_path)) >= 2 or run.poll() is not None)
    workers = [p for p in psutil.Process(run.pid).children(recursive=True) if "_Actor" in " ".join(p.cmdline())]
    assert len(workers) == 2
    workers[0].kill()
    before = len(finished_tasks(tmp_path))
    assert before < len(finished_tasks(undisturbed))
    finish(run)
    assert contents(tmp_path) == contents(undisturbed)


def test_other_settings_are_refused(rows, undisturbed):
    run = start("timed", rows, *SMALL, "--cfg", "4", "--workers", 1, "--output", undisturbed)
    _, err = run.communicate(timeout=PATIENCE)
    assert run.returncode == 1
    assert "sampling.cfg: 3.0 there, 4.0 now" in err


def test_a_running_server_gives_the_same_pictures(rows, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # sums of another number of threads round otherwise
    arguments = ["timed", rows, "--rows", "1", "--steps", "2", "--size", "128", "--cfg", "3", "--seeds", "1", "--batch", "1"]
    arguments += ["--judge", "toy", "--checkpoint", TOY_CHECKPOINT]
    finish(start(*arguments, "--workers", 1, "--output", tmp_path / "library"))
    with ComfyServer(comfyui_path(), Path(sys.executable)) as server:
        finish(start(*arguments, "--server", server.url, "--output", tmp_path / "server"))
    assert contents(tmp_path / "server")["pictures.csv"] == contents(tmp_path / "library")["pictures.csv"]
