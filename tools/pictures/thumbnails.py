"""`make thumbnails`: a small picture beside each template, for the host's template browser, which shows it as a square.

From a run on the natural world, or on the toy world where only that has all models. $ONLY names some of the examples.
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from naturalworld.edits import natural_edit
from PIL import Image, ImageOps

from ..comfyui.client import ComfyClient, node_titled, saved
from ..comfyui.environment import comfyui_python, prepare
from ..comfyui.server import ComfyServer
from ..ui import draw_toy_rose
from ..workflows.examples import EXAMPLE_PICTURE, EXAMPLES, NATURAL_CHECKPOINT, Example
from ..workflows.templates import FOLDER
from ..workflows.workflow import Graph
from .given import PICTURE

SIDE = 400  # of a thumbnail
PART = 224  # of each of its two pictures, which overlap in the middle
FRAME = 4
QUALITY = 88
OTHER_PICTURES = {
    "diffedit": 3,
    "diffedit_small_thing": 0,
    "diffedit_one_of_several": 18,
    "edit_without_inversion": 8,
}
"""Of `naturalworld.edits`, validation, with its prompts, where not the rose of all others is edited."""


def square(before: np.ndarray, after: np.ndarray) -> Image.Image:
    """The one behind at the upper left, the other in front at the lower right, framed."""
    sheet = Image.new("RGB", (SIDE, SIDE), "white")
    for pixels, place in ((before, 0), (after, SIDE - PART)):
        picture = Image.fromarray((pixels * 255).round().astype(np.uint8))
        picture = ImageOps.pad(picture, (PART, PART), Image.Resampling.LANCZOS, color="white")
        sheet.paste("white", (place - FRAME, place - FRAME, place + PART + FRAME, place + PART + FRAME))
        sheet.paste(picture, (place, place))
    return sheet


def on_a_world(name: str, example: Example, folder: Path) -> tuple[Graph, Path]:
    """The example on the natural world, or else on the toy world, and a file of the picture that it edits."""
    if name in OTHER_PICTURES:
        edit = natural_edit("validation", OTHER_PICTURES[name])
        other = folder / "other.png"
        Image.fromarray((edit.pixels * 255).round().astype(np.uint8)).save(other)
        prompts = {"source": edit.source, "target": edit.target}
        return example.build(NATURAL_CHECKPOINT, **(example.natural or {}) | prompts), other
    if example.natural is not None:
        return example.for_natural_world(), PICTURE
    draw_toy_rose(folder / EXAMPLE_PICTURE)
    return example.for_toy_world(), folder / EXAMPLE_PICTURE


def thumbnail(client: ComfyClient, name: str, example: Example, folder: Path) -> Image.Image:
    """Before and after."""
    graph, given = on_a_world(name, example, folder)
    client.upload_image(given, EXAMPLE_PICTURE)
    api = graph.api()
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
        client = ComfyClient(server.url)
        for name, example in chosen(os.environ.get("ONLY", "")).items():
            drawn = thumbnail(client, name, example, Path(folder))
            for each in example.names(name):
                drawn.save(FOLDER / f"{each}.jpg", quality=QUALITY, optimize=True)
                print(f"wrote {FOLDER.name}/{each}.jpg", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
