"""`make templates`: write example_workflows/ and subgraphs/ from `examples`, by the node schemas of the running host."""

import json
import sys

from ..comfyui.client import ComfyClient
from ..comfyui.environment import ROOT, comfyui_python, prepare
from ..comfyui.server import ComfyServer
from . import blueprints
from .examples import EXAMPLES

FOLDER = ROOT / "example_workflows"


def render(object_info: dict) -> dict[str, str]:
    """File name to text of every template."""
    files = (each for name, example in EXAMPLES.items() for each in example.files(name, object_info).items())
    return {f"{name}.json": json.dumps(made, indent=2) + "\n" for name, made in files}


def main() -> int:
    comfyui = prepare()
    with ComfyServer(comfyui, comfyui_python(comfyui)) as server:
        object_info = ComfyClient(server.url).object_info()
    for folder, files in ((FOLDER, render(object_info)), (blueprints.FOLDER, blueprints.render(object_info))):
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text)
            print(f"wrote {folder.name}/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
