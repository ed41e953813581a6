"""What decides a run's results, written down before the first picture and compared when the run goes on."""

import hashlib
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


def fingerprint(file: Path) -> dict:
    """Name, size and SHA-256 of a model file; its folder may be another one on another machine."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"name": file.name, "bytes": file.stat().st_size, "sha256": digest}


def agree(store: Store, manifest: dict) -> None:
    """Write the manifest of a new run; for one that goes on, raise ManifestError unless it is the same."""
    found = store.read(NAME)
    if found is None:
        store.write(NAME, canonical(manifest))
        return
    before, now = json.loads(found), json.loads(canonical(manifest))
    if before != now:
        lines = "\n".join(f"  {where}: {was!r} there, {new!r} now" for where, was, new in differences(before, now))
        raise ManifestError(
            f"{store.url} holds a run with other settings:\n{lines}\n"
            "Use the same settings to go on with it, or another --output."
        )


def differences(before, now, where: str = "") -> list[tuple[str, object, object]]:
    """(where, was, is) of every leaf that differs."""
    if isinstance(before, dict) and isinstance(now, dict):
        found = []
        for key in sorted(before.keys() | now.keys()):
            found += differences(before.get(key), now.get(key), f"{where}.{key}".lstrip("."))
        return found
    return [] if before == now else [(where, _short(before), _short(now))]


def _short(value):
    text = json.dumps(value)
    return value if len(text) < 80 else f"{text[:77]}..."
