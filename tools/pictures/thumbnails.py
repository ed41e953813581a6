"""`make thumbnails`: a small picture beside each template, for the host's template browser, which shows it as a square.

From a run on the natural world, or on the toy world where only that has all models.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ..comfyui.client import ComfyClient, saved
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
    result = client.run(api, example.thumbnail[1])

    def picture(title: str) -> np.ndarray:
        if any(node["class_type"] == "LoadImage" and node["_meta"]["title"] == title for node in api.values()):
            return np.asarray(Image.open(given).convert("RGB"), np.float32) / 255
        return saved(client, api, result, title)[0]

    return square(*map(picture, example.thumbnail))


def main() -> int:
    comfyui = prepare()
    with ComfyServer(comfyui, comfyui_python(comfyui)) as server, tempfile.TemporaryDirectory() as folder:
        toy_rose = Path(folder) / EXAMPLE_PICTURE
        draw_toy_rose(toy_rose)
        client = ComfyClient(server.url)
        for name, example in EXAMPLES.items():
            thumbnail(client, example, toy_rose).save(FOLDER / f"{name}.jpg", quality=QUALITY, optimize=True)
            print(f"wrote {FOLDER.name}/{name}.jpg", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
