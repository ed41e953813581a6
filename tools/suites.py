"""The tests of `make test`: two suites at a time, since a browser or a server leaves cores idle, each in one thread.

`make test ONLY=browser` runs one folder of tests/, `ONLY=host/time/test_lora.py` one file, `ONLY=host/time/test_lora.py::TEST`
one test, and several of these with spaces between.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[1]
# The long ones first, so that no core waits in the end; the two with most processes together at once, before both have grown.
# Each has a process of its own: what one suite keeps in memory is gone when the next begins.
SUITES = ("tests/browser", "tests/e2e", "tests/host", "tests/package", "tests/fuzz", "tests/soak", "tests/unit")
AT_ONCE = 2


def pytest(arguments: list[str], log: IO[str] | None = None) -> subprocess.Popen:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
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

    def __init__(self, suite: str, folder: Path):
        print(f"{suite}: begun", flush=True)
        self.suite, self.log, self.since = suite, folder / suite.replace("/", "_"), time.monotonic()
        with open(self.log, "w") as log:
            self.process = pytest([suite], log)

    def tell(self, status: int) -> None:
        how = f"FAILED ({status})" if status else "ok"
        print(f"{self.log.read_text()}{self.suite}: {how}, {time.monotonic() - self.since:.0f} s\n", flush=True)


def all_suites(logs: Path) -> int:
    """Shows what a suite said when it is done; 0 if all passed."""
    waiting, running, statuses = list(SUITES), [], [0]
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
