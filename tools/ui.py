"""`make ui`: the real ComfyUI with the pack, opened on a template that is ready to run.

Without a checkpoint of the user's it is the toy world, which has the models for every template.
"""

import json
import os
import shutil
import sys
import webbrowser
from pathlib import Path

import numpy as np
from PIL import Image

from .comfyui.client import ComfyClient
from .comfyui.environment import SetupError, comfyui_python, prepare_client
from .comfyui.server import ComfyServer
from .pictures.subject import Subject, assumption_graph, demo_picture, edit_graph, port, subject
from .workflows.examples import EXAMPLE_PICTURE, EXAMPLES, HOSTS_PICTURE

TOY_TEMPLATES = "toy-world"
OPENED = tuple(EXAMPLES)[:2]


def toy_template_folder(nodes: Path) -> Path:
    """A pack without nodes below `nodes`, for the templates as they run on the toy world: the shipped ones name checkpoints
    that people have, and the browser opens templates of packs only."""
    pack = nodes / TOY_TEMPLATES
    templates = pack / "example_workflows"
    templates.mkdir(parents=True)
    (pack / "__init__.py").write_text("NODE_CLASS_MAPPINGS = {}\n")
    return templates


def draw_toy_rose(path: Path) -> None:
    """The picture that templates load, as they run on the toy world."""
    from toyworld.world import Scene, draw

    picture = draw(np.random.RandomState(3), Scene("rose", "red"))
    Image.fromarray((picture.pixels * 255).round().astype(np.uint8)).save(path)


def write_toy_templates(folder: Path, object_info: dict) -> None:
    for name, example in EXAMPLES.items():
        for each, made in example.files(name, object_info, example.for_toy_world()).items():
            (folder / f"{each}.json").write_text(json.dumps(made))


def write_own_templates(folder: Path, object_info: dict, what: Subject) -> None:
    """The two that are opened, for the user's own checkpoint."""
    for name, graph in zip(OPENED, (edit_graph(what), assumption_graph(what)), strict=True):
        for each, made in EXAMPLES[name].files(name, object_info, graph).items():
            (folder / f"{each}.json").write_text(json.dumps(made))


def has_desktop() -> bool:
    """Whether a browser would have a window; on a terminal alone a text browser would start."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def run() -> None:
    what = subject()
    checkpoint = os.environ.get("CHECKPOINT")
    comfyui, models = prepare_client()
    arguments = () if checkpoint and not os.environ.get("CPU") else ("--cpu",)
    folder = Path(checkpoint).absolute().parent if checkpoint else models / "checkpoints"
    server = ComfyServer(comfyui, comfyui_python(comfyui), port(), arguments, [folder])
    templates = toy_template_folder(server.node_folder)
    with server:
        info, picture = ComfyClient(server.url).object_info(), server.folder / "input" / EXAMPLE_PICTURE
        if checkpoint or os.environ.get("IMAGE"):
            shutil.copy(demo_picture(what, server.folder)[0], picture)
        else:
            draw_toy_rose(picture)
        if checkpoint:
            write_own_templates(templates, info, what)
        else:
            write_toy_templates(templates, info)
        shutil.copy(comfyui / "input" / HOSTS_PICTURE, picture.parent)
        addresses = [f"{server.url}/?template={name}&source={TOY_TEMPLATES}" for name in OPENED]
        print("\n".join(addresses))
        print("Ctrl-C stops the server.", flush=True)
        if has_desktop():
            webbrowser.open(addresses[0])
        server.wait()


def main() -> int:
    try:
        run()
    except SetupError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
