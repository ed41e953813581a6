"""`python -m tools.comfyui.manager`: ComfyUI-Manager, as a ComfyUI wants it for `--enable-manager`, in `.cache/manager`.

In an environment of its own, which sees `.venv` behind it: tools/lock/manager.txt holds only what `.venv` lacks, and whatever a
Manager installs or removes, it does not do so in `.venv`.
"""

import sys
from pathlib import Path

from .install import GIB, LOCK, ROOT, make_and_say, make_environment, put_behind, venv_python

FOLDER = ROOT / ".cache" / "manager"


def make_manager() -> Path:
    """The Python that runs a ComfyUI with the Manager."""
    announcement = "Installing ComfyUI-Manager into .cache/manager (about 0.1 GB) …"
    make_environment(FOLDER, LOCK / "manager.txt", GIB // 4, announcement)
    put_behind(FOLDER)
    return venv_python(FOLDER)


if __name__ == "__main__":
    sys.exit(make_and_say("ComfyUI-Manager", make_manager))
