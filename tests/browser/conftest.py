"""The real server and a real browser, for what people see."""

import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tools.comfyui.chromium import find_chromium

sys.path.append(str(Path(__file__).parent))

from comfy_page import NODES_2, PATIENCE, RENDERERS, ComfyPage  # noqa: E402

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture
def blank_page(browser):
    """A page without the server."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    yield page
    page.close()


@pytest.fixture(params=RENDERERS)
def renderer(request) -> str:
    """Both of the frontend's: the classic canvas and Nodes 2.0."""
    return request.param


@pytest.fixture
def new_tab(browser, server):
    """Opens tabs, `new_tab(renderer, locale=...)`, and demands in the end that no console had an error."""
    tabs: list[ComfyPage] = []

    def open_tab(renderer: str, **choices) -> ComfyPage:
        tabs.append(ComfyPage(browser, server.url, renderer, **choices))
        return tabs[-1]

    yield open_tab
    errors = [error for tab in tabs for error in tab.errors]
    for tab in tabs:
        tab.close()
    assert not errors, "\n".join(errors)


@pytest.fixture
def form(new_tab):
    """Opens a starter as its form, in a small window."""

    def open_form(name: str, **choices) -> ComfyPage:
        comfy = new_tab(NODES_2, **choices)
        comfy.page.set_viewport_size({"width": 1280, "height": 720})
        comfy.open_template(f"{name}.app")
        return comfy

    return open_form


@pytest.fixture(scope="session", params=RENDERERS)
def tab(request, browser, server):
    """One tab of each renderer for all tests: opening one takes a processor for seconds, longer than most of them do."""
    tab = ComfyPage(browser, server.url, request.param)
    yield tab
    tab.close()


@pytest.fixture
def comfy(tab) -> ComfyPage:
    """That tab, for tests that leave nothing in it but a graph."""
    tab.errors.clear()
    yield tab
    assert not tab.errors, "\n".join(tab.errors)
