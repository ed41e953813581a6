"""The tests of `make test`: two runs side by side, since a browser or a server leaves cores idle, each in one thread.

`make test ONLY=browser` runs one folder of tests/, `ONLY=host/time/test_lora.py` one file, `ONLY=host/time/test_lora.py::TEST`
one test, and several of these with spaces between.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNS = {
    "on a server, in a browser": ["tests/e2e", "tests/browser"],  # the tests with most processes before the browser opens
    "in this process, installed": ["tests/unit", "tests/host", "tests/package"],
}


def pytest(arguments: list[str], log=None) -> subprocess.Popen:
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


def all_runs() -> int:
    """Shows the last one while it runs and the other when both are done; 0 if all passed."""
    (hidden, behind), (_, shown) = RUNS.items()
    with tempfile.TemporaryFile("w+") as log:
        runs = [pytest(behind, log), pytest(shown)]
        statuses = [exit_status(run) for run in reversed(runs)]
        log.seek(0)
        print(f"{hidden}:\n{log.read()}", flush=True)
    return max(statuses)


def main() -> int:
    only = os.environ.get("ONLY")
    return exit_status(pytest(chosen(only))) if only else all_runs()


if __name__ == "__main__":
    sys.exit(main())
