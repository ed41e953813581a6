"""`make ui`: the real ComfyUI with the pack, opened on a template that is ready to run."""

import json
import os
import shutil
import sys
import webbrowser
from pathlib import Path

from .comfyui.client import ComfyClient
from .comfyui.environment import ROOT, SetupError, comfyui_python, prepare
from .comfyui.server import ComfyServer
from .pictures.subject import demo_picture, subject
from .workflows.examples import EXAMPLE_PICTURE, EXAMPLES

TOY_TEMPLATES = "toy-world"


def toy_template_folder(nodes: Path) -> Path:
    """A pack without nodes below `nodes`, for the templates as they run on the toy world: the shipped ones name checkpoints
    that people have, and the browser opens templates of packs only."""
    pack = nodes / TOY_TEMPLATES
    templates = pack / "example_workflows"
    templates.mkdir(parents=True)
    (pack / "__init__.py").write_text("NODE_CLASS_MAPPINGS = {}\n")
    return templates


def write_toy_templates(folder: Path, object_info: dict) -> None:
    for name, example in EXAMPLES.items():
        (folder / f"{name}.json").write_text(json.dumps(example.for_toy_world().ui(object_info, example.note)))


def has_desktop() -> bool:
    """Whether a browser would have a window; on a terminal alone a text browser would start."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def run() -> None:
    what = subject()
    comfyui = prepare()
    port = int(os.environ["PORT"]) if os.environ.get("PORT") else None
    arguments = ("--cpu",) if what.is_toy or os.environ.get("CPU") else ()
    folders = [ROOT / ".host" / "ComfyUI" / "models" / "checkpoints"] if os.environ.get("COMFYUI_PATH") else []
    server = ComfyServer(comfyui, comfyui_python(comfyui), port, arguments, folders)
    templates = toy_template_folder(server.node_folder)
    with server:
        path, _ = demo_picture(what, server.folder)
        shutil.copy(path, server.folder / "input" / EXAMPLE_PICTURE)
        write_toy_templates(templates, ComfyClient(server.url).object_info())
        addresses = [f"{server.url}/?template={name}&source={TOY_TEMPLATES}" for name in ("diffedit", "time_edit_model")]
        print("\n".join(addresses))
        print("Ctrl-C stops the server.", flush=True)
        if has_desktop():
            webbrowser.open(addresses[0])
        server.process.wait()


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
