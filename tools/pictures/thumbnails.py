"""`make thumbnails`: a small picture beside each template, for the host's template browser, which shows it as a square.

From a run on the natural world, or on the toy world where only that has all models. $ONLY names some of the examples.
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ..comfyui.client import ComfyClient, node_titled, saved
from ..comfyui.environment import comfyui_python, prepare
from ..comfyui.server import ComfyServer
from ..ui import draw_toy_rose
from ..workflows.examples import EXAMPLE_PICTURE, EXAMPLES, Example
from ..workflows.templates import FOLDER
from .given import PICTURE

SIDE = 400  # of a thumbnail
PART = 224  # of each of its two pictures, which overlap in the middle
FRAME = 4
QUALITY = 88


def square(before: np.ndarray, after: np.ndarray) -> Image.Image:
    """The one behind at the upper left, the other in front at the lower right, framed."""
    sheet = Image.new("RGB", (SIDE, SIDE), "white")
    for pixels, place in ((before, 0), (after, SIDE - PART)):
        picture = Image.fromarray((pixels * 255).round().astype(np.uint8))
        picture = ImageOps.pad(picture, (PART, PART), Image.Resampling.LANCZOS, color="white")
        sheet.paste("white", (place - FRAME, place - FRAME, place + PART + FRAME, place + PART + FRAME))
        sheet.paste(picture, (place, place))
    return sheet


def thumbnail(client: ComfyClient, example: Example, toy_rose: Path) -> Image.Image:
    """Before and after."""
    natural = example.natural is not None
    given = PICTURE if natural else toy_rose
    client.upload_image(given, EXAMPLE_PICTURE)
    api = (example.for_natural_world() if natural else example.for_toy_world()).api()
    for node in api.values():  # of a batch only the first is shown
        if node["class_type"] == "EmptyLatentImage":
            node["inputs"]["batch_size"] = 1
    result = client.run(api, example.thumbnail[-1])

    def picture(title: str) -> np.ndarray:
        if any(node["class_type"] == "LoadImage" and node["_meta"]["title"] == title for node in api.values()):
            return np.asarray(Image.open(given).convert("RGB"), np.float32) / 255
        return saved(client, api, result, title)[0]

    if len(example.thumbnail) == 1:
        (compared,) = (result.outputs[node_titled(api, title)] for title in example.thumbnail)
        return square(*(client.picture(compared[which][0]) for which in ("a_images", "b_images")))
    return square(*map(picture, example.thumbnail))


def chosen(names: str) -> dict[str, Example]:
    """The examples of these names; without any, all."""
    return {name: EXAMPLES[name] for name in names.split() or EXAMPLES}


def main() -> int:
    comfyui = prepare()
    with ComfyServer(comfyui, comfyui_python(comfyui)) as server, tempfile.TemporaryDirectory() as folder:
        toy_rose = Path(folder) / EXAMPLE_PICTURE
        draw_toy_rose(toy_rose)
        client = ComfyClient(server.url)
        for name, example in chosen(os.environ.get("ONLY", "")).items():
            drawn = thumbnail(client, example, toy_rose)
            for each in example.names(name):
                drawn.save(FOLDER / f"{each}.jpg", quality=QUALITY, optimize=True)
                print(f"wrote {FOLDER.name}/{each}.jpg", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
