"""The real server and a real browser, for what people see."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright
from toyworld.world import Scene, draw

from tools.comfyui.chromium import find_chromium
from tools.comfyui.client import ComfyClient
from tools.comfyui.environment import HOST, link_pack
from tools.comfyui.library import comfyui_path
from tools.comfyui.server import ComfyServer
from tools.ui import toy_template_folder, write_toy_templates
from tools.workflows.examples import EXAMPLE_PICTURE
from tools.workflows.examples.shared import HOSTS_PICTURE

sys.path.append(str(Path(__file__).parent))

from comfy_page import RENDERERS, ComfyPage  # noqa: E402


def files_of_a_user(folder: Path) -> None:
    """What the page asks for; it logs an error for each that a new user does not have."""
    for name in ("workflows", "subgraphs"):
        (folder / name).mkdir(parents=True)
    (folder / "comfy.templates.json").write_text("{}")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    link_pack(comfyui_path())
    server = ComfyServer(comfyui_path(), Path(sys.executable), checkpoint_folders=[HOST / "ComfyUI" / "models" / "checkpoints"])
    files_of_a_user(server.folder / "user" / "default")
    templates = toy_template_folder(server.node_folder)
    server.start()
    write_toy_templates(templates, ComfyClient(server.url).object_info())
    path = tmp_path_factory.mktemp("picture") / EXAMPLE_PICTURE
    picture = draw(np.random.RandomState(3), Scene("rose", "red"))
    Image.fromarray((picture.pixels * 255).round().astype(np.uint8)).save(path)
    ComfyClient(server.url).upload_image(path)
    ComfyClient(server.url).upload_image(comfyui_path() / "input" / HOSTS_PICTURE)
    yield server
    server.close()


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(params=RENDERERS)
def renderer(request) -> str:
    """Both of the frontend's: the classic canvas and Nodes 2.0."""
    return request.param


@pytest.fixture
def new_tab(browser, server):
    """Opens tabs, `new_tab(renderer, locale=..., theme=...)`, and demands in the end that no console had an error."""
    tabs: list[ComfyPage] = []

    def open_tab(renderer: str, **choices) -> ComfyPage:
        tabs.append(ComfyPage(browser, server.url, renderer, **choices))
        return tabs[-1]

    yield open_tab
    errors = [error for tab in tabs for error in tab.errors]
    for tab in tabs:
        tab.close()
    assert not errors, "\n".join(errors)


@pytest.fixture(scope="module", params=RENDERERS)
def tab(request, browser, server):
    """One tab of each renderer for a file of tests: opening one takes longer than most of them do."""
    tab = ComfyPage(browser, server.url, request.param)
    yield tab
    tab.close()


@pytest.fixture
def comfy(tab) -> ComfyPage:
    """That tab, for tests that leave nothing in it but a graph."""
    tab.errors.clear()
    yield tab
    assert not tab.errors, "\n".join(tab.errors)
