"""`python -m benchmarks` on the toy world: killed and gone on with by several processes, on a Ray cluster of which a worker is
killed, on a running server. All give the same bytes as one process that nobody disturbs: this one, since each that is started
imports the host anew, which takes longer than its pictures."""

import contextlib
import csv
import io
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from benchmarks.__main__ import main
from tools.comfyui.environment import ROOT, TOY_CHECKPOINT
from tools.comfyui.patience import processor_time, wait_while_it_moves

pytestmark = pytest.mark.usefixtures("process_as_before")

ROWS = """old,new,positive1,gt1,negative1,gn1
a rose,a blue rose,a painting of a rose,a painting of a blue rose,a leaf,a blue leaf
a car,,two cars,two yellow cars,a leaf,a yellow leaf
a dog,a cat,two cars,two yellow cars,a leaf,a yellow leaf
a star,a green star,two stars,two green stars,a heart,a green heart
"""
SMALL = ["--steps", "2", "--seeds", "1", "--pictures-per-task", "1", "--lambdas", "0.1", "10"]


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("timed") / "rows.csv"
    path.write_text(ROWS)
    return path


def here(*arguments: object) -> int:
    """The command in this process: its exit status."""
    return main([*map(str, arguments)])


class Run:
    """`python -m benchmarks`, started when this is made."""

    def __init__(self, *arguments: object):
        environment = os.environ | {"PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}
        # All tests run at a time: Ray would end workers when memory is short, and lets everything else go before them.
        environment |= {"RAY_memory_monitor_refresh_ms": "0", "RAY_worker_niceness": "0"}
        command = [sys.executable, "-P", "-m", "benchmarks", *map(str, arguments)]
        self.folder = TemporaryDirectory()
        self.texts = [Path(self.folder.name) / stream for stream in ("out", "err")]
        with open(self.texts[0], "w") as out, open(self.texts[1], "w") as err:
            self.process = psutil.Popen(command, env=environment, stdout=out, stderr=err)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Until it holds, or the command has ended."""
        wait_while_it_moves(lambda: condition() or self.process.poll() is not None, self._signs_of_life, pause=0.05)

    def _signs_of_life(self) -> int:
        return sum(processor_time(process.pid) for process in [self.process, *self.workers()])

    def workers(self) -> list[psutil.Process]:
        return self.process.children(recursive=True)

    def kill(self) -> None:
        """End the command alone, and wait for its workers, who end when they notice."""
        workers = self.workers()
        self.process.kill()
        self.process.wait()
        wait_while_it_moves(
            lambda: not psutil.wait_procs(workers, timeout=0)[1], lambda: sum(processor_time(w.pid) for w in workers)
        )

    def end(self) -> tuple[int, str, str]:
        """Wait for its end: the exit status, and what it wrote to both streams."""
        self.wait_for(lambda: False)
        out, err = (path.read_text() for path in self.texts)
        return self.process.wait(), out, err


def finish(run: Run) -> str:
    code, out, err = run.end()
    assert code == 0, err
    return out


def contents(output: Path) -> dict[str, bytes]:
    """All files but the log of starts."""
    files = [path for path in output.rglob("*") if path.is_file() and path.relative_to(output).parts[0] != "runs"]
    return {str(path.relative_to(output)): path.read_bytes() for path in files}


def finished_tasks(output: Path) -> list[Path]:
    return sorted((output / "tasks").rglob("*.json"))


@pytest.fixture(scope="module")
def undisturbed(rows, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("undisturbed")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert here("timed", rows, *SMALL, "--workers", 1, "--output", output) == 0
    assert "2 of 3 rows" in said.getvalue()
    assert "line 3: old or new is empty" in said.getvalue()
    assert "line 4: TIME, lambda 0.1: 'a dog' -> 'a cat'" in said.getvalue()
    return output


def test_the_table_is_what_the_pictures_say(undisturbed):
    results = json.loads((undisturbed / "results.json").read_text())
    scores = {row["method"]: row for row in results["tables"]["Scores"]}
    assert list(scores) == ["baseline", "oracle", "TIME, lambda 0.1", "TIME, lambda 10"]
    pictures = (undisturbed / "pictures.csv").read_text().splitlines()
    assert len(pictures) == 1 + 4 * 2 * 3  # methods x rows x prompts, a seed each
    asked = [line for line in csv.DictReader(pictures) if (line["method"], line["kind"]) == ("TIME, lambda 10", "efficacy")]
    assert {line["line"] for line in asked} == {"2", "5"}
    assert scores["TIME, lambda 10"]["efficacy"] == sum(int(line["passed"]) for line in asked) / len(asked)
    assert scores["baseline"]["efficacy"] < scores["TIME, lambda 10"]["efficacy"]
    page = (undisturbed / "report.html").read_text()
    assert page.count('<img src="data:image/jpeg') == 2 * 4 * 3
    assert re.findall(r'(?:src|href)="(?!data:image/|#)[^"]*', page) == []


def test_several_processes_go_on_with_a_killed_run_and_make_no_picture_twice(rows, undisturbed, tmp_path):
    """Nor another one: what both of them make is, to the byte, what one makes."""
    arguments = ("timed", rows, *SMALL, "--output", tmp_path)
    run = Run(*arguments, "--workers", 1)
    run.wait_for(lambda: len(finished_tasks(tmp_path)) >= 3)
    run.kill()
    done = {path: path.stat().st_mtime_ns for path in finished_tasks(tmp_path)}
    assert 3 <= len(done) < len(finished_tasks(undisturbed))
    finish(Run(*arguments, "--workers", 2))
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert contents(tmp_path) == contents(undisturbed)
    found = [json.loads(path.read_text())["tasks found"] for path in (tmp_path / "runs").iterdir()]
    assert found == [len(done)]


def test_a_cluster_that_loses_a_worker_gives_the_same_bytes(rows, undisturbed, tmp_path):
    run = Run("timed", rows, *SMALL, "--workers", 2, "--ray", "--output", tmp_path)
    run.wait_for(lambda: len(finished_tasks(tmp_path)) >= 2)
    workers = [p for p in run.workers() if "_Actor" in " ".join(p.cmdline())]
    assert len(workers) == 2
    workers[0].kill()
    before = len(finished_tasks(tmp_path))
    assert before < len(finished_tasks(undisturbed))
    finish(run)
    assert contents(tmp_path) == contents(undisturbed)


def test_other_settings_are_refused(rows, undisturbed, capsys):
    assert here("timed", rows, *SMALL, "--cfg", 4, "--workers", 1, "--output", undisturbed) == 1
    assert "sampling.cfg: 3.0 there, 4.0 now" in capsys.readouterr().err


def test_a_running_server_gives_the_same_pictures(rows, server, tmp_path):
    arguments = ["timed", rows, "--rows", "1", "--steps", "2", "--size", "128", "--cfg", "3", "--seeds", "1", "--batch", "1"]
    arguments += ["--judge", "toy", "--checkpoint", TOY_CHECKPOINT]
    assert here(*arguments, "--workers", 1, "--output", tmp_path / "library") == 0
    assert here(*arguments, "--server", server.url, "--output", tmp_path / "server") == 0
    assert contents(tmp_path / "server")["pictures.csv"] == contents(tmp_path / "library")["pictures.csv"]
