"""The real ComfyUI as a library, with this pack loaded the way the host loads it."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from .hosts import chosen_host

ROOT = Path(__file__).resolve().parents[2]
PACK = "time_diffedit"


def comfyui_path() -> Path:
    """The ComfyUI to use: $COMFYUI_PATH, else the chosen one of those that `make` unpacked into .host."""
    return chosen_host()


def load_host(cpu: bool = True) -> None:
    """Make `import comfy` work, on the CPU or on the device that the host finds.

    ComfyUI goes first on `sys.path` and this repository last: both have a `nodes` and a `tests`, and the host's must win.
    """
    comfy_root = comfyui_path()
    if not (comfy_root / "comfyui_version.py").is_file():
        raise SystemExit(f"No ComfyUI at {comfy_root}. Run `make env`, or set COMFYUI_PATH to an installation.")
    own = [str(ROOT), str(ROOT / "tests")]
    sys.path[:] = [str(comfy_root)] + [p for p in sys.path if str(Path(p or ".").resolve()) not in own] + own
    import comfy.cli_args

    comfy.cli_args.args.cpu = cpu


def load_pack(cpu: bool = True) -> ModuleType:
    """Load the pack from its folder under the name `time_diffedit`, as the host does under its path.

    Needed because the folder name is no Python identifier and the pack uses relative imports only.
    """
    load_host(cpu)
    if PACK not in sys.modules:
        spec = importlib.util.spec_from_file_location(PACK, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
        if spec is None or spec.loader is None:
            raise ImportError(f"{ROOT} holds no package")
        module = importlib.util.module_from_spec(spec)
        sys.modules[PACK] = module
        spec.loader.exec_module(module)
    return sys.modules[PACK]


def load_nodes(cpu: bool = True) -> dict[str, type]:
    """The pack's node classes by node id."""
    return {node.GET_SCHEMA().node_id: node for node in load_pack(cpu).nodes.NODES}
