"""The example workflows in the browser: as they are shipped, as large as one can read, and run on the toy world."""

import re

import pytest
from comfy_page import CLASSIC, LAID_OUT_FOR_IT, RENDERERS, ComfyPage
from short_runs import SHORT, shortened

from tools.comfyui.client import ComfyClient
from tools.comfyui.environment import PACK_FOLDER
from tools.pictures.thumbnails import SIDE
from tools.workflows.examples import EXAMPLES, STARTERS
from tools.workflows.ui_to_api import without_blocks

LISTED = [each for name, example in EXAMPLES.items() for each in example.names(name)]
SMALL_WINDOW = {"width": 1280, "height": 720}
LEAST_SCALE = {True: 0.6, False: 0.4}  # of a starter, of another
SHOWN = "([width, least]) => [...document.images].filter((image) => image.naturalWidth === width).length >= least"
UNKNOWN = "() => app.graph.nodes.filter((node) => !(node.type in LiteGraph.registered_node_types)).map((node) => node.type)"

OVERLAPPING = """() => {
  const title = 30
  const boxes = app.graph.nodes.map((node) => {
    const drawn = document.querySelector(`[data-node-id="${node.id}"]`)?.offsetHeight ?? 0
    const height = Math.max(node.size[1], node.computeSize()[1], drawn - title)
    return [node.title, node.pos[0], node.pos[1] - title, node.pos[0] + node.size[0], node.pos[1] + height]
  })
  const lies = ([, l, t, r, b], [, left, top, right, bottom]) => l < right && left < r && t < bottom && top < b
  return boxes.flatMap((a, i) => boxes.slice(0, i).filter((b) => lies(a, b)).map((b) => [a[0], b[0]]))
}"""


@pytest.mark.parametrize("tab", [CLASSIC], indirect=True)
def test_the_template_browser_lists_all_with_their_thumbnails(comfy):
    listed = comfy.page.evaluate("async () => (await fetch('/api/workflow_templates')).json()")
    assert sorted(listed[PACK_FOLDER]) == sorted(LISTED)
    assert sorted(LISTED, key=str.lower)[: 2 * len(STARTERS)] == sorted(LISTED[: 2 * len(STARTERS)])
    comfy.page.evaluate("() => app.extensionManager.command.execute('Comfy.BrowseTemplates')")
    comfy.page.get_by_text(PACK_FOLDER, exact=True).first.click()
    comfy.page.wait_for_function(SHOWN, arg=[SIDE, 8])  # those further down are fetched when they come into sight
    comfy.picture("template_browser")
    for name in LISTED:
        comfy.page.get_by_placeholder("Search ...").last.fill(name)
        comfy.page.get_by_text(name, exact=True).first.wait_for(state="attached")
    comfy.page.keyboard.press("Escape")


def test_a_link_opens_a_template(comfy: ComfyPage):
    comfy.open_template("time_edit_model", PACK_FOLDER)
    assert_same(comfy.api(), EXAMPLES["time_edit_model"].as_shipped().api())


def test_every_template_opens_in_a_size_that_one_can_read(comfy: ComfyPage):
    """In a small window, as the template browser opens it."""
    before = comfy.page.viewport_size
    comfy.page.set_viewport_size(SMALL_WINDOW)
    scales = {}
    for name in EXAMPLES:
        comfy.load_as_template(comfy.template(name, PACK_FOLDER))
        scales[name] = comfy.page.evaluate("() => app.canvas.ds.scale")
        comfy.picture(f"opened_{name}")
    comfy.page.set_viewport_size(before)
    assert {name: scale for name, scale in scales.items() if scale < LEAST_SCALE[name in STARTERS]} == {}


def test_starters_are_of_five_nodes_with_the_rest_in_blocks(comfy: ComfyPage):
    for name in STARTERS:
        comfy.load(comfy.template(name, PACK_FOLDER))
        count = "() => [app.graph.nodes.length, app.graph.nodes.filter((node) => node.isSubgraphNode()).length]"
        nodes, blocks = comfy.page.evaluate(count)
        assert nodes <= 5 and blocks == 1, name


@pytest.mark.parametrize("renderer", RENDERERS)
def test_starters_run_in_the_light_theme(new_tab, renderer):
    """In a small window, as a new user sees them; the dark ones are among the pictures of the tests around this."""
    comfy = new_tab(renderer, theme="light")
    comfy.page.set_viewport_size(SMALL_WINDOW)
    for name in STARTERS:
        comfy.load_as_template(comfy.template(name))
        comfy.limit(**SHORT)
        comfy.run()
        comfy.settle(1000)
        comfy.picture(f"light_{name}")
        behind = comfy.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        assert min(map(int, re.findall(r"\d+", behind)[:3])) > 200, behind


@pytest.mark.parametrize("name", EXAMPLES)
def test_template_opens_as_shipped(comfy: ComfyPage, server, name):
    """Every node is known, none lies on another, and the browser sends what the template's author meant."""
    comfy.load(comfy.template(name, PACK_FOLDER))
    graph = EXAMPLES[name].as_shipped()
    assert comfy.page.evaluate(UNKNOWN) == []
    if LAID_OUT_FOR_IT:
        assert comfy.page.evaluate(OVERLAPPING) == []  # with the room that nodes really take, their views included
    comfy.picture(f"template_{name}")
    assert_same(comfy.api(), graph.api())


@pytest.mark.parametrize("name", EXAMPLES)
def test_template_runs_on_the_toy_world(comfy: ComfyPage, server, name):
    if needed := EXAMPLES[name].needs:
        ComfyClient(server.url).run(shortened(EXAMPLES[needed].for_toy_world().api()), needed, quiet=True)
    comfy.load(comfy.template(name))
    assert_same(comfy.api(), EXAMPLES[name].for_toy_world().api())
    comfy.limit(**SHORT)  # tests/e2e looks at what comes out of all of them
    comfy.run()
    comfy.page.evaluate("() => app.extensionManager.command.execute('Comfy.Canvas.FitView')")
    comfy.settle(1000)
    comfy.picture(f"ran_{name}")


def assert_same(sent: dict, written: dict) -> None:
    """What the browser sends is what the code wrote, and the defaults of what it left out."""
    sent = without_blocks(sent)
    assert {node_id: node["class_type"] for node_id, node in sent.items()} == {
        i: node["class_type"] for i, node in written.items()
    }
    for node_id, node in written.items():
        values = {name: sent[node_id]["inputs"].get(name) for name in node["inputs"]}
        assert values == node["inputs"], node["_meta"]["title"]
