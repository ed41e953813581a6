"""The real ComfyUI as a library on the CPU, with this pack loaded the way the host loads it."""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
PACK = "time_diffedit"


def comfyui_path() -> Path:
    """The ComfyUI to use: $COMFYUI_PATH, else the one that `make` unpacked into .host/ComfyUI."""
    return Path(os.environ.get("COMFYUI_PATH") or ROOT / ".host" / "ComfyUI").resolve()


def load_host() -> None:
    """Make `import comfy` work, on the CPU.

    ComfyUI goes first on `sys.path` and this repository last: both have a `nodes` and a `tests`, and the host's must win.
    """
    comfy_root = comfyui_path()
    if not (comfy_root / "comfyui_version.py").is_file():
        raise SystemExit(f"No ComfyUI at {comfy_root}. Run `make env`, or set COMFYUI_PATH to an installation.")
    own = [str(ROOT), str(ROOT / "tests")]
    sys.path[:] = [str(comfy_root)] + [p for p in sys.path if str(Path(p or ".").resolve()) not in own] + own
    import comfy.cli_args

    comfy.cli_args.args.cpu = True


def load_pack() -> ModuleType:
    """Load the pack from its folder under the name `time_diffedit`, as the host does under its path.

    Needed because the folder name is no Python identifier and the pack uses relative imports only.
    """
    load_host()
    if PACK not in sys.modules:
        spec = importlib.util.spec_from_file_location(PACK, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
        module = importlib.util.module_from_spec(spec)
        sys.modules[PACK] = module
        spec.loader.exec_module(module)
    return sys.modules[PACK]
