"""Touching a mask up in its view: what was drawn is shown, saved, undone, and masked by the next run, cell for cell and pixel
for pixel."""

from functools import partial

import masks
import numpy as np
import pytest
from comfy_page import ComfyPage
from masks import AGAIN, CELL, MASK, mask_workflow, masked, pixels, shown, wait_until_shown
from playwright.sync_api import expect

from tools.comfyui.client import ComfyClient
from tools.workflows.workflow import Choice

PAINT, ERASE, AREA = "Paint: mask more", "Erase: mask less", "Click an area"
UNDO, CLEAR = "Take back the last stroke", "Take back all strokes"
WHERE = "(id) => { const n = app.graph.getNodeById(id); return [...n.pos, ...app.canvas.ds.offset, app.canvas.ds.scale] }"
LARGE_AND_ALONE = """(id) => {
  const node = app.graph.getNodeById(id)
  node.setSize([420, node.computeSize()[1] + 200])
  node.pos = [0, Math.max(...app.graph.nodes.map(({ pos, size }) => pos[1] + size[1])) + 1000]
}"""
COUNT = """([kind, count]) => app.graph.nodes.find((n) => n.type === kind)
  ?.widgets.find((w) => w.name === 'strokes').value.split(';').length === count"""
VALUES = """([kind, text]) => app.graph.nodes.filter((n) => n.type === kind)
  .every((n) => n.widgets.find((w) => w.name === 'strokes').value === text)"""


@pytest.fixture(scope="module")
def workflow(server):
    """Builds one that judges the mask again on the same picture, see `mask_workflow`."""
    again = {"again": Choice("area", {"area": 20.0}), "again_on_picture": True}
    return partial(mask_workflow, ComfyClient(server.url).object_info(), rule=Choice("paper"), **again)


def ran(comfy: ComfyPage, workflow: dict, kind: str = MASK) -> None:
    comfy.load(workflow)
    node = comfy.node_id(kind)
    comfy.page.evaluate(LARGE_AND_ALONE, node)
    comfy.run()
    comfy.show(kind)
    wait_until_shown(comfy, kind)


def cells(comfy: ComfyPage, kind: str = MASK) -> np.ndarray:
    """What the view shows of the first frame."""
    return masks.cells(comfy, kind)[0]


def tool(comfy: ComfyPage, name: str, kind: str = MASK):
    return comfy.view(kind).get_by_role("button", name=name)


def draw(comfy: ComfyPage, *points: tuple[float, float], kind: str = MASK) -> None:
    """With the pointer, along points in shares of the picture."""
    comfy.settle(100)
    box, mouse = comfy.view(kind).locator(".scene canvas").bounding_box(), comfy.page.mouse
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    mouse.move(*places[0])
    mouse.down()
    for place in places[1:]:
        mouse.move(*place, steps=6)
    mouse.up()


def strokes(comfy: ComfyPage, kind: str = MASK) -> str:
    return comfy.value(kind, "strokes")


def test_what_is_painted_and_erased_is_what_the_next_run_masks(comfy: ComfyPage, workflow):
    ran(comfy, workflow())
    before, where = cells(comfy), comfy.page.evaluate(WHERE, comfy.node_id(MASK))
    tool(comfy, PAINT).click()
    draw(comfy, (0.1, 0.1), (0.9, 0.1))
    painted = cells(comfy)
    assert painted[1, 1:-1].all() and (painted >= before).all() and painted.sum() > before.sum()
    tool(comfy, ERASE).click()
    draw(comfy, (0.5, 0.05), (0.5, 0.95))
    erased = cells(comfy)
    assert not erased[1:-1, erased.shape[1] // 2].any() and (erased <= painted).all()
    assert [text.split()[0] for text in strokes(comfy).split("; ")] == ["paint", "erase"]
    expect(comfy.view(MASK).locator(".note")).to_contain_text("Touched up: 2 strokes.")
    comfy.picture("touched_up")
    assert np.array_equal(masked(comfy, comfy.run())[0], pixels(erased))
    assert np.array_equal(cells(comfy), erased)
    assert comfy.page.evaluate(WHERE, comfy.node_id(MASK)) == where, "neither the node nor the canvas is dragged"


def test_along_edges_strokes_are_drawn_in_pixels(comfy: ComfyPage, workflow):
    ran(comfy, workflow(outline=Choice("edges of picture", {"reach": 4}), grow=1, fill_holes=True))
    tool(comfy, PAINT).click()
    draw(comfy, (0.15, 0.2), (0.4, 0.33), (0.2, 0.8))
    tool(comfy, ERASE).click()
    draw(comfy, (0.53, 0.51))
    seen = cells(comfy)
    comfy.picture("touched_up_edges")
    assert np.array_equal(masked(comfy, comfy.run())[0], seen)
    assert not np.array_equal(pixels(seen[::CELL, ::CELL]), seen)


def test_a_click_removes_the_area_under_it_and_another_adds_it(comfy: ComfyPage, workflow):
    ran(comfy, workflow())
    before = cells(comfy)
    tool(comfy, AREA).click()
    height, width = before.shape
    row, column = np.argwhere(before)[len(np.argwhere(before)) // 2]
    at = ((column + 0.5) / width, (row + 0.5) / height)
    draw(comfy, at)
    removed = cells(comfy)
    assert removed[row, column] == 0 and removed.sum() < before.sum()
    draw(comfy, at)
    added = cells(comfy)
    assert added[row, column] == 1 and [text.split()[0] for text in strokes(comfy).split("; ")] == ["remove", "add"]
    assert np.array_equal(masked(comfy, comfy.run())[0], pixels(added))


def test_strokes_are_taken_back_one_by_one_and_all(comfy: ComfyPage, workflow):
    ran(comfy, workflow())
    seen = [cells(comfy)]
    tool(comfy, PAINT).click()
    for y in (0.1, 0.5, 0.9):
        draw(comfy, (0.1, y), (0.4, y))
        seen.append(cells(comfy))
    tool(comfy, UNDO).click()
    assert np.array_equal(cells(comfy), seen[2])
    for count in (3, 2):  # the click, then the last stroke
        comfy.page.keyboard.press("Control+z")
        comfy.page.wait_for_function(COUNT, arg=[MASK, count])
        for _ in range(50):  # undo puts other nodes in place of these, whose view draws the strokes a moment later
            wait_until_shown(comfy)
            if np.array_equal(cells(comfy), seen[count]):
                break
            comfy.settle(100)
        assert np.array_equal(cells(comfy), seen[count])
        expect(tool(comfy, PAINT)).to_have_attribute("aria-pressed", "true")
    tool(comfy, CLEAR).click()
    assert strokes(comfy) == "" and np.array_equal(cells(comfy), seen[0])
    expect(tool(comfy, CLEAR)).to_be_hidden()
    expect(comfy.view(MASK).locator(".note")).not_to_contain_text("Touched up")


def test_strokes_are_reloaded_and_copied(comfy: ComfyPage, workflow):
    ran(comfy, workflow())
    tool(comfy, ERASE).click()
    draw(comfy, (0.3, 0.5), (0.7, 0.5))
    tool(comfy, ERASE).click()  # put down
    text, seen = strokes(comfy), cells(comfy)
    comfy.load(comfy.page.evaluate("() => app.graph.serialize()"))
    wait_until_shown(comfy)
    assert strokes(comfy) == text and np.array_equal(cells(comfy), seen)
    comfy.page.evaluate("(id) => app.canvas.selectNode(app.canvas.graph.getNodeById(id))", comfy.node_id(MASK))
    comfy.page.locator("#graph-canvas").focus()
    comfy.page.keyboard.press("Control+c")
    comfy.settle()
    comfy.page.keyboard.press("Control+v")
    comfy.page.wait_for_function("(kind) => app.canvas.graph.nodes.filter((n) => n.type === kind).length === 2", arg=MASK)
    assert comfy.page.evaluate(VALUES, [MASK, text])
    comfy.page.keyboard.press("Control+z")
    comfy.page.wait_for_function("(kind) => app.canvas.graph.nodes.filter((n) => n.type === kind).length === 1", arg=MASK)
    comfy.settle(1500)  # the frontend keeps a draft after a while
    comfy.open()
    comfy.page.wait_for_function("(kind) => app.graph.nodes.some((n) => n.type === kind)", arg=MASK)
    comfy.show(MASK)
    wait_until_shown(comfy)
    assert strokes(comfy) == text and np.array_equal(cells(comfy), seen)
    assert np.array_equal(masked(comfy, comfy.run())[0], pixels(seen))


def test_is_touched_up_by_keyboard(comfy: ComfyPage, workflow):
    ran(comfy, workflow())
    tool(comfy, PAINT).focus()
    comfy.page.keyboard.press("Enter")
    size = comfy.view(MASK).get_by_role("slider", name="Size of the brush")
    size.focus()
    comfy.page.keyboard.press("Home")
    canvas = comfy.view(MASK).get_by_role("application")
    canvas.focus()
    for key in ("ArrowLeft", "ArrowLeft", "Shift+ArrowUp", "Enter"):
        comfy.page.keyboard.press(key)
    assert strokes(comfy) == "paint 1 50 4600,4950"
    comfy.page.keyboard.press("ArrowDown")
    comfy.page.keyboard.press(" ")
    assert strokes(comfy) == "paint 1 50 4600,4950; paint 1 50 4600,5150"
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+Enter"):
        comfy.page.keyboard.press(key)
    assert strokes(comfy).split("; ")[2:] == ["paint 1 50 4600,5150 5000,4950"]
    comfy.page.keyboard.press("Escape")
    expect(canvas).to_be_hidden()
    expect(tool(comfy, PAINT)).to_be_focused()
    assert np.array_equal(masked(comfy, comfy.run())[0], pixels(cells(comfy)))


def test_strokes_are_of_their_picture(comfy: ComfyPage, workflow):
    ran(comfy, workflow(pictures=2))
    before = cells(comfy)
    comfy.view(MASK).get_by_role("button", name="Next picture").click()
    tool(comfy, PAINT).click()
    draw(comfy, (0.1, 0.1), (0.9, 0.9))
    second = cells(comfy)
    assert strokes(comfy).startswith("paint 2 ")
    comfy.view(MASK).get_by_role("button", name="Previous picture").click()
    assert np.array_equal(cells(comfy), before)
    expect(comfy.view(MASK).locator(".note")).not_to_contain_text("Touched up")
    found = masked(comfy, comfy.run())
    assert np.array_equal(found[0], pixels(before)) and np.array_equal(found[1], pixels(second))
    tool(comfy, UNDO).click()
    assert strokes(comfy) == "" and shown(comfy)["shot"] == 1, "what is taken back is shown"


def test_the_line_still_moves_the_rule_under_the_strokes(comfy: ComfyPage, workflow):
    ran(comfy, workflow(), AGAIN)
    tool(comfy, PAINT, AGAIN).click()
    draw(comfy, (0.05, 0.05), kind=AGAIN)
    track = comfy.view(AGAIN).locator(".track")
    box, before = track.bounding_box(), comfy.value(AGAIN, "rule.area")
    track.click(position={"x": 0.3 * box["width"], "y": box["height"] / 2})  # waits until the note of the stroke has moved it
    seen = cells(comfy, AGAIN)
    assert comfy.value(AGAIN, "rule.area") != before and seen[0, 0] == 1
    assert np.array_equal(masked(comfy, comfy.run(), 1)[0], pixels(seen))


def test_says_that_strokes_were_drawn_on_another_picture(comfy: ComfyPage, workflow):
    ran(comfy, workflow())
    tool(comfy, PAINT).click()
    draw(comfy, (0.2, 0.2))
    note = comfy.view(MASK).locator(".note")
    comfy.run()
    expect(note).to_have_text("Touched up: 1 stroke.")
    comfy.page.evaluate(
        """() => {
          const invert = LiteGraph.createNode('ImageInvert'), mask = app.graph.nodes.find((n) => n.type === 'DiffEditMask')
          app.graph.add(invert)
          app.graph.nodes.find((n) => n.type === 'LoadImage').connect(0, invert, 0)
          invert.connect(0, mask, mask.inputs.findIndex((i) => i.name === 'picture'))
        }"""
    )
    comfy.run()
    expect(note).to_contain_text("Drawn on another picture")
    expect(note).to_have_class("note warning")
    assert strokes(comfy)


def test_says_what_it_cannot_read_and_clears_it(comfy: ComfyPage, workflow):
    ran(comfy, workflow())
    before = cells(comfy)
    comfy.set_value(MASK, "strokes", "paint here")
    expect(comfy.view(MASK).locator(".note")).to_contain_text("cannot be read")
    expect(tool(comfy, PAINT)).to_be_disabled()
    tool(comfy, CLEAR).click()
    assert strokes(comfy) == "" and np.array_equal(cells(comfy), before)
    expect(tool(comfy, PAINT)).to_be_enabled()


def test_strokes_of_another_node_are_shown_and_not_changed(comfy: ComfyPage, workflow):
    comfy.load(workflow())
    comfy.page.evaluate(
        """(id) => {
          const node = app.graph.getNodeById(id), text = LiteGraph.createNode('PrimitiveString')
          app.graph.add(text)
          text.widgets[0].value = 'paint 1 2000 0,0'
          text.connect(0, node, node.inputs.findIndex((i) => i.name === 'strokes'))
        }""",
        comfy.node_id(MASK),
    )
    outputs = comfy.run()
    comfy.show(MASK)
    assert cells(comfy)[0, 0] == 1 and np.array_equal(masked(comfy, outputs)[0], pixels(cells(comfy)))
    expect(tool(comfy, PAINT)).to_be_disabled()
    expect(tool(comfy, UNDO)).to_be_hidden()
