"""The tests of `make test`: four runs side by side, each in one thread, since a browser or a server leaves cores idle."""

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack

SUITES = {
    "in a browser, classic canvas": ["tests/browser", "-k", "not nodes2"],
    "in a browser, Nodes 2.0": ["tests/browser", "-k", "nodes2"],
    "on servers": ["tests/e2e", "tests/package"],
    "in this process": ["tests/unit", "tests/host"],
}


def pytest(arguments: list[str], log=None) -> subprocess.Popen:
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=log, stderr=log)


def main() -> int:
    """Shows the last one while it runs and the others when all are done; 0 if all passed."""
    *hidden, shown = SUITES
    with ExitStack() as files:
        logs = {title: files.enter_context(tempfile.TemporaryFile("w+")) for title in hidden}
        runs = [pytest(SUITES[title], log) for title, log in logs.items()] + [pytest(SUITES[shown])]
        try:
            codes = [run.wait() for run in runs]
        except KeyboardInterrupt:
            codes = [run.wait() or 130 for run in runs]
        for title, log in logs.items():
            log.seek(0)
            print(f"{title}:\n{log.read()}", flush=True)
    return max(map(abs, codes))


if __name__ == "__main__":
    sys.exit(main())
