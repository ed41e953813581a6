"""A run on a graphics card, with colleagues that do no work: whatever happens to one of them, the page has the others."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.gpu.__main__ import chosen_of
from benchmarks.gpu.bounds import BOUNDS, exceeded
from benchmarks.gpu.conduct import NO_TIME, Crew, Failed, WorkerProcess, conduct
from benchmarks.gpu.configurations import ALL, CPU, DYNAMIC, STATIC, Effort
from benchmarks.gpu.page import page
from benchmarks.gpu.worker import FAILED, MACHINE, Checkpoint, Measured, Reference, in_words
from tools.comfyui.environment import ROOT

SPREAD = {"median": 2.0, "lowest": 1.0, "highest": 3.0}
MEMORY = {"PyTorch": 3000.0, "card": 4000.0}
EQUAL = dict.fromkeys(BOUNDS, 1e-6) | {"edit": 0.3}
PARTS = {
    "edit": {"projections": 32, "rank": 9, "encoding, s": SPREAD, "solving, s": SPREAD, "patches, s": SPREAD},
    "sampling": {"plain": SPREAD, "edited": SPREAD, "ratio": 1.0, "memory": MEMORY},
    "DiffEdit": {"mask, s": 1.0, "inversion, s": 2.0, "repainting, s": 3.0, "steps walked": 16, "outside": 0.0}
    | {f"{name}, memory": MEMORY for name in ("mask", "inversion", "repainting")},
    "equality": EQUAL,
}


class Colleague:
    """Answers every order at once; `on` may answer otherwise, or raise."""

    def __init__(self, start: str, on: Callable = lambda start, order: None):
        self.start, self.on, self.stopped = start, on, False

    def answers(self, order, until) -> Iterator[tuple[str, dict]]:
        other = self.on(self.start, order)
        if other is not None:
            yield other
        elif order is None:
            yield MACHINE, {"torch": "2"}
        elif isinstance(order, Measured):
            yield from PARTS.items()

    def stop(self) -> None:
        self.stopped = True


def run(on: Callable = lambda start, order: None, seconds: float = 60.0, each: float = 60.0) -> tuple[dict, list[Colleague]]:
    hired: list[Colleague] = []

    def hire(start: str) -> Colleague:
        hired.append(Colleague(start, on))
        return hired[-1]

    crew = Crew((STATIC, DYNAMIC, CPU), hire, time.monotonic() + seconds, each)
    results = conduct(ALL, Effort(), crew, Path("nowhere"), lambda found: page(found, BOUNDS))
    crew.dismiss_all()
    assert all(one.stopped for one in hired)
    return results, hired


def problems(results: dict) -> dict[str, list[str]]:
    return {row["name"]: row["problems"] for row in results["configurations"] if row["problems"]}


def test_all_goes_well():
    results, hired = run()
    assert problems(results) == {}
    assert len(hired) == 3
    assert [row["name"] for row in results["configurations"]][:2] == ["SD 1.5, fp16", "SD 1.5, fp16, dynamic VRAM"]
    text = page(results, BOUNDS)
    assert "| SDXL, bf16, dynamic VRAM | 32 | 9 | 2 (1 to 3) | 2 (1 to 3) | 2 (1 to 3) |" in text
    assert "| SDXL, bf16 | 1e-06 (0.01) |" in text
    assert "3000 / 4000" in text
    assert "| SDXL, bf16 |\n" in text  # loading was not measured


def test_a_process_that_ends_is_replaced_and_the_others_are_measured():
    def on(start, order):
        if isinstance(order, Measured) and order.configuration == ALL[1]:
            raise Failed("the process ended by itself, with exit status -11")

    results, hired = run(on)
    assert problems(results) == {"SD 1.5, fp16, dynamic VRAM": ["the process ended by itself, with exit status -11"]}
    assert [one.start for one in hired] == [STATIC, DYNAMIC, CPU, DYNAMIC]
    assert "- SD 1.5, fp16, dynamic VRAM: the process ended by itself" in page(results, BOUNDS)


def test_a_host_that_does_not_start_in_one_way_is_not_started_again():
    results, hired = run(lambda start, order: (MACHINE, {FAILED: "RuntimeError: no aimdo"}) if start == DYNAMIC else None)
    assert set(problems(results)) == {one.name for one in ALL if one.start == DYNAMIC}
    assert len(hired) == 3


def test_a_part_that_fails_and_an_answer_of_the_cpu_that_is_missing():
    def on(start, order):
        if isinstance(order, Measured) and order.configuration == ALL[0]:
            return "sampling", {FAILED: "OutOfMemoryError: full"}
        if type(order) is Reference and order.model == "sdxl":
            return "reference", {FAILED: "MemoryError"}

    found = problems(run(on)[0])
    assert found["SD 1.5, fp16"] == ["sampling: OutOfMemoryError: full"]
    assert found["SDXL, bf16"] == ["the CPU's answers: reference: MemoryError"]
    assert len(found) == 5


def test_no_checkpoint_is_written_under_dynamic_vram():
    """There the host's classes hold no weights; the first try fails here, so that the second one is a dynamic one's turn."""
    asked = []

    def on(start, order):
        if type(order) is Checkpoint:
            asked.append(start)
            if len(asked) == 1:
                raise Failed("it took more than 16 seconds")

    found = problems(run(on)[0])
    assert found == {"SD 1.5, fp16": ["it took more than 16 seconds"]}
    assert asked == [STATIC, STATIC, STATIC]  # twice SD 1.5, then SDXL


def test_time():
    late, _ = run(seconds=0.0)
    assert problems(late) == {one.name: [NO_TIME] for one in ALL}

    def hang(start, order):
        if isinstance(order, Measured) and order.configuration.dtype == "bf16":
            raise Failed(NO_TIME)

    assert set(map(tuple, problems(run(hang, each=7)[0]).values())) == {("it took more than 7 seconds",)}


@pytest.mark.parametrize("value", [1.1 * BOUNDS["model call"]["fp16"], float("nan"), float("inf")])
def test_a_bound_that_is_exceeded(value):
    assert exceeded("equality", EQUAL, "fp16") == []
    (said,) = exceeded("equality", EQUAL | {"model call": value}, "fp16")
    assert said == f"model call is {value:.2g} off, more than 0.005"
    assert exceeded("DiffEdit", {"outside": 1e-9}, "fp16") == ["outside is 1e-09 off, more than 0"]
    assert exceeded("sampling", {}, "fp16") == []


def test_some_configurations():
    assert [one.name for one in chosen_of(ALL, ["sdxl-bf16"])] == ["SDXL, bf16", "SDXL, bf16, dynamic VRAM"]
    assert chosen_of(ALL, None) == ALL


def test_an_error_on_one_line():
    assert in_words(ValueError("first\nsecond")) == "ValueError: first"
    assert in_words(MemoryError()) == "MemoryError"


def test_a_real_process_that_dies(monkeypatch):
    """It has no host to start."""
    monkeypatch.setenv("COMFYUI_PATH", str(ROOT / "tests"))
    process = WorkerProcess(CPU)
    with pytest.raises(Failed, match="ended by itself, with exit status 1"):
        list(process.answers(None, time.monotonic() + 60))
    process.stop()
    waiting = WorkerProcess(CPU)
    with pytest.raises(Failed, match=NO_TIME):
        list(waiting.answers(None, time.monotonic()))
    waiting.stop()


def test_the_host_chooses_pytorchs_allocator_before_pytorch_is_imported():
    code = "import sys, benchmarks.gpu.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", f"import sys; sys.path.append({str(ROOT)!r}); {code}"]).returncode == 0
