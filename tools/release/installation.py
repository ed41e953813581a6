"""A fresh base folder for the real server, with the pack installed in one of the ways people install it."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from ..comfyui.client import ComfyClient
from ..comfyui.environment import PACK_FOLDER
from ..comfyui.library import comfyui_path
from ..comfyui.server import ComfyServer
from .archive import project, write_archive

REGISTRY_FOLDER = project()["project"]["name"]


def by_registry(custom_nodes: Path, repository: Path) -> Path:
    """As the Manager does it: the registry's archive unpacked under the project's name."""
    target = custom_nodes / REGISTRY_FOLDER
    write_archive(repository.with_suffix(".zip"), repository)
    with zipfile.ZipFile(repository.with_suffix(".zip")) as archive:
        archive.extractall(target)
    return target


def by_git(custom_nodes: Path, repository: Path) -> Path:
    target = custom_nodes / PACK_FOLDER
    subprocess.run(["git", "clone", "-q", str(repository), str(target)], check=True)
    return target


def not_at_all(custom_nodes: Path, repository: Path) -> Path:
    return custom_nodes / "nothing"


def copy_host(target: Path) -> Path:
    """A copy of ComfyUI without models, files of people and custom nodes."""
    (target / "custom_nodes").mkdir(parents=True)
    for entry in comfyui_path().iterdir():
        if entry.name not in ("models", "custom_nodes", "temp", "output", "input", "user"):
            copy = shutil.copytree if entry.is_dir() else shutil.copyfile
            copy(entry, target / entry.name)
    return target


def files_below(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, but for what Python and git keep there themselves."""
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if "__pycache__" not in name and ".git/" not in name}


class Installation:
    """The server on a base folder of its own, started when this is made; `stop` it. `log` holds the lines of the start."""

    def __init__(self, install, repository: Path, base: Path, comfyui: Path | None = None):
        self.base = base
        for name in ("custom_nodes", "models"):
            (base / name).mkdir(parents=True)
        self.pack = install(base / "custom_nodes", repository)
        self.files_before = files_below(self.pack)
        arguments = ("--cpu", "--base-directory", str(base))
        self.server = ComfyServer(comfyui or comfyui_path(), Path(sys.executable), arguments=arguments)
        self.server.start()
        self.client = ComfyClient(self.server.url)
        self.log = self.server.log.read_text().splitlines()

    def stop(self) -> None:
        self.server.close()

    def get(self, path: str):
        return self.client.get_json(path)

    def bytes(self, path: str) -> bytes:
        return self.client.request(path)

    def nodes(self) -> dict[str, dict]:
        module = f"custom_nodes.{self.pack.name}"
        return {name: node for name, node in self.get("/object_info").items() if node["python_module"] == module}

    def log_without_particulars(self) -> set[str]:
        """The log's lines without colours, numbers and this installation's folders, to be compared with another's."""
        text = re.sub(r"\x1b\[\d*m", "", "\n".join(self.log))
        for folder in (self.base, self.server.folder):
            text = text.replace(str(folder), "FOLDER")
        return {line.removeprefix("[INFO]").strip() for line in re.sub(r"\d+", "0", text).splitlines()}
