"""The tests of `make test`: what needs a browser beside all else, each in one thread, since either alone leaves cores idle."""

import os
import subprocess
import sys
import tempfile

IN_A_BROWSER = ["tests/browser"]
ALL_ELSE = ["tests/unit", "tests/host", "tests/e2e", "tests/package"]


def pytest(folders: list[str], log=None) -> subprocess.Popen:
    command = [sys.executable, "-m", "pytest", *folders]
    return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=log, stderr=log)


def main() -> int:
    """Shows the one while it runs and the other when it is done; 0 if all passed."""
    with tempfile.TemporaryFile("w+") as log:
        runs = [pytest(IN_A_BROWSER, log), pytest(ALL_ELSE)]
        try:
            codes = [run.wait() for run in runs]
        except KeyboardInterrupt:
            codes = [run.wait() or 130 for run in runs]
        log.seek(0)
        print(log.read(), flush=True)
    return max(map(abs, codes))


if __name__ == "__main__":
    sys.exit(main())
