"""What decides a run's results, written down before the first picture and compared when the run goes on."""

import json
import platform
import re
from pathlib import Path

import tomllib
import torch

from tools.comfyui.environment import ROOT

from .store import Store, canonical

NAME = "manifest.json"


class ManifestError(Exception):
    """The output belongs to another run; its text says what differs."""


def versions(comfyui: Path) -> dict[str, str]:
    """Of all that can change a picture."""
    pack = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return {
        "pack": pack,
        "ComfyUI": re.search(r'__version__ = "([^"]+)"', (comfyui / "comfyui_version.py").read_text())[1],
        "torch": torch.__version__,
        "Python": platform.python_version(),
    }


def agree(store: Store, manifest: dict) -> None:
    """Write the manifest of a new run; for one that goes on, raise ManifestError unless it is the same."""
    found, content = store.read(NAME), canonical(manifest)
    if found is None:
        store.write(NAME, content)
    elif found != content:
        lines = "\n".join(_differences(json.loads(found), json.loads(content)))
        raise ManifestError(
            f"{store.url} holds a run with other settings:\n{lines}\n"
            "Use the same settings to go on with it, or another --output."
        )


def _differences(before, now, where: str = "") -> list[str]:
    """A line for every leaf that differs."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = sorted(before.keys() | now.keys())
        return [one for key in keys for one in _differences(before.get(key), now.get(key), f"{where}.{key}".lstrip("."))]
    was, new = (value if len(json.dumps(value)) < 80 else f"{json.dumps(value)[:77]}..." for value in (before, now))
    return [] if before == now else [f"  {where}: {was!r} there, {new!r} now"]
