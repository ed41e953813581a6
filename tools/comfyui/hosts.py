"""The ComfyUIs that the pack is tested on, and the frontend of each.

One that is pinned has a file in tools/lock/hosts/, called by its version: the source distribution that carries it under
vendor/ComfyUI. The main one lies in .host/ComfyUI with the models; any other in .host/<version>/ComfyUI, with a link to them.

Which frontend a ComfyUI wants is said in its requirements.txt. The main one's is a package of `.venv`; any other lies in
.host/frontends/<version>, pinned in tools/lock/frontends/, and is given to the server by `--front-end-root`: so one
environment serves all. Standard library only.

$COMFYUI_VERSION chooses one of the pinned (`make test HOST=`), $COMFYUI_PATH any other; $COMFYUI_FRONTEND another frontend.
"""

import os
import re
import shutil
import tarfile
import zipfile
from pathlib import Path

from compatibility import OLDEST_COMFYUI

from .install import GIB, LOCK, ROOT, SetupError, check_room, digest, is_complete, pip, remove

MAIN = "0.30.0"
HOST = ROOT / ".host"
MODELS = HOST / "ComfyUI" / "models"
FRONTENDS = HOST / "frontends"
FRONTEND_PACKAGE = "comfyui-frontend-package"
OLDEST = ".".join(map(str, OLDEST_COMFYUI))
ROOM_FOR_HOST = 2 * GIB  # with the models


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def pinned() -> list[str]:
    """Versions of ComfyUI that can be had by name, oldest first."""
    return sorted((file.stem for file in (LOCK / "hosts").glob("*.txt")), key=numbers)


def newest_frontend() -> str:
    """Of those that are pinned."""
    return max((file.stem for file in (LOCK / "frontends").glob("*.txt")), key=numbers)


def host_folder(version: str = MAIN) -> Path:
    """Where the ComfyUI of a version lies, or will lie."""
    if version not in pinned():
        raise SetupError(f"HOST={version}: there is no such ComfyUI. Those that can be had are {', '.join(pinned())}.")
    return (HOST if version == MAIN else HOST / version) / "ComfyUI"


def chosen_host() -> Path:
    """The ComfyUI of $COMFYUI_PATH, else of $COMFYUI_VERSION, else the main one."""
    users = os.environ.get("COMFYUI_PATH")
    return Path(users).resolve() if users else host_folder(os.environ.get("COMFYUI_VERSION") or MAIN)


def version_of(comfyui: Path) -> str:
    """Raises SetupError where there is no ComfyUI."""
    version_file = comfyui / "comfyui_version.py"
    if not version_file.is_file() or not (comfyui / "main.py").is_file():
        raise SetupError(f"COMFYUI_PATH={comfyui} is no ComfyUI: main.py or comfyui_version.py is missing there.")
    found = re.search(r'__version__\s*=\s*"(\d+\.\d+\.\d+)', version_file.read_text())
    if not found:
        raise SetupError(f"COMFYUI_PATH={comfyui}: comfyui_version.py names no version.")
    return found[1]


def check_comfyui(comfyui: Path) -> None:
    """Raise unless `comfyui` is a ComfyUI that is new enough."""
    version = version_of(comfyui)
    if numbers(version) < OLDEST_COMFYUI:
        raise SetupError(f"ComfyUI at {comfyui} is {version}, too old: {OLDEST} or newer is needed. Update it.")


def make_host(version: str = MAIN) -> Path:
    """The ComfyUI of a pinned version, unpacked unless it is there; another than the main one with its frontend."""
    target = host_folder(version)
    lock = LOCK / "hosts" / f"{version}.txt"
    stamp, content = target.parent / "complete", digest(lock)
    if not (is_complete(stamp, content) and (target / "main.py").is_file()):
        target.parent.mkdir(parents=True, exist_ok=True)
        check_room(target.parent, ROOM_FOR_HOST)
        print(f"Unpacking ComfyUI {version} into {target.parent.relative_to(ROOT)} …", flush=True)
        download, partial = target.parent / "download", target.parent / "partial"
        remove(download)
        remove(partial)
        # Without isolation pip reads the archive's metadata with the locked setuptools instead of fetching another one.
        source_only = ("--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--ignore-requires-python")
        pip("download", "--quiet", *source_only, "--require-hashes", "-r", str(lock), "-d", str(download))
        unpack_host(next(download.glob("*.tar.gz")), partial)
        if version == MAIN and MODELS.is_dir():
            shutil.copytree(MODELS, partial / "models", dirs_exist_ok=True)
        if version != MAIN:
            remove(partial / "models")
            (partial / "models").symlink_to(os.path.relpath(MODELS, target), target_is_directory=True)
        remove(target)
        partial.rename(target)
        remove(download)
        stamp.write_text(content)
    if version != MAIN:
        make_frontend(frontend_of(target))
    return target


def unpack_host(archive: Path, target: Path) -> None:
    """Unpack only `<root>/vendor/ComfyUI/` of the source distribution."""
    with tarfile.open(archive) as tar:
        for member in tar:
            _, _, inside = member.name.partition("/vendor/ComfyUI/")
            if inside:
                member.name = inside
                tar.extract(member, target, filter="data")


def frontend_of(comfyui: Path) -> str:
    """The version of the frontend in a ComfyUI's requirements.txt."""
    found = re.search(rf"^{FRONTEND_PACKAGE}==([\d.]+)", (comfyui / "requirements.txt").read_text(), re.MULTILINE)
    if not found:
        raise SetupError(f"{comfyui}/requirements.txt names no version of {FRONTEND_PACKAGE}.")
    return found[1]


def make_frontend(version: str) -> Path:
    """The files of a frontend, unpacked unless they are there. One that is not pinned is fetched by its version alone."""
    target, lock = FRONTENDS / version, LOCK / "frontends" / f"{version}.txt"
    stamp, content = target / "complete", digest(lock) if lock.is_file() else "not pinned"
    if is_complete(stamp, content):
        return target / "static"
    print(f"Unpacking the frontend {version} into {target.relative_to(ROOT)} …", flush=True)
    remove(target)
    wanted = ("--require-hashes", "-r", str(lock)) if lock.is_file() else (f"{FRONTEND_PACKAGE}=={version}",)
    pip("download", "--quiet", "--no-deps", "--only-binary", ":all:", *wanted, "-d", str(target))
    (wheel,) = target.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = FRONTEND_PACKAGE.replace("-", "_")
        for name in archive.namelist():
            if name.startswith(f"{inside}/static/"):
                archive.extract(name, target)
    (target / inside / "static").rename(target / "static")
    (target / inside).rmdir()
    wheel.unlink()
    stamp.write_text(content)
    return target / "static"


def frontend_root() -> Path | None:
    """What to give to the server as `--front-end-root`: None where it shall take the frontend of its environment.

    Raises:
        SetupError: the frontend is not there yet; `make env` unpacks it.
    """
    version = os.environ.get("COMFYUI_FRONTEND")
    if not version and (os.environ.get("COMFYUI_PATH") or chosen_host() == host_folder()):
        return None
    root = FRONTENDS / (version or frontend_of(chosen_host())) / "static"
    if not root.is_dir():
        raise SetupError(f"{root.relative_to(ROOT)} is missing. Run `make env` with the same HOST and FRONTEND.")
    return root
