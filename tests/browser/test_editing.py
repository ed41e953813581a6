"""What people do with nodes on the graph: copy, undo, reload, put into a subgraph, open two tabs. And that nothing of
other packs is touched."""

import io

import numpy as np
import pytest
from comfy_page import CLASSIC, ComfyPage
from PIL import Image
from playwright.sync_api import Page

from tools.comfyui.client import ComfyClient
from tools.workflows.examples import TOY_CHECKPOINT
from tools.workflows.workflow import Choice, Graph, ui_workflow

MASK, EDIT = "DiffEditMask", "TIMEEditModel"
PACK_FILES = "**/extensions/ComfyUI-TIME-DiffEdit/js/*.js"
UNDO = "app.extensionManager.workflow.activeWorkflow.changeTracker.undoQueue.length"
GIVEN = "(id) => app.nodeOutputs[id]?.heatmap"
SEEN = "(id) => document.querySelector(`[data-time-diffedit='${id}'] .time-diffedit-mask`)?.shown"
COUNT_LISTENERS = """
window.counted = {}
for (const [name, target] of [['window', window], ['document', document]]) {
  const add = target.addEventListener.bind(target)
  target.addEventListener = (...given) => { window.counted[name] = (window.counted[name] ?? 0) + 1; return add(...given) }
}
"""
TRACES = """() => ({
  globals: Object.keys(window).sort(),
  listeners: window.counted,
  styles: document.styleSheets.length,
  body: document.body.children.length,
  hooks: ['onExecuted', 'onDrawBackground', 'onConfigure', 'onRemoved', 'onConnectionsChange'].filter(
    (name) => Object.hasOwn(app.graph.nodes[0], name)),
  widgets: app.graph.nodes[0].widgets.map((widget) => widget.name),
})"""


def small_mask() -> Graph:
    """A mask of a drawn rose, quick to run."""
    graph = Graph()
    loader = graph.add("CheckpointLoaderSimple", ckpt_name=TOY_CHECKPOINT)
    picture = graph.add("LoadImage", image="time_diffedit_example.png")
    latent = graph.add("VAEEncode", pixels=picture[0], vae=loader[2])
    texts = [graph.add("CLIPTextEncode", text=text, clip=loader[1]) for text in ("a blue rose", "a red rose")]
    mask = graph.add(
        MASK,
        model=loader[0],
        latent=latent[0],
        target=texts[0][0],
        source=texts[1][0],
        picture=picture[0],
        seed=1,
        maps=1,
        noise_strength=0.5,
        rule=Choice("mean ratio", {"threshold_ratio": 3.0, "threshold": 0.5}),
        compare=Choice("two prompts"),
    )
    graph.add("PreviewImage", images=graph.add("MaskToImage", mask=mask[0])[0])
    return graph


@pytest.fixture(scope="module")
def workflow(server) -> dict:
    return ui_workflow(small_mask().api(), ComfyClient(server.url).object_info())


def select(comfy: ComfyPage, kind: str) -> None:
    comfy.show(kind, 0.6)
    comfy.page.evaluate("(id) => app.canvas.selectNode(app.canvas.graph.getNodeById(id))", comfy.node_id(kind))
    comfy.page.locator("#graph-canvas").focus()


def press_and_wait_for_undo(comfy: ComfyPage, keys: str) -> None:
    """The page notes a change for undo a frame later, which on a busy machine may be after the next key."""
    noted = comfy.page.evaluate(f"() => {UNDO}")
    comfy.page.keyboard.press(keys)
    comfy.page.wait_for_function(f"(noted) => {UNDO} > noted", arg=noted)


def mask_of(comfy: ComfyPage, outputs: dict) -> np.ndarray:
    """What the only PreviewImage shows; the file's bytes hold the workflow, too."""
    (preview,) = {node_id for node_id, node in comfy.api().items() if node["class_type"] == "PreviewImage"}
    (image,) = outputs[preview]["images"]
    return np.asarray(Image.open(io.BytesIO(comfy.file(image))))


def count(comfy: ComfyPage, kind: str) -> int:
    return comfy.page.evaluate("(kind) => app.canvas.graph.nodes.filter((n) => n.type === kind).length", kind)


def test_a_copied_node_has_its_values_and_its_own_view_and_undo_takes_it_back(comfy: ComfyPage, workflow):
    comfy.load(workflow)
    comfy.set_value(MASK, "rule", "paper")
    comfy.set_value(MASK, "rule.threshold", 0.31)
    select(comfy, MASK)
    press_and_wait_for_undo(comfy, "Control+c")  # which notes the new values, too
    press_and_wait_for_undo(comfy, "Control+v")
    comfy.page.wait_for_function("(kind) => app.canvas.graph.nodes.filter((n) => n.type === kind).length === 2", arg=MASK)
    values = comfy.page.evaluate(
        """(kind) => app.canvas.graph.nodes.filter((n) => n.type === kind).map((n) =>
          ['rule.threshold', 'rule', 'fill_holes'].map((name) => n.widgets.find((w) => w.name === name).value))""",
        MASK,
    )
    assert values == [[0.31, "paper", False]] * 2
    views = comfy.page.evaluate(
        "(kind) => new Set(app.canvas.graph.nodes.filter((n) => n.type === kind).map((n) => n.widgets.at(-1).element)).size",
        MASK,
    )
    assert views == 2
    comfy.settle()
    comfy.page.locator("#graph-canvas").focus()
    comfy.page.keyboard.press("Control+z")
    comfy.page.wait_for_function("(kind) => app.canvas.graph.nodes.filter((n) => n.type === kind).length === 1", arg=MASK)
    assert comfy.value(MASK, "rule.threshold") == 0.31


def test_a_reload_finds_every_value_again(comfy: ComfyPage):
    comfy.open_template("time_edit_model")
    comfy.set_value(EDIT, "source", "a rose")
    comfy.set_value(EDIT, "destination", "a blue rose")
    comfy.set_value(EDIT, "lamb", 0.75)
    comfy.set_value(EDIT, "tokens", "last word")
    comfy.page.mouse.click(5, 500)  # the frontend keeps the graph when it notices a change
    before = comfy.api()
    comfy.settle(1500)
    comfy.open()
    comfy.page.wait_for_function("() => app.graph.nodes.length > 1")
    assert comfy.api() == before
    assert comfy.value(EDIT, "lamb") == 0.75 and comfy.value(EDIT, "tokens") == "last word"


def test_a_node_works_inside_a_subgraph(comfy: ComfyPage, workflow):
    comfy.load(workflow)
    outside = comfy.run()
    select(comfy, MASK)
    comfy.page.evaluate("() => { app.canvas.graph.convertToSubgraph(new Set(app.canvas.selectedItems)) }")
    comfy.settle()
    assert count(comfy, MASK) == 0
    inside = comfy.run()
    np.testing.assert_array_equal(mask_of(comfy, inside), mask_of(comfy, outside))
    comfy.page.evaluate("() => app.canvas.openSubgraph(app.canvas.graph.nodes.find((n) => n.isSubgraphNode?.()).subgraph)")
    comfy.settle(800)
    comfy.show(MASK)
    assert comfy.value(MASK, "rule.threshold") == 0.5
    comfy.picture("inside_a_subgraph")
    assert comfy.view(MASK).get_by_role("slider").first.is_visible()


def test_two_tabs_do_not_disturb_one_another(comfy: ComfyPage, new_tab, workflow):
    first, second = comfy, new_tab(comfy.renderer)
    for tab in (first, second):
        tab.load(workflow)
    first.set_value(MASK, "rule.threshold", 0.2)
    second.set_value(MASK, "rule.threshold", 0.8)
    assert first.value(MASK, "rule.threshold") == 0.2
    low, high, again = (mask_of(tab, tab.run()) for tab in (first, second, first))
    np.testing.assert_array_equal(low, again)
    assert 0 < (high > 0).sum() < (low > 0).sum()
    assert (first.value(MASK, "rule.threshold"), second.value(MASK, "rule.threshold")) == (0.2, 0.8)


def test_a_run_of_one_workflow_is_not_shown_in_another_with_the_same_ids(comfy: ComfyPage, workflow):
    """Both of one template; the second is opened while the first runs, and stays as it was when one comes back to it."""
    comfy.load(workflow)
    comfy.set_value(MASK, "maps", 32)
    comfy.set_value(MASK, "seed", 11 + (comfy.renderer == CLASSIC))  # else the server has the other renderer's
    comfy.page.evaluate("async () => { await app.queuePrompt(0, 1) }")
    comfy.load(workflow)
    ran = comfy.node_id(MASK)
    comfy.page.wait_for_function(GIVEN, arg=str(ran))  # the page has it, and gave it to this workflow's node
    assert result_of(comfy) == (None, None)
    comfy.page.evaluate("() => app.extensionManager.command.execute('Workspace.PreviousOpenedWorkflow')")
    comfy.page.wait_for_function(SEEN, arg=ran)
    comfy.page.evaluate("() => app.extensionManager.command.execute('Workspace.NextOpenedWorkflow')")
    comfy.settle(1000)
    assert result_of(comfy) == (None, None)
    mask_of(comfy, comfy.run())
    comfy.page.wait_for_function(SEEN, arg=ran)


def result_of(comfy: ComfyPage) -> tuple:
    """What the view shows, and what the node keeps of it."""
    comfy.settle()
    shown = comfy.page.evaluate(f"(id) => ({SEEN})(id) ?? null", comfy.node_id(MASK))
    kept = comfy.page.evaluate("(id) => app.graph.getNodeById(id).properties.time_diffedit_result ?? null", comfy.node_id(MASK))
    return shown and True, kept


def test_nothing_of_others_is_touched(new_tab, server):
    """The page with and without our files: same globals, listeners and styles; another's node has no hook of ours."""
    plain = {"4": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}}}
    found = []

    def without(page: Page) -> None:
        page.add_init_script(COUNT_LISTENERS)
        page.route(PACK_FILES, lambda route: route.fulfill(content_type="text/javascript", body=""))

    for prepare in (without, lambda page: page.add_init_script(COUNT_LISTENERS)):
        tab = new_tab(CLASSIC, prepare=prepare)
        tab.load(ui_workflow(plain, ComfyClient(server.url).object_info()))
        tab.settle(1000)
        found.append(tab.page.evaluate(TRACES))
    assert found[0] == found[1]
    assert "time_diffedit_view" not in found[1]["widgets"]
