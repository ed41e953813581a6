"""Every test runs against the real ComfyUI on the CPU; the pack is importable as `time_diffedit`.

What takes long to start is started once for all tests that want it: the server, and in tests/browser the browser.
"""

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).resolve().parents[1]))
os.environ["OMP_NUM_THREADS"] = "1"  # here and in what tests start: sums of another number of threads round otherwise

from tools.comfyui.client import ComfyClient  # noqa: E402
from tools.comfyui.environment import HOST, link_pack  # noqa: E402
from tools.comfyui.library import comfyui_path, load_pack  # noqa: E402
from tools.comfyui.server import ComfyServer  # noqa: E402
from tools.ui import draw_toy_rose, toy_template_folder, write_toy_templates  # noqa: E402
from tools.workflows.examples import EXAMPLE_PICTURE  # noqa: E402
from tools.workflows.examples.shared import HOSTS_PICTURE  # noqa: E402

load_pack()

import comfy.utils  # noqa: E402
import folder_paths  # noqa: E402
from comfy import model_management  # noqa: E402

REMEMBERED = 20_000  # results of nodes, more than the tests have


def toy_server(*arguments: str) -> ComfyServer:
    """A server with the pack and the toy models, not yet started."""
    link_pack(comfyui_path())
    models = [HOST / "ComfyUI" / "models" / "checkpoints"]
    return ComfyServer(comfyui_path(), Path(sys.executable), arguments=("--cpu", *arguments), checkpoint_folders=models)


@pytest.fixture(scope="module", autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Models of a file's tests go with them: the host keeps those that it has loaded, and the allocator their memory."""
    yield
    model_management.unload_all_models()
    gc.collect()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # glibc's
        trim(0)


@pytest.fixture(scope="module")
def process_as_before() -> Iterator[None]:
    """For tests with a worker of benchmarks/ in this process, which sets what holds for all of it."""
    bars, gradients, threads = comfy.utils.PROGRESS_BAR_ENABLED, torch.is_grad_enabled(), torch.get_num_threads()
    temporary = folder_paths.get_temp_directory()
    yield
    comfy.utils.set_progress_bar_enabled(bars)
    torch.set_grad_enabled(gradients)
    torch.set_num_threads(threads)
    folder_paths.set_temp_directory(temporary)


@pytest.fixture(scope="session")
def example_picture(tmp_path_factory) -> Path:
    """A red rose, drawn, under the name that the examples load."""
    path = tmp_path_factory.mktemp("picture") / EXAMPLE_PICTURE
    draw_toy_rose(path)
    return path


def files_of_a_user(folder: Path) -> None:
    """What the page asks for; it logs an error for each that a new user does not have."""
    for name in ("workflows", "subgraphs"):
        (folder / name).mkdir(parents=True)
    (folder / "comfy.templates.json").write_text("{}")


@pytest.fixture(scope="session")
def server(example_picture) -> Iterator[ComfyServer]:
    """The one that tests share; it remembers all that it has sampled: a workflow is sampled once, for both renderers."""
    server = toy_server("--cache-lru", str(REMEMBERED))
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
