"""`make thumbnails`: a small picture beside each template, from a run on the toy world, for the host's template browser."""

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from ..comfyui.client import ComfyClient, saved
from ..comfyui.environment import comfyui_python, prepare
from ..comfyui.server import ComfyServer
from ..workflows.examples import EXAMPLE_PICTURE, EXAMPLES, Example
from ..workflows.templates import FOLDER
from .subject import demo_picture, subject

SIDE, GAP = 240, 8
QUALITY = 88


def thumbnail(client: ComfyClient, example: Example, given: np.ndarray) -> Image.Image:
    """Before and after, side by side."""
    api = example.for_toy_world().api()
    result = client.run(api, example.thumbnail[1])
    sheet = Image.new("RGB", (2 * SIDE + GAP, SIDE), "white")
    for place, title in enumerate(example.thumbnail):
        loads = any(node["class_type"] == "LoadImage" and node["_meta"]["title"] == title for node in api.values())
        pixels = given if loads else saved(client, api, result, title)[0]
        picture = Image.fromarray((pixels * 255).round().astype(np.uint8))
        sheet.paste(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (place * (SIDE + GAP), 0))
    return sheet


def main() -> int:
    comfyui = prepare()
    with ComfyServer(comfyui, comfyui_python(comfyui)) as server, tempfile.TemporaryDirectory() as folder:
        path, _ = demo_picture(subject({}), Path(folder))
        shutil.copy(path, server.folder / "input" / EXAMPLE_PICTURE)
        given = np.asarray(Image.open(path).convert("RGB"), np.float32) / 255
        client = ComfyClient(server.url)
        for name, example in EXAMPLES.items():
            thumbnail(client, example, given).save(FOLDER / f"{name}.jpg", quality=QUALITY, optimize=True)
            print(f"wrote {FOLDER.name}/{name}.jpg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
