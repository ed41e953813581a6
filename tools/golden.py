"""`make golden`: record what the version in preparation promises to people's files, in tests/golden/<version>/.

`schemas.json` is what workflow files rely on in the nodes' schemas; `workflows/` holds the templates as the browser saves them
(`.ui.json`) and as the server runs them (`.api.json`). A version with a heading in CHANGELOG.md is released, and its record is
kept as it is. COMMIT=<commit> records an earlier state from git.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from .archive import project
from .client import ComfyClient
from .environment import PACK_FOLDER, ROOT, SetupError, comfyui_python, prepare
from .schemas import describe
from .server import ComfyServer

GOLDEN = ROOT / "tests" / "golden"
PRINT_EXAMPLES = """
import json
from tools.examples import EXAMPLES
print(json.dumps({name: build().api() for name, build in EXAMPLES.items()}))
"""


def is_released(version: str) -> bool:
    return f"\n## {version}\n" in (ROOT / "CHANGELOG.md").read_text()


def schemas_of(object_info: dict) -> dict[str, dict]:
    ours = {name: info for name, info in object_info.items() if info["python_module"].endswith(PACK_FOLDER)}
    return {name: describe(info) for name, info in sorted(ours.items())}


def schemas(comfyui: Path, root: Path, base: Path) -> dict[str, dict]:
    """Asked of the real server on an empty base folder, so that no choice is a file of this machine."""
    (base / "custom_nodes").mkdir(parents=True)
    (base / "models").mkdir()
    (base / "custom_nodes" / PACK_FOLDER).symlink_to(root, target_is_directory=True)
    with ComfyServer(comfyui, comfyui_python(comfyui), arguments=("--cpu", "--base-directory", str(base))) as server:
        return schemas_of(ComfyClient(server.url).object_info())


def api_workflows(root: Path) -> dict[str, dict]:
    """The templates in API form, built by the code of that state of the repository."""
    path = os.pathsep.join([str(root / "tests"), str(root)])
    command = [sys.executable, "-P", "-c", PRINT_EXAMPLES]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path})
    return json.loads(done.stdout)


def ui_workflows(root: Path) -> dict[str, dict]:
    return {path.stem: json.loads(path.read_text()) for path in sorted((root / "example_workflows").glob("*.json"))}


def check_out(commit: str, folder: Path) -> Path:
    folder.mkdir()
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
    return folder


def write(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def record(comfyui: Path, root: Path, scratch: Path) -> Path:
    version = project(root)["project"]["version"]
    target = GOLDEN / version
    if target.exists() and is_released(version):
        raise SetupError(
            f"{version} is released: {target.relative_to(ROOT)} stays as it is. Raise the version in pyproject.toml."
        )
    (target / "workflows").mkdir(parents=True, exist_ok=True)
    write(target / "schemas.json", schemas(comfyui, root, scratch / "base"))
    for old in (target / "workflows").glob("*.json"):
        old.unlink()
    for form, workflows in (("ui", ui_workflows(root)), ("api", api_workflows(root))):
        for name, workflow in workflows.items():
            write(target / "workflows" / f"{name}.{form}.json", workflow)
    return target


def main() -> int:
    commit = os.environ.get("COMMIT")
    try:
        comfyui = prepare()
        with tempfile.TemporaryDirectory() as scratch:
            root = check_out(commit, Path(scratch) / PACK_FOLDER) if commit else ROOT
            target = record(comfyui, root, Path(scratch))
    except SetupError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    print(f"recorded {target.relative_to(ROOT)}: {len(list((target / 'workflows').glob('*.json')))} workflow files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
