"""Every node in the page, whichever frontend that is: what newer ones ask of widgets, and that the views go on working."""

import os

import pytest
from comfy_page import ComfyPage
from playwright.sync_api import expect

from tools.comfyui.client import ComfyClient
from tools.comfyui.environment import PACK_FOLDER
from tools.comfyui.hosts import frontend_of
from tools.comfyui.library import comfyui_path
from tools.workflows.examples import EXAMPLES

CHOICE = "COMFY_DYNAMICCOMBO_V3"
# Every node of these classes alone on a graph, one after the other with each option of each of its choices.
NAMES_OF_WIDGETS = """async ([kinds]) => {
  const found = []
  for (const [kind, choices] of Object.entries(kinds)) {
    app.graph.clear()
    const node = LiteGraph.createNode(kind)
    app.graph.add(node)
    const look = () => found.push([kind, (node.widgets ?? []).map((widget) => widget.name)])
    look()
    for (const [name, options] of Object.entries(choices))
      for (const option of options) {
        const widget = node.widgets.find((widget) => widget.name === name)
        widget.value = option
        widget.callback?.(option, app.canvas, node)
        await new Promise((next) => setTimeout(next))
        look()
      }
  }
  app.graph.clear()
  return found
}"""


@pytest.fixture(scope="module")
def kinds(server) -> dict[str, dict[str, list[str]]]:
    """Our nodes' classes, each with its choices and their options."""

    def choices(node: dict) -> dict[str, list[str]]:
        inputs = node["input"].get("required", {}) | node["input"].get("optional", {})
        return {n: [o["key"] for o in spec[1]["options"]] for n, spec in inputs.items() if spec[0] == CHOICE}

    info = ComfyClient(server.url).object_info()
    return {name: choices(node) for name, node in info.items() if node["python_module"].endswith(PACK_FOLDER)}


def test_the_page_is_of_the_frontend_that_was_asked_for(comfy: ComfyPage):
    asked = os.environ.get("COMFYUI_FRONTEND") or frontend_of(comfyui_path())
    assert comfy.page.evaluate("() => window.__COMFYUI_FRONTEND_VERSION__") == asked


def test_widgets_of_a_node_have_different_names(comfy: ComfyPage, kinds):
    """The frontend's store keeps values by node and name; newer ones put "#1" after a name that is taken."""
    found = comfy.page.evaluate(NAMES_OF_WIDGETS, [kinds])
    assert {kind for kind, _ in found} == set(kinds) and len(kinds) >= 19
    assert len(found) == len(kinds) + sum(len(options) for choices in kinds.values() for options in choices.values())
    assert [(kind, names) for kind, names in found if len({name.partition("#")[0] for name in names}) < len(names)] == []
    assert sum(len(names) for _, names in found) > 100


def test_a_workflow_is_run_and_its_mask_is_shown(comfy: ComfyPage, server):
    example = EXAMPLES["diffedit"]
    comfy.load(example.for_toy_world().ui(ComfyClient(server.url).object_info()))
    comfy.limit(steps=4, maps=2)
    comfy.run()
    expect(comfy.view("DiffEditMask").get_by_role("img").first).to_be_visible()
    expect(comfy.view("DiffEditMask").get_by_role("slider").first).to_be_visible()
    comfy.picture("frontend")
