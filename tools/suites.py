"""The tests of `make test`: what needs a browser beside all else, each in one thread, since either alone leaves cores idle."""

import os
import subprocess
import sys
import tempfile

SUITES = (["tests/unit", "tests/host", "tests/e2e", "tests/package"], ["tests/browser"])


def main() -> int:
    """Shows the first while it runs and the others when they are done; 0 if all passed."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    logs = [None, *(tempfile.TemporaryFile("w+") for _ in SUITES[1:])]
    runs = [
        subprocess.Popen([sys.executable, "-m", "pytest", *folders], env=environment, stdout=log, stderr=log)
        for folders, log in zip(SUITES, logs, strict=True)
    ]
    try:
        codes = [run.wait() for run in runs]
    except KeyboardInterrupt:
        for run in runs:
            run.wait()
        return 130
    for log in logs[1:]:
        log.seek(0)
        print(log.read(), flush=True)
    return max(map(abs, codes))


if __name__ == "__main__":
    sys.exit(main())
