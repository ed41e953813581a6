"""Whether this ComfyUI is new enough. Imports nothing that an old one lacks, so that it can say so instead of failing."""

import importlib
import re

OLDEST_COMFYUI = (0, 21, 0)
NEEDED = {"comfy_api.latest": ("ComfyExtension", "io", "ui")}


def host_problem() -> str | None:
    """One line for the log if the host cannot run the pack, else None."""
    found = host_version()
    missing = missing_api()
    if missing is None and (not found or found >= OLDEST_COMFYUI):
        return None
    is_version = f"this is {_text(found)}" if found else "this one names no version"
    lacks = f", without {missing}" if missing else ""
    return (
        f"TIME & DiffEdit was not loaded: it needs ComfyUI {_text(OLDEST_COMFYUI)} or newer; {is_version}{lacks}. "
        'To update: "Update ComfyUI" in ComfyUI Manager, or git pull and pip install -r requirements.txt; then restart ComfyUI.'
    )


def host_version() -> tuple[int, ...]:
    """The host's version as numbers; empty if it names none."""
    try:
        version = importlib.import_module("comfyui_version").__version__
    except (ImportError, AttributeError):
        return ()
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    return tuple(map(int, numbers.groups())) if numbers else ()


def missing_api() -> str | None:
    """The first thing the pack needs of the host's node interface that is not there."""
    for module, names in NEEDED.items():
        try:
            interface = importlib.import_module(module)
        except ImportError as problem:
            return f"{module} ({problem})"
        for name in names:
            if not hasattr(interface, name):
                return f"{module}.{name}"
    return None


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
