"""`make templates`: write example_workflows/ from `tools.examples`, with the node schemas of the running host."""

import json
import sys

from .client import ComfyClient
from .environment import ROOT, comfyui_python, prepare
from .examples import EXAMPLES
from .server import ComfyServer

FOLDER = ROOT / "example_workflows"


def render(object_info: dict) -> dict[str, str]:
    """File name to text of every template."""
    return {f"{name}.json": json.dumps(example.ui(object_info), indent=2) + "\n" for name, example in EXAMPLES.items()}


def main() -> int:
    comfyui = prepare()
    with ComfyServer(comfyui, comfyui_python(comfyui)) as server:
        files = render(ComfyClient(server.url).object_info())
    FOLDER.mkdir(exist_ok=True)
    for name, text in files.items():
        (FOLDER / name).write_text(text)
        print(f"wrote {FOLDER.name}/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
