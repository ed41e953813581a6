"""The view of DiffEdit Mask and Heatmap to Mask: what it shows is what the next run masks."""

import re
from functools import partial

import numpy as np
import pytest
from comfy_page import CLASSIC, ComfyPage
from masks import AGAIN, CELL, MASK, MEAN_RATIO, PROGRESS, SHOWN, cells, mask_workflow, masked, shown, wait_until_shown
from playwright.sync_api import expect

from tools.comfyui.client import ComfyClient
from tools.presets import DIFFEDIT, presets
from tools.workflows.workflow import Choice

SHOWS = """([id, cells]) => {
  const { shown } = document.querySelector(`[data-time-diffedit='${id}'] .time-diffedit-mask`) ?? {}
  return shown && cells.every((cell, i) => Number(shown.cells[i]) === cell)
}"""
STEPS = """() => {
  const { undoQueue, redoQueue } = app.extensionManager.workflow.activeWorkflow.changeTracker
  return [undoQueue.length, redoQueue.length]
}"""
HEATMAP_FILES = re.compile(r"/view\?.*safetensors")
LABELLED = "([id, name, label]) => (app.graph.getNodeById(id).widgets.find((w) => w.name === name).label = label)"
SIDES = "(view) => [...view.querySelectorAll('canvas')].map(({ width, height }) => [width, height])"


@pytest.fixture(scope="module")
def workflow(server):
    """Builds one, see `mask_workflow`."""
    return partial(mask_workflow, ComfyClient(server.url).object_info(), rule=MEAN_RATIO)


def test_presets_write_the_inputs_that_run(comfy, workflow):
    comfy.load(workflow())
    choice = comfy.view(MASK).get_by_label("Preset")
    for name, wanted in reversed(presets(DIFFEDIT).items()):
        choice.select_option(name)
        assert {each: comfy.value(MASK, each) for each in wanted} == wanted
        sent = comfy.api()[str(comfy.node_id(MASK))]["inputs"]
        assert {each: sent[each] for each in wanted} == wanted
        expect(choice).to_have_value(name)
    _, before, *_ = presets(DIFFEDIT)
    comfy.settle()
    comfy.page.keyboard.press("Control+z")
    expect(choice).to_have_value(before)  # one step, however many inputs it wrote
    comfy.set_value(MASK, "grow", 3)
    expect(choice).to_have_value("custom")


def test_along_edges_the_view_shows_the_pixels_that_are_masked(comfy, workflow):
    comfy.load(workflow())
    comfy.view(MASK).get_by_label("Preset").select_option("another thing")
    outputs = comfy.run()
    view = shown(comfy)
    pixels = np.array(view["cells"]).reshape(view["height"], view["width"])
    assert np.array_equal(masked(comfy, outputs), pixels[None])
    assert not np.array_equal(pixels[::CELL, ::CELL].repeat(CELL, 0).repeat(CELL, 1), pixels)
    comfy.show(MASK)
    comfy.picture("mask_edges")


def words(comfy: ComfyPage) -> str:
    shown(comfy)
    return comfy.view(MASK).locator(".view").inner_text()


def masks(comfy: ComfyPage, outputs: dict, preview: int = 0) -> np.ndarray:
    """The masks of a run, one value a cell, after a check that cells are even."""
    pixels = masked(comfy, outputs, preview)
    found = pixels[:, ::CELL, ::CELL]
    assert np.array_equal(found.repeat(CELL, 1).repeat(CELL, 2), pixels)
    return found


def drag(comfy: ComfyPage, to: float, kind: str = MASK) -> None:
    """The line, from where it is to a share of the histogram's width."""
    comfy.settle(100)
    box, line = comfy.view(kind).locator(".track").bounding_box(), comfy.view(kind).get_by_role("slider").first.bounding_box()
    mouse = comfy.page.mouse
    middle = box["y"] + box["height"] / 2
    mouse.move(line["x"] + line["width"] / 2, middle)
    mouse.down()
    mouse.move(box["x"] + box["width"] * (to + 0.1), middle)
    mouse.move(box["x"] + box["width"] * to, middle)
    mouse.up()


def ran(comfy: ComfyPage, workflow: dict, kind: str = MASK, zoom: float = 1.0) -> dict:
    comfy.load(workflow)
    outputs = comfy.run()
    comfy.show(kind, zoom)
    wait_until_shown(comfy, kind)
    return outputs


def test_says_what_to_do_before_the_first_run(comfy, workflow):
    comfy.load(workflow())
    assert "Run once" in words(comfy)
    assert shown(comfy) is None


def test_what_a_dragged_line_shows_is_what_the_next_run_masks(comfy, workflow):
    assert np.array_equal(masks(comfy, ran(comfy, workflow())), cells(comfy))
    seen = []
    for place in (0.2, 0.731, 0.95):
        drag(comfy, place)
        assert comfy.value(MASK, "rule.threshold") == pytest.approx(place, abs=0.02)
        assert comfy.api()[str(comfy.node_id(MASK))]["inputs"]["rule.threshold"] == comfy.value(MASK, "rule.threshold")
        seen.append(cells(comfy))
        assert np.array_equal(masks(comfy, comfy.run()), seen[-1])
    comfy.picture("mask_dragged")
    assert seen[0].sum() > seen[1].sum() > seen[2].sum() > 0


@pytest.mark.parametrize(
    "settings, moved",
    [
        ({"rule": Choice("paper", {"outliers": 10.0}), "fill_holes": True}, "rule.threshold"),
        ({"rule": Choice("level"), "grow": 1}, "rule.level"),
        ({"rule": Choice("area", {"area": 12.0})}, "rule.area"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_line_moves_the_input_that_the_rule_reads(comfy, workflow, settings, moved):
    ran(comfy, workflow(smooth=0.6, **settings))
    before = comfy.value(MASK, moved)
    drag(comfy, 0.37)
    assert comfy.value(MASK, moved) != before
    seen = cells(comfy)
    assert 0 < seen.mean() < 1 and np.array_equal(masks(comfy, comfy.run()), seen)


def test_otsu_shows_where_its_threshold_fell_and_follows_the_other_inputs(comfy, workflow):
    ran(comfy, workflow(rule=Choice("otsu")))
    before = comfy.api()
    drag(comfy, 0.9)
    assert comfy.api() == before
    assert comfy.view(MASK).get_by_role("slider", name="Otsu's threshold").get_attribute("aria-readonly") == "true"
    changes = {"grow": 2, "rule.area_floor": 60.0, "fill_holes": True, "rule": "mean ratio", "rule.threshold_ratio": 1.2}
    drawn = {cells(comfy).tobytes()}
    for name, value in changes.items():
        comfy.set_value(MASK, name, value)
        drawn.add(cells(comfy).tobytes())
    assert len(drawn) >= len(changes)  # there may be no holes to fill
    seen = cells(comfy)
    assert np.array_equal(masks(comfy, comfy.run()), seen)


def test_a_rule_chosen_after_the_run_is_followed_with_the_settings_that_it_brings(comfy, workflow):
    ran(comfy, workflow())
    for rule, (name, value) in {
        "level": ("rule.level", 0.02),
        "otsu": ("rule.area_floor", 60.0),
        "paper": ("rule.outliers", 30.0),
        "area": ("rule.area", 35.0),
        "mean ratio": ("rule.threshold_ratio", 1.4),
    }.items():
        comfy.set_value(MASK, "rule", rule)
        before = cells(comfy)
        comfy.set_value(MASK, name, value)
        seen = cells(comfy)
        assert not np.array_equal(seen, before), rule
        if rule != "otsu":
            drag(comfy, 0.45)
            assert not np.array_equal(cells(comfy), seen), rule
            seen = cells(comfy)
        assert np.array_equal(masks(comfy, comfy.run()), seen), rule


def test_is_operated_by_keyboard(comfy, workflow):
    ran(comfy, workflow())
    line = comfy.view(MASK).get_by_role("slider", name="Threshold")
    line.focus()
    for key, threshold in (
        ("ArrowRight", 0.51),
        ("ArrowUp", 0.52),
        ("ArrowLeft", 0.51),
        ("PageUp", 0.61),
        ("Shift+ArrowLeft", 0.51),
        ("PageDown", 0.41),
        ("Home", 0),
        ("ArrowDown", 0),
        ("End", 1),
        ("Shift+ArrowDown", 0.9),
    ):
        comfy.page.keyboard.press(key)
        assert comfy.value(MASK, "rule.threshold") == threshold, key
    percent = f"{100 * cells(comfy).mean():.1f}"
    assert line.get_attribute("aria-valuenow") == "0.9"
    assert line.get_attribute("aria-valuetext") == f"threshold 0.90, Masked: {percent} %"
    assert (line.get_attribute("aria-valuemin"), line.get_attribute("aria-valuemax")) == ("0", "1")
    assert np.array_equal(masks(comfy, comfy.run()), cells(comfy))


def test_an_area_becomes_larger_to_the_left(comfy, workflow):
    ran(comfy, workflow(rule=Choice("area")))
    comfy.view(MASK).get_by_role("slider", name="Area").focus()
    for key, area in (("ArrowLeft", 20.5), ("ArrowUp", 21), ("ArrowRight", 20.5), ("PageUp", 25.5)):
        comfy.page.keyboard.press(key)
        assert comfy.value(MASK, "rule.area") == area, key
    assert f"{100 * cells(comfy).mean():.1f} %" in words(comfy)


def test_turns_the_pages_of_a_batch(comfy, workflow):
    outputs = ran(comfy, workflow(pictures=3))
    view, expected = comfy.view(MASK), masks(comfy, outputs)
    assert view.get_by_role("button", name="Previous picture").is_disabled()
    for i in range(3):
        assert np.array_equal(cells(comfy)[0], expected[i]) and f"{i + 1} / 3" in words(comfy)
        assert f"Masked: {100 * expected[i].mean():.1f} %" in words(comfy)
        assert f"picture {i + 1} of 3" in view.get_by_role("img").get_attribute("aria-label")
        if i < 2:
            view.get_by_role("button", name="Next picture").click()
    comfy.picture("mask_batch")
    assert view.get_by_role("button", name="Next picture").is_disabled()
    drag(comfy, 0.25)
    seen = cells(comfy)[0]
    assert np.array_equal(masks(comfy, comfy.run())[2], seen) and shown(comfy)["shot"] == 2


def test_pairs_are_shown_united_with_the_heat_of_one(comfy, workflow):
    file = workflow(targets=("a blue rose", "a red star"))
    second = max(node["id"] for node in file["nodes"] if node["type"] == MASK)
    outputs = ran(comfy, file)
    view = comfy.page.locator(f"[data-time-diffedit='{second}']")
    found = view.evaluate(SHOWN)
    assert np.array_equal(masks(comfy, outputs).ravel(), found["cells"])
    drawn = "(root) => root.querySelector('.time-diffedit-mask').shadowRoot.querySelector('.scene canvas').toDataURL()"
    before = view.evaluate(drawn)
    view.get_by_label("Pair whose heat is shown").select_option("Pair 2")
    after = view.evaluate(SHOWN)
    assert after["pair"] == 1 and after["cells"] == found["cells"] and view.evaluate(drawn) != before


def test_a_heat_map_is_judged_again_without_the_model(comfy, workflow):
    outputs = ran(comfy, workflow(again=Choice("area", {"area": 30.0})), AGAIN)
    assert np.array_equal(masks(comfy, outputs, 1), cells(comfy, AGAIN))
    drag(comfy, 0.5, AGAIN)
    seen = cells(comfy, AGAIN)
    comfy.picture("heatmap_to_mask")
    assert np.array_equal(masks(comfy, comfy.run(), 1), seen) and not np.array_equal(seen, cells(comfy))


def test_a_threshold_from_another_node_is_shown_and_not_moved(comfy, workflow):
    comfy.load(workflow())
    comfy.page.evaluate(
        """(id) => {
          const node = app.graph.getNodeById(id), value = LiteGraph.createNode('PrimitiveFloat')
          app.graph.add(value)
          value.widgets[0].value = 0.83
          value.connect(0, node, node.inputs.findIndex((i) => i.name === 'rule.threshold'))
        }""",
        comfy.node_id(MASK),
    )
    outputs = comfy.run()
    comfy.show(MASK)
    assert np.array_equal(masks(comfy, outputs), cells(comfy))
    before = comfy.api()
    drag(comfy, 0.2)
    line = comfy.view(MASK).get_by_role("slider", name="Threshold")
    line.press("ArrowRight")
    assert comfy.api() == before and line.get_attribute("aria-readonly") == "true"
    assert line.get_attribute("aria-valuenow") == "0.83" and "from another node" in words(comfy)


def test_says_which_changes_it_cannot_follow(comfy, workflow):
    ran(comfy, workflow())
    before = cells(comfy)
    assert "next run" not in words(comfy)
    comfy.set_value(MASK, "smooth", 1.5)
    comfy.set_value(MASK, "seed", 2)
    assert np.array_equal(cells(comfy), before)
    assert "The next run makes a new heat map: smooth, seed changed." in words(comfy)
    outputs = comfy.run()
    assert np.array_equal(masks(comfy, outputs), cells(comfy)) and "next run" not in words(comfy)
    comfy.set_value(MASK, "compare", "two prompts, guided")
    assert "The next run makes a new heat map: compare changed." in words(comfy)
    comfy.set_value(MASK, "compare", "two prompts")
    assert "next run" not in words(comfy)
    comfy.page.evaluate(LABELLED, [comfy.node_id(MASK), "smooth", "Softness"])
    comfy.set_value(MASK, "smooth", 0.7)
    assert "The next run makes a new heat map: Softness changed." in words(comfy)
    comfy.page.evaluate(LABELLED, [comfy.node_id(MASK), "smooth", "smooth"])


def test_a_reloaded_page_finds_threshold_and_picture_again(comfy, workflow):
    ran(comfy, workflow())
    drag(comfy, 0.3)
    seen, threshold = cells(comfy), comfy.value(MASK, "rule.threshold")
    comfy.settle(1500)  # the frontend keeps a draft after a while
    comfy.open()
    comfy.show(MASK)
    assert comfy.value(MASK, "rule.threshold") == threshold
    wait_until_shown(comfy)
    assert np.array_equal(cells(comfy), seen)
    assert np.array_equal(masks(comfy, comfy.run()), seen)


def test_a_cached_node_shows_its_heat_map_to_a_page_that_never_saw_it(comfy, workflow):
    """What `has_intermediate_output` is for: nothing runs, so nothing but the host can tell the page."""
    file = workflow(seed=77)
    outputs = ran(comfy, file)
    comfy.load(file)
    assert shown(comfy) is None
    comfy.run()
    assert np.array_equal(cells(comfy), masks(comfy, outputs))


def test_a_file_that_is_gone_is_only_a_hint(comfy, workflow):
    file = workflow()
    node = next(node for node in file["nodes"] if node["type"] == MASK)
    gone = {"filename": "TimeDiffEdit_gone.safetensors", "subfolder": "", "type": "temp"}
    node["properties"]["time_diffedit_result"] = {"heatmap": [gone], "picture": []}
    comfy.load(file)
    comfy.view(MASK).get_by_text("no longer on the server").wait_for()
    assert all("404" in error for error in comfy.errors)
    comfy.errors.clear()
    assert np.array_equal(masks(comfy, comfy.run()), cells(comfy))


def test_a_file_that_could_not_be_had_is_asked_for_again_after_the_next_run(comfy, workflow):
    """The same file, as the server runs nothing that it remembers."""
    comfy.load(workflow())
    comfy.page.route(HEATMAP_FILES, lambda route: route.fulfill(status=500))
    comfy.run()
    gone = comfy.view(MASK).get_by_text("no longer on the server")
    expect(gone).to_be_visible()
    comfy.page.unroute(HEATMAP_FILES)
    assert all("500" in error for error in comfy.errors)
    comfy.errors.clear()
    outputs = comfy.run()
    wait_until_shown(comfy)
    expect(gone).to_have_count(0)
    assert np.array_equal(masks(comfy, outputs), cells(comfy))


def test_a_drag_is_one_step_of_undo(comfy, workflow):
    ran(comfy, workflow())
    before = cells(comfy)
    drag(comfy, 0.8)
    comfy.settle(200)
    comfy.page.keyboard.press("Control+z")
    comfy.page.wait_for_function(
        "() => app.graph.nodes.some((n) => n.widgets?.some((w) => w.name === 'rule.threshold' && w.value === 0.5))"
    )
    wait_until_shown(comfy)
    comfy.page.wait_for_function(SHOWS, arg=[comfy.node_id(MASK), before.ravel().tolist()])  # drawn a frame after the value


def test_undo_and_redo_go_across_a_run(comfy, workflow):
    """What a run left is a step, too; taking it back must not make another, which would end what can be redone."""
    comfy.load(workflow())
    comfy.settle()
    note_a_step(comfy)  # the view has made the node higher
    comfy.run()
    # Frontend 1.58 gives MaskPreview a widget with its picture, which is a step of its own after undo.
    comfy.page.evaluate("(id) => delete app.nodeOutputs[id]", str(comfy.node_id("MaskPreview")))
    comfy.show(MASK)
    wait_until_shown(comfy)
    note_a_step(comfy)
    drag(comfy, 0.8)
    comfy.settle(200)
    dragged, (done, _) = comfy.value(MASK, "rule.threshold"), comfy.page.evaluate(STEPS)
    for undone in (1, 2):
        comfy.page.keyboard.press("Control+z")
        wait_for_steps(comfy, done - undone, undone)
        comfy.settle(500)
        wait_until_shown(comfy)  # what the run found, which the page gives back to the node
        note_a_step(comfy)
        assert comfy.page.evaluate(STEPS) == [done - undone, undone]
    assert comfy.value(MASK, "rule.threshold") == 0.5
    for redone in (1, 2):
        comfy.page.keyboard.press("Control+y")
        wait_for_steps(comfy, done - 2 + redone, 2 - redone)
    assert comfy.value(MASK, "rule.threshold") == dragged
    wait_until_shown(comfy)


def note_a_step(comfy: ComfyPage) -> None:
    """As a click that changes nothing does: the page then looks for changes since the last step."""
    comfy.page.evaluate("() => window.dispatchEvent(new MouseEvent('mouseup'))")
    comfy.settle(200)


def wait_for_steps(comfy: ComfyPage, undo: int, redo: int) -> None:
    comfy.page.wait_for_function(f"(wanted) => String(({STEPS})()) === String(wanted)", arg=[undo, redo])


def test_the_heat_fades_by_slider_and_by_setting(comfy, workflow):
    ran(comfy, workflow())
    drawn = "(root) => root.querySelector('.time-diffedit-mask').shadowRoot.querySelector('.scene canvas').toDataURL()"
    pictures = [comfy.view(MASK).evaluate(drawn)]
    comfy.page.evaluate("() => app.extensionManager.setting.set('TimeDiffEdit.MaskOpacity', 20)")
    shown(comfy)
    pictures.append(comfy.view(MASK).evaluate(drawn))
    comfy.view(MASK).get_by_role("slider", name="Opacity of the heat").press("End")
    shown(comfy)
    pictures.append(comfy.view(MASK).evaluate(drawn))
    comfy.page.evaluate("() => app.extensionManager.setting.set('TimeDiffEdit.MaskOpacity', 60)")
    assert len(set(pictures)) == 3


@pytest.mark.parametrize("tab", [CLASSIC], indirect=True)
def test_the_classic_canvas_shows_the_heat_map_while_it_grows(comfy, workflow):
    comfy.load(workflow(maps=32, seed=5))
    comfy.show(MASK)
    with comfy.setting("Comfy.Execution.PreviewMethod", "latent2rgb"):
        comfy.page.evaluate("async () => { await app.queuePrompt(0, 1) }")
        live = comfy.view(MASK).locator("img.live")
        live.wait_for(state="visible")
        assert live.get_attribute("src").startswith("blob:")
        live.wait_for(state="hidden")
    assert cells(comfy).any()
    widgets = comfy.page.evaluate("(id) => app.graph.getNodeById(id).widgets.map((w) => w.name)", comfy.node_id(MASK))
    assert not any("preview" in name for name in widgets)  # its pictures are not drawn once more below the view


def test_says_that_nothing_or_nearly_everything_is_masked(comfy, workflow):
    ran(comfy, workflow(rule=Choice("level", {"level": 0.05})))
    note = comfy.view(MASK).locator(".note")
    for level, said in ((100.0, "Nothing is masked"), (0.0001, "Nearly everything is masked")):
        comfy.set_value(MASK, "rule.level", level)
        expect(note).to_contain_text(said)
        expect(note).to_have_class("note warning")
    comfy.set_value(MASK, "rule.level", float(np.float32(0.05)))
    expect(note).not_to_have_class("note warning")


@pytest.mark.parametrize("target, said", [("a blue rose", None), ("a red rose on grass", "target has all words of source")])
def test_says_where_the_heat_could_not_be_focused(comfy, workflow, target, said):
    ran(comfy, workflow(targets=(target,), focus="words that change"))
    note = comfy.view(MASK).locator(".note")
    expect(note).to_contain_text(said) if said else expect(note).to_be_empty()
    comfy.set_value(MASK, "focus", "everywhere")
    expect(note).to_contain_text("The next run makes a new heat map: focus changed.")


def test_says_how_many_maps_are_made_while_it_runs(comfy, workflow):
    comfy.load(workflow(maps=64, seed=6 + (comfy.renderer == CLASSIC)))  # else the server has the other renderer's
    comfy.show(MASK)
    view = comfy.view(MASK)
    progress, hint = view.locator(".progress"), view.get_by_text("Run once to see where the mask falls.")
    expect(progress).to_be_hidden()
    with comfy.setting("Comfy.Execution.PreviewMethod", "none"):
        comfy.page.evaluate("async () => { await app.queuePrompt(0, 1) }")
        expect(progress).to_have_text(re.compile(r"^Map \d+ of 64$"))
        expect(hint).to_be_hidden()
        expect(progress).to_be_hidden()
    assert cells(comfy).any()


def test_a_server_that_is_gone_makes_no_more_maps(comfy, workflow):
    """Nothing tells of an end; the page only sees that the connection is broken."""
    ran(comfy, workflow())
    view = comfy.view(MASK)
    comfy.page.evaluate(PROGRESS, [str(comfy.node_id(MASK)), 3, 10])
    expect(view.locator(".progress")).to_have_text("Map 3 of 10")
    expect(view.get_by_role("button", name="Paint: mask more")).to_have_count(0)
    comfy.page.evaluate("() => app.api.socket.close()")
    expect(view.locator(".progress")).to_be_hidden()
    expect(view.get_by_role("button", name="Paint: mask more")).to_be_visible()
    comfy.page.wait_for_function("() => app.api.socket?.readyState === WebSocket.OPEN")  # of the next one


def test_a_canvas_has_not_more_pixels_than_a_browser_can_draw(comfy, workflow):
    ran(comfy, workflow())
    pixels = comfy.page.evaluate("() => devicePixelRatio")
    comfy.page.evaluate("() => (window.devicePixelRatio = 40)")
    comfy.set_value(MASK, "rule.threshold", 0.4)
    assert shown(comfy)["covered"] > 0
    sides = comfy.view(MASK).locator(".view").evaluate(SIDES)
    comfy.page.evaluate("(pixels) => (window.devicePixelRatio = pixels)", pixels)
    assert max(sides[0]) == 4096 and all(0 < side <= 4096 for canvas in sides for side in canvas)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_looks(comfy, workflow, theme):
    with comfy.setting("Comfy.ColorPalette", theme):
        ran(comfy, workflow(again=Choice("otsu")))
        comfy.picture(f"mask_{theme}")
        assert comfy.view(MASK).locator(".coverage").is_visible()
