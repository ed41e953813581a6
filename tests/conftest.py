"""Every test runs against the real ComfyUI on the CPU; the pack is importable as `time_diffedit`.

What takes long to start is started once for all tests that want it: the server, and in tests/browser the browser.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.append(str(Path(__file__).resolve().parents[1]))
os.environ["OMP_NUM_THREADS"] = "1"  # here and in what tests start: sums of another number of threads round otherwise

from tools.comfyui.client import ComfyClient  # noqa: E402
from tools.comfyui.environment import HOST, link_pack  # noqa: E402
from tools.comfyui.library import comfyui_path, load_pack  # noqa: E402
from tools.comfyui.server import ComfyServer  # noqa: E402
from tools.ui import toy_template_folder, write_toy_templates  # noqa: E402
from tools.workflows.examples import EXAMPLE_PICTURE  # noqa: E402
from tools.workflows.examples.shared import HOSTS_PICTURE  # noqa: E402

load_pack()


def toy_server() -> ComfyServer:
    """A server with the pack and the toy models, not yet started."""
    link_pack(comfyui_path())
    return ComfyServer(comfyui_path(), Path(sys.executable), checkpoint_folders=[HOST / "ComfyUI" / "models" / "checkpoints"])


@pytest.fixture(scope="session")
def example_picture(tmp_path_factory) -> Path:
    """A red rose, drawn, under the name that the examples load."""
    from toyworld.world import Scene, draw

    path = tmp_path_factory.mktemp("picture") / EXAMPLE_PICTURE
    picture = draw(np.random.RandomState(3), Scene("rose", "red"))
    Image.fromarray((picture.pixels * 255).round().astype(np.uint8)).save(path)
    return path


def files_of_a_user(folder: Path) -> None:
    """What the page asks for; it logs an error for each that a new user does not have."""
    for name in ("workflows", "subgraphs"):
        (folder / name).mkdir(parents=True)
    (folder / "comfy.templates.json").write_text("{}")


@pytest.fixture(scope="session")
def server(example_picture) -> Iterator[ComfyServer]:
    """The one that tests share; it remembers what it has sampled, so that a workflow is sampled once."""
    server = toy_server()
    files_of_a_user(server.folder / "user" / "default")
    templates = toy_template_folder(server.node_folder)
    with server:
        client = ComfyClient(server.url)
        write_toy_templates(templates, client.object_info())
        client.upload_image(example_picture)
        client.upload_image(comfyui_path() / "input" / HOSTS_PICTURE)
        yield server


@pytest.fixture(scope="session")
def client(server) -> ComfyClient:
    return ComfyClient(server.url)


@pytest.fixture
def restarted(example_picture) -> Iterator[ComfyClient]:
    """Another server, which has sampled nothing yet."""
    with toy_server() as server:
        client = ComfyClient(server.url)
        client.upload_image(example_picture)
        yield client
