"""`make env`: the environment in `.venv`, ComfyUI in `.host`, the pack linked into it, the small models in place.

With `--client`, as `make demo` and `make ui` call it where COMFYUI_PATH names an installation of the user's: only the few
packages that talk to a server, in `.cache/client`, and the pack linked into that installation. Nothing is installed there.

Runs on a bare Python, so it uses the standard library only, and so do `install` and `hosts`.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from .hosts import HOST, MAIN, MODELS, check_comfyui, chosen_host, host_folder, make_frontend, make_host
from .install import (
    GIB,
    LOCK,
    ROOT,
    VENV,
    SetupError,
    digest,
    is_complete,
    make_environment,
    venv_python,
)

CLIENT = ROOT / ".cache" / "client"
TOY_WEIGHTS = ROOT / "tests" / "toyworld" / "weights"
NATURAL_WEIGHTS = ROOT / "tests" / "naturalworld" / "weights"
USERS_MODELS = ROOT / ".cache" / "models"  # for an installation of the user's, whose own folders stay as they are
TOY_CHECKPOINT = "toyworld.safetensors"
NATURAL_CHECKPOINT = "naturalworld.safetensors"
TOY_CLIP = "toyworld_clip.safetensors"
TOY_CLIP_VISION = "toyworld_clip_vision.safetensors"
PACK_FOLDER = "ComfyUI-TIME-DiffEdit"

PYTHON = (3, 11)  # of the pinned packages
OLDEST_PYTHON = (3, 10)  # of the client, and of ComfyUI
ROOM_FOR_PACKAGES = 9 * GIB
ROOM_FOR_CLIENT = GIB // 2


def about_pack(folder: Path) -> dict[str, str]:
    """ "name" and "version" in the pyproject.toml of a pack, empty without one. Python 3.10 has no `tomllib`."""
    file = folder / "pyproject.toml"
    text = file.read_text(errors="replace") if file.is_file() else ""
    section = re.search(r"^\[project\]$(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    return dict(re.findall(r'^(name|version) *= *"([^"]+)"', section[1], re.MULTILINE)) if section else {}


PROJECT = about_pack(ROOT)


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> None:
    if tuple(version[:2]) != PYTHON:
        found, wanted = ".".join(map(str, version)), ".".join(map(str, PYTHON))
        raise SetupError(
            f"Python {found} is running; the pinned packages need Python {wanted}. Run `make PYTHON=python{wanted}`."
        )


def check_clients_python(version: tuple[int, ...] = sys.version_info[:3]) -> None:
    if tuple(version[:2]) < OLDEST_PYTHON:
        found, wanted = ".".join(map(str, version)), ".".join(map(str, OLDEST_PYTHON))
        raise SetupError(f"Python {found} is running; {wanted} or newer is needed. Run `make PYTHON=` with the path of one.")


def check_checkpoint() -> None:
    """Raise if $CHECKPOINT is given and is no file."""
    given = os.environ.get("CHECKPOINT")
    if given and not Path(given).is_file():
        raise SetupError(f"CHECKPOINT={given} does not exist. Give the path of a checkpoint file of SD 1.x, SD 2.x or SDXL.")


def make_venv() -> None:
    announcement = "Installing the pinned packages into .venv (about 6 GB, a few minutes) …"
    make_environment(VENV, LOCK / "requirements.txt", ROOM_FOR_PACKAGES, announcement)


def make_client() -> None:
    announcement = "Installing what talks to ComfyUI into .cache/client (about 0.3 GB) …"
    make_environment(CLIENT, LOCK / "client.txt", ROOM_FOR_CLIENT, announcement)


def link_pack(comfyui: Path) -> None:
    """Make the host load this folder, unless it lies in custom_nodes already.

    Raises:
        SetupError: another copy of the pack lies there, or the folder cannot be written.
    """
    folder = comfyui / "custom_nodes"
    link = folder / PACK_FOLDER
    entries = list(folder.iterdir()) if folder.is_dir() else []
    if any(entry.resolve() == ROOT for entry in entries):
        return
    stale = [entry for entry in entries if entry == link and entry.is_symlink()]
    for entry in entries:
        if entry not in stale and (entry == link or about_pack(entry).get("name") == PROJECT["name"]):
            raise SetupError(f"{entry} exists and is another copy of the pack. Move it away, or run the demo from there.")
    try:
        for entry in stale:
            entry.unlink()
        folder.mkdir(exist_ok=True)
        link.symlink_to(ROOT, target_is_directory=True)
    except OSError as problem:
        raise SetupError(f"{link} cannot be made a link to {ROOT}: {problem.strerror}. Make the folder writable.") from None
    print(f"Linked the pack into ComfyUI: {link}", flush=True)


def make_toy_models(models: Path, python: Path) -> None:
    """Build the toy models in a `models` folder of the host, with a Python that has torch."""
    built = [
        models / "checkpoints" / TOY_CHECKPOINT,
        models / "text_encoders" / TOY_CLIP,
        models / "clip_vision" / TOY_CLIP_VISION,
    ]
    make_models("toyworld", TOY_WEIGHTS, built, models, python)


def make_natural_model(models: Path, python: Path) -> None:
    make_models("naturalworld", NATURAL_WEIGHTS, [models / "checkpoints" / NATURAL_CHECKPOINT], models, python)


def make_models(world: str, weights: Path, built: list[Path], models: Path, python: Path) -> None:
    """What a world's `build` makes of its weights, unless it is there."""
    shared = ROOT / "tests" / "smallmodel"
    sources = sorted([*weights.glob("*.safetensors"), *weights.parent.glob("*.py"), *shared.glob("*.py")])
    stamp, content = built[0].with_suffix(".complete"), digest(*sources)
    if not (all(file.is_file() for file in built) and is_complete(stamp, content)):
        print(f"Building the models of the {world} from their weights …", flush=True)
        built[0].parent.mkdir(parents=True, exist_ok=True)
        run_module(python, f"{world}.build", str(models))
        stamp.write_text(content)


def run_module(python: Path, module: str, *arguments: str) -> None:
    """Run a module of this repository, which must not come before ComfyUI on the path (both have a `nodes`).

    Python 3.10 has no -P and puts the folder it is called from first.
    """
    path = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
    environment = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([str(python), "-m", module, *arguments], cwd=ROOT / "tests", env=environment)
    if done.returncode:
        raise SetupError(f"`{python} -m {module}` failed, see above. It needs the packages of ComfyUI's requirements.txt.")


def comfyui_python(comfyui: Path) -> Path:
    """The Python that runs a ComfyUI: ours for one of ours, else $COMFYUI_PYTHON, else the environment beside the installation.

    Raises:
        SetupError: there is none.
    """
    if comfyui.is_relative_to(HOST):
        return venv_python()
    chosen = os.environ.get("COMFYUI_PYTHON")
    beside = ["venv/bin/python", ".venv/bin/python", "venv/Scripts/python.exe", "../python_embeded/python.exe"]
    candidates = [Path(chosen).absolute()] if chosen else [comfyui / path for path in beside]
    for python in candidates:
        if python.is_file():
            return python
    if chosen:
        raise SetupError(f"COMFYUI_PYTHON={chosen} does not exist. Give the path of the Python that starts your ComfyUI.")
    raise SetupError(
        f"COMFYUI_PATH={comfyui} has no Python in venv/ or .venv/. Give the path of the one that starts it as COMFYUI_PYTHON=."
    )


def users_comfyui() -> Path | None:
    """$COMFYUI_PATH, once it is found to be a ComfyUI that can be started."""
    given = os.environ.get("COMFYUI_PATH")
    if not given:
        return None
    comfyui = Path(given).resolve()
    check_comfyui(comfyui)
    comfyui_python(comfyui)
    return comfyui


def prepare() -> Path:
    """Everything in place; returns the ComfyUI to run: $COMFYUI_PATH, else the chosen one of ours."""
    check_python()
    users = users_comfyui()
    chosen = chosen_host()
    check_checkpoint()
    make_venv()
    make_host()
    make_toy_models(MODELS, venv_python())
    make_natural_model(MODELS, venv_python())
    if not users:
        make_host(os.environ.get("COMFYUI_VERSION") or MAIN)
    if frontend := os.environ.get("COMFYUI_FRONTEND"):
        make_frontend(frontend)
    for comfyui in {host_folder(), chosen}:
        link_pack(comfyui)
    return chosen


def prepare_client() -> tuple[Path, Path]:
    """In place what the demo needs: all of `prepare`, or with $COMFYUI_PATH the client alone.

    Returns the ComfyUI to run, and the `models` folder with both worlds' models (which are there if no CHECKPOINT is given).
    """
    users = users_comfyui()
    if not users:
        return prepare(), MODELS
    check_clients_python()
    check_checkpoint()
    make_client()
    link_pack(users)
    if not os.environ.get("CHECKPOINT"):
        make_toy_models(USERS_MODELS, comfyui_python(users))
        make_natural_model(USERS_MODELS, comfyui_python(users))
    return users, USERS_MODELS


def main(arguments: list[str]) -> int:
    try:
        comfyui, _ = prepare_client() if "--client" in arguments else (prepare(), None)
    except SetupError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. Run the command again to go on.", file=sys.stderr)
        return 130
    print(f"Ready: {comfyui}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
