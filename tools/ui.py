"""`make ui`: the real ComfyUI with the pack, opened on a template that is ready to run."""

import json
import os
import shutil
import sys
import webbrowser
from pathlib import Path

from .comfyui.client import ComfyClient
from .comfyui.environment import SetupError, comfyui_python, prepare_client
from .comfyui.server import ComfyServer
from .pictures.subject import Subject, demo_picture, diffedit_graph, port, subject, time_graph
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


def write_own_templates(folder: Path, object_info: dict, what: Subject) -> None:
    """The two that are opened, for the user's own checkpoint."""
    for name, graph in {"diffedit": diffedit_graph(what), "time_edit_model": time_graph(what, what.source)}.items():
        (folder / f"{name}.json").write_text(json.dumps(graph.ui(object_info, EXAMPLES[name].note)))


def has_desktop() -> bool:
    """Whether a browser would have a window; on a terminal alone a text browser would start."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def run() -> None:
    what = subject()
    comfyui, toy_models = prepare_client()
    arguments = ("--cpu",) if what.is_toy or os.environ.get("CPU") else ()
    folder = toy_models / "checkpoints" if what.is_toy else Path(os.environ["CHECKPOINT"]).absolute().parent
    server = ComfyServer(comfyui, comfyui_python(comfyui), port(), arguments, [folder])
    templates = toy_template_folder(server.node_folder)
    with server:
        path, _ = demo_picture(what, server.folder)
        shutil.copy(path, server.folder / "input" / EXAMPLE_PICTURE)
        info = ComfyClient(server.url).object_info()
        if what.is_toy:
            write_toy_templates(templates, info)
        else:
            write_own_templates(templates, info, what)
        addresses = [f"{server.url}/?template={name}&source={TOY_TEMPLATES}" for name in ("diffedit", "time_edit_model")]
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
