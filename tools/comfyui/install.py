"""What every part of the set-up is made with: a stamp when it is complete, room on the disk, pip in an environment.

A part without its stamp is made anew, which is how an interrupted or failed set-up is repaired by running the command again.
Standard library only.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
LOCK = ROOT / "tools" / "lock"
GIB = 2**30


class SetupError(Exception):
    """A problem that the user can solve; its text is all that is shown."""


def check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SetupError(
            f"No disk space: {folder} has {free / GIB:.1f} GiB free, {needed / GIB:.2g} GiB are needed. Free some."
        )


def digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def is_complete(stamp: Path, content: str) -> bool:
    return stamp.is_file() and stamp.read_text() == content


def remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def make_and_say(what: str, make: Callable[[], object]) -> int:
    """Of a command that makes one thing: say where it is, or what is wrong; gives the exit status."""
    try:
        print(f"{what}: {make()}")
    except SetupError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    return 0


def venv_python(folder: Path = VENV) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def packages_of(folder: Path) -> Path:
    """Where the packages of the environment in `folder` lie."""
    (found,) = folder.glob("Lib/site-packages" if os.name == "nt" else "lib/python*/site-packages")
    return found


def put_behind(folder: Path, other: Path = VENV) -> None:
    """Let the environment in `folder` see the packages of another, too, after its own."""
    (packages_of(folder) / "behind.pth").write_text(f"{packages_of(other)}\n")


def pip(*arguments: str, folder: Path = VENV) -> None:
    """Run pip in the environment in `folder`."""
    command = [str(venv_python(folder)), "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    log = subprocess.run(command, capture_output=True, text=True)
    if log.returncode == 0:
        return
    said = log.stdout + log.stderr
    if "No space left" in said:
        raise SetupError(f"No disk space left in {ROOT} while installing. Free some and run the command again.")
    # "from versions: none" for a version that exists: the index did not answer.
    if re.search(r"new connection|Connection refused|Name or service not known|from versions: none", said, re.IGNORECASE):
        raise SetupError(
            "No network: the package index cannot be reached. Connect (or set pip's proxy), then run the command again.\n"
            + said.strip().splitlines()[-1]
        )
    raise SetupError("pip failed; its last lines:\n" + "\n".join(said.strip().splitlines()[-12:]))


def make_environment(folder: Path, requirements: Path, room: int, announcement: str) -> None:
    """The packages of a lock file in an environment of their own, unless they are there.

    Args:
        room: bytes that must be free.
        announcement: printed before the work begins.
    """
    stamp, content = folder / "complete", digest(requirements)
    if is_complete(stamp, content):
        return
    folder.parent.mkdir(exist_ok=True)
    check_room(folder.parent, room)
    print(announcement, flush=True)
    remove(folder)
    try:
        venv.create(folder, with_pip=True)
    except subprocess.CalledProcessError:  # Debian's Python comes without ensurepip
        remove(folder)
        wanted = ".".join(map(str, sys.version_info[:2]))
        raise SetupError(
            f"{sys.executable} cannot make an environment with pip. Install its venv module "
            f"(Debian, Ubuntu: `apt install python{wanted}-venv`), or give another Python with `make PYTHON=`."
        ) from None
    pinned_wheels = ("--require-hashes", "--no-deps", "--only-binary", ":all:")
    pip("install", "--quiet", *pinned_wheels, "-r", str(requirements), folder=folder)
    stamp.write_text(content)
