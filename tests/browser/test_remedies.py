"""What a view finds wrong it says in words, and what mends it is a button that writes the input: seen, run and undone."""

import re
from collections.abc import Iterator

import pytest
from comfy_page import CLASSIC, ComfyPage
from every_view import every_view
from playwright.sync_api import Locator, expect

from tools.comfyui.client import ComfyClient

# Of each row of tokens, how far the middle of its name is below that of its first token, measured at one moment.
BESIDE = """(tokens) => {
  const middle = (one) => { const { top, bottom } = one.getBoundingClientRect(); return (top + bottom) / 2 }
  return ['source', 'destination'].map((row, i) =>
    middle(tokens.querySelectorAll('.rows span')[i]) - middle(tokens.querySelector(`.chip.${row}`)))
}"""
MASK, INVERT, EDIT = "DiffEditMask", "DDIMInvert", "TIMEEditModel"


@pytest.fixture(scope="module")
def workflow(server) -> dict:
    return every_view(ComfyClient(server.url).object_info())


@pytest.fixture(scope="module")
def comfy(tab, browser, server) -> Iterator[ComfyPage]:
    """A tab of this file's own: what is undone must be what was done here."""
    own = ComfyPage(browser, server.url, tab.renderer)
    yield own
    own.close()
    assert not own.errors, "\n".join(own.errors)


@pytest.fixture
def filled(comfy, workflow) -> ComfyPage:
    comfy.load(workflow)
    comfy.run()
    return comfy


def remedy(comfy: ComfyPage, kind: str, name: str | re.Pattern) -> Locator:
    return comfy.view(kind).locator(".remedies").get_by_role("button", name=name)


def noted(comfy: ComfyPage) -> None:
    """The host notes the workflow for its undo when a user has done something, and a test that sets values is no user."""
    comfy.page.evaluate("() => { app.canvas.emitBeforeChange(); app.canvas.emitAfterChange() }")


def undo(comfy: ComfyPage, kind: str, name: str, before) -> None:
    """Takes the click back, and nothing that was there before it, see `noted`."""
    comfy.settle(1000)
    comfy.page.keyboard.press("Control+z")
    value = "([kind, name]) => app.graph.nodes.find((n) => n.type === kind)?.widgets.find((w) => w.name === name)?.value"
    comfy.page.wait_for_function(f"([kind, name, before]) => ({value})([kind, name]) === before", arg=[kind, name, before])


def sent(comfy: ComfyPage, kind: str) -> dict:
    return comfy.api()[str(comfy.node_id(kind))]["inputs"]


def test_an_inversion_is_judged_in_words_and_mended(filled):
    view = filled.view(INVERT)
    expect(view.locator("p.poor")).to_contain_text(
        re.compile(r"^Poor\. Sampling back misses the picture by [\d.]+; its own spread")
    )
    filled.show(INVERT)
    remedy(filled, INVERT, "take cfg 1").click()
    remedy(filled, INVERT, "use fixed point").click()
    assert (sent(filled, INVERT)["cfg"], sent(filled, INVERT)["method"]) == (1, "fixed point")
    expect(view.locator(".remedies button")).to_have_count(0)
    filled.set_value(INVERT, "walk_back", False)
    (report,) = filled.run()[str(filled.node_id(INVERT))]["inversion"]
    assert report["missed"] is None and report["grade"] in ("good", "doubtful")
    said = f"{report['grade'].capitalize()}. The steps miss by "
    expect(view.locator(f"p.{report['grade']}")).to_contain_text(said)
    remedy(filled, INVERT, "turn on walk_back").click()
    (report,) = filled.run()[str(filled.node_id(INVERT))]["inversion"]
    assert report["missed"][-1] <= report["residual"]
    filled.picture("remedy_inversion")


def test_a_mask_without_cells_takes_a_threshold_and_a_mask_with_holes_is_filled(filled):
    filled.set_value(MASK, "rule.threshold_ratio", 100.0)
    filled.set_value(MASK, "rule.threshold", 1.0)
    view = filled.view(MASK)
    expect(view.locator(".coverage")).to_have_text("Masked: 0.0 %")
    filled.show(MASK)
    offered = remedy(filled, MASK, re.compile("^take threshold "))
    value = float(offered.inner_text().split()[-1])
    noted(filled)
    offered.click()
    assert sent(filled, MASK)["rule.threshold"] == value == filled.value(MASK, "rule.threshold")
    expect(view.locator(".coverage")).not_to_have_text("Masked: 0.0 %")
    assert 2 <= float(view.locator(".time-diffedit-mask").get_attribute("data-covered")) <= 12
    expect(offered).to_have_count(0)
    undo(filled, MASK, "rule.threshold", 1.0)
    expect(view.locator(".coverage")).to_have_text("Masked: 0.0 %")

    filled.set_value(MASK, "rule.threshold_ratio", 3.0)
    fill = remedy(filled, MASK, "fill holes")
    for threshold in (0.9, 0.8, 0.7, 0.6, 0.5, 0.4):
        filled.set_value(MASK, "rule.threshold", threshold)
        filled.settle(200)
        if fill.count():
            break
    assert fill.count() == 1
    before = float(view.locator(".time-diffedit-mask").get_attribute("data-covered"))
    fill.click()
    assert sent(filled, MASK)["fill_holes"] is True
    expect(fill).to_have_count(0)
    assert float(view.locator(".time-diffedit-mask").get_attribute("data-covered")) > before


def test_words_that_have_no_place_are_placed_by_a_button(filled):
    filled.set_value(EDIT, "destination", "a cat\na red dog")
    view = filled.view(EDIT)
    expect(view.get_by_role("alert")).to_contain_text("destination has no place for the word 'rose' of source")
    filled.show(EDIT)
    use = remedy(filled, EDIT, "use replaced words")
    noted(filled)
    use.click()
    assert sent(filled, EDIT)["alignment"] == "replaced words"
    expect(view.get_by_role("alert")).to_have_count(0)
    expect(view.locator(".chip.destination", has_text="cat")).to_be_visible()
    expect(use).to_have_count(0)
    undo(filled, EDIT, "alignment", "inserted words")
    assert filled.value(EDIT, "destination") == "a cat\na red dog"


def test_a_poor_edit_takes_the_suggested_lambda_and_one_that_spills_leaves_padding_out(filled):
    view = filled.view(EDIT)
    expect(view.locator("p.poor")).to_contain_text("Poor. Takes ")
    remedy(filled, EDIT, re.compile("^take lambda ")).click()
    outputs = filled.run()
    (told,) = outputs[str(filled.node_id(EDIT))]["verdict"]
    expect(view.locator(f"p.{told['grade']}")).to_contain_text(f"Takes {told['takes']} %, spills {told['spills']} %.")
    assert told["problem"] in ("spilling", "entangled"), told
    remedy(filled, EDIT, "use without padding").click()
    assert sent(filled, EDIT)["tokens"] == "without padding"


def test_prompts_and_rows_of_tokens_carry_their_names_and_what_is_long_scrolls(filled):
    long = " ".join(["a rose and"] * 12)
    filled.set_value(EDIT, "source", f"{long}\na dog")
    filled.set_value(EDIT, "destination", f"{long} a blue rose\na red dog")
    filled.show(EDIT)
    view = filled.view(EDIT)
    track = view.locator(".track").first
    expect(view.locator(".chip.destination", has_text="+ blue")).to_have_count(1)
    assert view.locator(".rows span").all_inner_texts()[:2] == ["source", "destination"]
    wide, seen = track.evaluate("(track) => [track.scrollWidth, track.clientWidth]")
    assert wide > seen
    track.focus()
    track.press("End")
    filled.settle()
    beside = view.locator(".tokens").first.evaluate(BESIDE)
    assert beside == pytest.approx([0, 0], abs=4)  # each name stands beside its row
    for name in ("source", "destination", "augmentations", "preserve"):
        if filled.renderer == CLASSIC:
            assert filled.page.locator(f"textarea[aria-label='{name}']").count() >= 1
        else:
            assert filled.page.locator(f"[data-node-id='{filled.node_id(EDIT)}']").get_by_text(name, exact=True).count() >= 1
    box = filled.page.locator("textarea:visible").filter(visible=True)
    values = box.evaluate_all("(all) => all.map((one) => one.value)")
    box = box.nth(values.index(f"{long} a blue rose\na red dog"))
    box.focus()
    box.press("Control+End")
    assert box.evaluate("(one) => one.scrollHeight > one.clientHeight && one.scrollTop > 0")
    filled.picture("prompts_named")


@pytest.mark.parametrize("tab", [CLASSIC], indirect=True)
def test_the_classic_canvas_shows_the_names_of_filled_text_boxes(filled):
    """The name itself is drawn, between the boxes."""
    drawn = filled.page.evaluate(
        """(id) => {
          const node = app.graph.getNodeById(id), texts = []
          const record = { save() {}, restore() {}, fillText: (text, x, y) => texts.push([text, y]) }
          node.onDrawForeground(record)
          const boxes = node.widgets.filter(({ element }) => element?.tagName === 'TEXTAREA')
          return [texts, boxes.map(({ label, name, y }) => [label ?? name, y])]
        }""",
        filled.node_id(EDIT),
    )
    texts, boxes = drawn
    assert [name for name, _ in texts] == [name for name, _ in boxes] == ["source", "destination", "augmentations", "preserve"]
    assert all(0 < text - box < 10 for (_, text), (_, box) in zip(texts, boxes, strict=True))
