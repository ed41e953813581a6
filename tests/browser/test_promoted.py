"""Views inside a block on whose face their inputs stand: what they show, move and draw is the block's, and runs."""

from functools import partial

import numpy as np
import pytest
from comfy_page import ComfyPage
from masks import MASK, MEAN_RATIO, PROGRESS, cells, mask_workflow, masked, pixels, wait_until_shown
from playwright.sync_api import expect
from test_alignment_view import chips
from test_blueprints import FACE, on_a_graph, set_on_face

from tools.comfyui.client import ComfyClient

LARGE = "(id) => { const node = app.graph.getNodeById(id); node.setSize([420, node.computeSize()[1] + 200]) }"
INTO_A_BLOCK = """([id, promoted]) => {
  const { graph } = app.canvas, node = graph.getNodeById(id)
  const { subgraph, node: block } = graph.convertToSubgraph(new Set([node]))
  const inner = subgraph.nodes[0]
  for (const name of promoted) {
    const input = inner.inputs.find((one) => one.name === name)
    subgraph.addInput(name, input.type).connect(input, inner)
  }
  return block.id
}"""
OPEN = "(id) => app.canvas.openSubgraph(app.graph.getNodeById(id).subgraph)"
CLOSE = "() => app.canvas.setGraph(app.graph)"
ON_THE_FACE = "([id, name]) => app.graph.getNodeById(id).widgets.find((widget) => widget.name === name).value"
COPY = "(id) => app.graph.add(app.graph.getNodeById(id).clone())"
THRESHOLD, STROKES = "rule.threshold", "strokes"


@pytest.fixture(autouse=True)
def outside_again(comfy: ComfyPage):
    """The page shows the whole graph around each test: an open block may stay for a moment while another graph loads."""
    comfy.page.evaluate(CLOSE)
    yield
    comfy.page.evaluate(CLOSE)
    comfy.settle()


@pytest.fixture
def block(comfy: ComfyPage, server) -> int:
    """Id of a block with DiffEdit Mask in it that has run, both inputs on its face, opened."""
    comfy.load(mask_workflow(ComfyClient(server.url).object_info(), rule=MEAN_RATIO))
    node = comfy.node_id(MASK)
    comfy.page.evaluate(LARGE, node)
    block = comfy.page.evaluate(INTO_A_BLOCK, [node, [THRESHOLD, STROKES]])
    comfy.settle()
    comfy.run()
    open_block(comfy, block)
    return block


def open_block(comfy: ComfyPage, block: int) -> None:
    comfy.page.evaluate(OPEN, block)
    comfy.settle(800)
    comfy.show(MASK)
    wait_until_shown(comfy)


def line(comfy: ComfyPage):
    return comfy.view(MASK).get_by_role("slider", name="Threshold")


def run_outside(comfy: ComfyPage) -> np.ndarray:
    comfy.page.evaluate(CLOSE)
    comfy.settle()
    return masked(comfy, comfy.run())


def test_the_line_moves_the_threshold_on_the_face(comfy: ComfyPage, block):
    expect(line(comfy)).to_have_attribute("aria-readonly", "false")
    for _ in range(7):
        line(comfy).press("ArrowRight")
    seen = cells(comfy)
    comfy.picture("line_of_a_promoted_threshold")
    on_the_face = partial(comfy.page.evaluate, ON_THE_FACE, [block, THRESHOLD])
    assert on_the_face() == pytest.approx(0.57)
    assert comfy.api()[f"{block}:{comfy.node_id(MASK)}"]["inputs"][THRESHOLD] == pytest.approx(0.57)
    assert np.array_equal(run_outside(comfy)[0], pixels(seen[0]))
    set_on_face(comfy, block, **{THRESHOLD: 0.9})
    open_block(comfy, block)
    expect(line(comfy)).to_have_attribute("aria-valuenow", "0.9")
    assert cells(comfy).sum() < seen.sum()


def test_what_is_drawn_is_on_the_face(comfy: ComfyPage, block):
    before = cells(comfy)
    comfy.view(MASK).get_by_role("button", name="Paint: mask more").click()
    canvas = comfy.view(MASK).locator(".scene canvas")
    canvas.focus()
    for _ in range(20):
        canvas.press("ArrowUp")
    canvas.press("Enter")
    seen = cells(comfy)
    comfy.picture("drawn_in_a_block")
    assert seen.sum() > before.sum()
    assert comfy.page.evaluate(ON_THE_FACE, [block, STROKES]).startswith("paint ")
    assert np.array_equal(run_outside(comfy)[0], pixels(seen[0]))


def test_in_a_block_that_is_there_twice_neither_is_moved(comfy: ComfyPage, block):
    comfy.page.evaluate(CLOSE)
    comfy.settle()
    comfy.page.evaluate(COPY, block)
    open_block(comfy, block)
    expect(line(comfy)).to_have_attribute("aria-readonly", "true")
    expect(comfy.view(MASK).get_by_role("button", name="Paint: mask more")).to_be_disabled()


def test_a_block_that_is_there_twice_shows_the_run_of_either(comfy: ComfyPage, block):
    comfy.page.evaluate(CLOSE)
    comfy.settle()
    copy = comfy.page.evaluate(f"(id) => ({COPY})(id) && app.graph.nodes.at(-1).id", block)
    open_block(comfy, block)
    progress = comfy.view(MASK).locator(".progress")
    for number, each in enumerate((block, copy), start=1):
        comfy.page.evaluate(PROGRESS, [f"{each}:{comfy.node_id(MASK)}", number, 10])
        expect(progress).to_have_text(f"Map {number} of 10")
        expect(progress).to_be_visible()
    comfy.page.evaluate("() => app.api.dispatchCustomEvent('execution_interrupted', { prompt_id: 'one' })")
    expect(progress).to_be_hidden()


def test_the_prompts_on_the_face_are_aligned(comfy: ComfyPage, server):
    comfy.load(on_a_graph("TIME Edit", ComfyClient(server.url).object_info(), []))
    set_on_face(comfy, source="a pack of roses", destination="a pack of blue roses")
    comfy.page.evaluate(OPEN, FACE)
    comfy.settle(800)
    comfy.show("TIMEEditModel")
    view = comfy.view("TIMEEditModel")
    expect(view.get_by_text("+ blue")).to_be_visible()
    assert chips(view, "source")[1:5] == ["a", "pack", "of", "roses"]
    comfy.picture("aligned_in_a_block")
    set_on_face(comfy, source="a rose", destination="a green rose")
    expect(view.get_by_text("+ green")).to_be_visible()
    assert chips(view, "source")[1:3] == ["a", "rose"]
