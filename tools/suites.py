"""The tests of `make test`: two suites at a time, since a browser or a server leaves cores idle, each in one thread.

The whole on the main ComfyUI, and SHORT on the oldest that can be had; with HOST=, COMFYUI_PATH= or FRONTEND= the whole there.

`make test ONLY=browser` runs one folder of tests/, `ONLY=host/time/test_lora.py` one file, `ONLY=host/time/test_lora.py::TEST`
one test, and several of these with spaces between.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from .comfyui.environment import link_pack
from .comfyui.hosts import make_host, pinned
from .comfyui.install import ROOT

# The long ones first, so that no core waits in the end; the two with most processes together at once, before both have grown.
# Each has a process of its own: what one suite keeps in memory is gone when the next begins.
SUITES = ("tests/browser", "tests/e2e", "tests/host", "tests/package", "tests/fuzz", "tests/soak", "tests/unit")
AT_ONCE = 2
# What tells whether a host or a frontend will do: every template by the API, schemas and recorded files, the pictures and
# weights of other implementations, and in both renderers every node and a run with its view.
SHORT = (
    "tests/e2e/test_templates.py",
    "tests/package/test_golden.py",
    "tests/host/time/test_diffusers.py",
    "tests/host/diffedit/test_diffusers.py",
    "tests/browser/test_frontend.py",
)


@dataclass(frozen=True)
class Suite:
    """`names` are handed to pytest, in an environment with `settings`."""

    title: str
    names: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict)


def pytest(arguments: Sequence[str], log: IO[str] | None = None, settings: Mapping[str, str] | None = None) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **(settings or {})}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # dozens of Pythons import the host, which costs each seconds uncompiled
    return subprocess.Popen([sys.executable, "-m", "pytest", *arguments], cwd=ROOT, env=environment, stdout=log, stderr=log)


def exit_status(run: subprocess.Popen) -> int:
    """Not 0 after a test that failed, a signal, or Ctrl-C, which the run has got, too."""
    try:
        return abs(run.wait())
    except KeyboardInterrupt:
        return abs(run.wait()) or 130


def chosen(only: str) -> list[str]:
    """What to hand to pytest for the words of ONLY."""
    return [word if word.startswith("tests") else f"tests/{word}" for word in only.split()]


class Run:
    """A suite that runs, begun when this is made; what it says is kept in `folder`."""

    def __init__(self, suite: Suite, folder: Path):
        print(f"{suite.title}: begun", flush=True)
        self.suite, self.log, self.since = suite, folder / suite.title.replace("/", "_"), time.monotonic()
        with open(self.log, "w") as log:
            self.process = pytest(suite.names, log, suite.settings)

    def tell(self, status: int) -> None:
        how = f"FAILED ({status})" if status else "ok"
        print(f"{self.log.read_text()}{self.suite.title}: {how}, {time.monotonic() - self.since:.0f} s\n", flush=True)


def suites() -> list[Suite]:
    """All, and unless a host or frontend is chosen SHORT on another."""
    found = [Suite(folder, (folder,)) for folder in SUITES]
    if not any(os.environ.get(name) for name in ("COMFYUI_PATH", "COMFYUI_VERSION", "COMFYUI_FRONTEND")):
        oldest = pinned()[0]
        link_pack(make_host(oldest))
        found.insert(2, Suite(f"ComfyUI {oldest}, short", SHORT, {"COMFYUI_VERSION": oldest}))
    return found


def all_suites(logs: Path) -> int:
    """Shows what a suite said when it is done; 0 if all passed."""
    waiting, running, statuses = suites(), [], [0]
    try:
        while waiting or running:
            while waiting and len(running) < AT_ONCE:
                running.append(Run(waiting.pop(0), logs))
            time.sleep(0.2)
            for run in [run for run in running if run.process.poll() is not None]:
                running.remove(run)
                statuses.append(abs(run.process.returncode))
                run.tell(statuses[-1])
    except KeyboardInterrupt:
        for run in running:
            run.tell(exit_status(run.process))
        return 130
    return max(statuses)


def main() -> int:
    only = os.environ.get("ONLY")
    if only:
        return exit_status(pytest(chosen(only)))
    with tempfile.TemporaryDirectory() as logs:
        return all_suites(Path(logs))


if __name__ == "__main__":
    sys.exit(main())
