"""`make ui`: the real ComfyUI with the pack, and the address of a template that is ready to run."""

import os
import shutil
import sys

from .demo import demo_picture, subject
from .environment import PACK_FOLDER, ROOT, SetupError, comfyui_python, prepare
from .examples import EXAMPLE_PICTURE
from .server import ComfyServer


def run() -> None:
    what = subject()
    comfyui = prepare()
    port = int(os.environ["PORT"]) if os.environ.get("PORT") else None
    arguments = ("--cpu",) if what.is_toy or os.environ.get("CPU") else ()
    folders = [ROOT / ".host" / "ComfyUI" / "models" / "checkpoints"] if os.environ.get("COMFYUI_PATH") else []
    with ComfyServer(comfyui, comfyui_python(comfyui), port, arguments, folders) as server:
        path, _ = demo_picture(what, server.folder)
        shutil.copy(path, server.folder / "input" / EXAMPLE_PICTURE)
        for template in ("diffedit", "time_edit_model"):
            print(f"{server.url}/?template={template}&source={PACK_FOLDER}")
        print("Ctrl-C stops the server.", flush=True)
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
