"""`make golden`: record what the version in preparation promises to people's files, in tests/golden/<version>/.

`schemas.json` is what workflow files rely on in the nodes' schemas; `workflows/` holds the templates, for the toy world's
model, as the browser saves them (`.ui.json`) and as the server runs them (`.api.json`). A version with a heading in
CHANGELOG.md is released, and its record stays as it is.
"""

import json
import sys
import tempfile
from pathlib import Path

from ..comfyui.client import ComfyClient
from ..comfyui.environment import PACK_FOLDER, ROOT, SetupError, comfyui_python, prepare
from ..comfyui.server import ComfyServer
from ..workflows.examples import EXAMPLES
from .archive import project
from .schemas import describe

GOLDEN = ROOT / "tests" / "golden"


def is_released(version: str) -> bool:
    return f"\n## {version}\n" in (ROOT / "CHANGELOG.md").read_text()


def schemas_of(object_info: dict) -> dict[str, dict]:
    ours = {name: info for name, info in object_info.items() if info["python_module"].endswith(PACK_FOLDER)}
    return {name: describe(info) for name, info in sorted(ours.items())}


def object_info(comfyui: Path, base: Path) -> dict:
    """What the real server says on an empty base folder, where no choice is a file of this machine."""
    (base / "custom_nodes").mkdir(parents=True)
    (base / "models").mkdir()
    (base / "custom_nodes" / PACK_FOLDER).symlink_to(ROOT, target_is_directory=True)
    with ComfyServer(comfyui, comfyui_python(comfyui), arguments=("--cpu", "--base-directory", str(base))) as server:
        return ComfyClient(server.url).object_info()


def write(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def record(info: dict, version: str) -> Path:
    target = GOLDEN / version
    workflows = target / "workflows"
    workflows.mkdir(parents=True, exist_ok=True)
    for old in workflows.glob("*.json"):
        old.unlink()
    write(target / "schemas.json", schemas_of(info))
    for name, example in EXAMPLES.items():
        graph = example.for_toy_world()
        write(workflows / f"{name}.ui.json", example.ui(info, graph))
        write(workflows / f"{name}.api.json", graph.api())
    return target


def main() -> int:
    version = project()["project"]["version"]
    try:
        if is_released(version):
            raise SetupError(f"{version} is released, its record stays as it is. Raise the version in pyproject.toml.")
        comfyui = prepare()
        with tempfile.TemporaryDirectory() as scratch:
            target = record(object_info(comfyui, Path(scratch) / "base"), version)
    except SetupError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    print(f"recorded {target.relative_to(ROOT)}: {len(EXAMPLES)} workflows in both formats")
    return 0


if __name__ == "__main__":
    sys.exit(main())
