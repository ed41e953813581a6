"""TIME Edit Model shows which token becomes which while one types, and how well the edit went after a run."""

import re

import pytest
from comfy_page import ComfyPage
from playwright.sync_api import expect

from tools.presets import presets

NODE = "TIMEEditModel"
PROMPTS = {"source": "A pack of roses", "destination": "A pack of blue roses", "augmentations": "", "preserve": ""}
# With `alignment`: an API workflow opened in a used tab takes over what widgets of the same id were left at.
SETTINGS = {"lamb": 0.1, "edit_keys": True, "edit_values": True, "alignment": "inserted words", **PROMPTS}
# What a run of a whole picture would show, without the picture.
EDIT = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "toyworld.safetensors"}},
    "2": {"class_type": NODE, "inputs": {"model": ["1", 0], "clip": ["1", 1], "strength": 1.0, **SETTINGS}},
    "3": {"class_type": "PreviewAny", "inputs": {"source": ["2", 1]}},
}
SDXL = {
    "1": {
        "class_type": "DualCLIPLoader",
        "inputs": {"clip_name1": "l.safetensors", "clip_name2": "g.safetensors", "type": "sdxl"},
    },
    "2": {"class_type": "CLIPSetLastLayer", "inputs": {"clip": ["1", 0], "stop_at_clip_layer": -2}},
    "3": {"class_type": "TIMEComputeEdit", "inputs": {"clip": ["2", 0], **SETTINGS}},
}
ROUTE = "**/time_diffedit/alignment"
CHANGED_WHILE_IT_RUNS = """(id) => app.api.addEventListener('execution_start', () => {
  const node = app.graph.getNodeById(id), widget = node.widgets.find((w) => w.name === 'layers')
  widget.value = '0'
  widget.callback?.('0', app.canvas, node)
}, { once: true })"""


def chips(view, row: str) -> list[str]:
    """The tokens of one row in the order in which they are seen, as text."""
    found = view.locator(f".chip.{row}").evaluate_all(
        "(all) => all.map((chip) => [chip.getBoundingClientRect().x, chip.textContent])"
    )
    return [text for _, text in sorted(found)]


def type_prompts(comfy: ComfyPage, source: str, destination: str, kind: str = NODE):
    comfy.set_value(kind, "source", source)
    comfy.set_value(kind, "destination", destination)
    return comfy.view(kind)


@pytest.fixture
def edit_model(comfy):
    comfy.load(EDIT)
    return comfy


def test_tokens_are_shown_as_soon_as_prompts_are_typed(edit_model):
    view = type_prompts(edit_model, "A pack of roses", "A pack of blue roses")
    expect(view.get_by_text("+ blue")).to_be_visible()
    assert chips(view, "source") == ["begin", "a", "pack", "of", "roses", "end", "71 × padding"]
    assert chips(view, "destination") == ["begin", "a", "pack", "of", "+ blue", "roses", "end", "70 × padding"]
    assert view.locator("path.line").count() == 7
    assert "CLIP-L. Source: a pack of roses. Destination: a pack of blue roses. Inserted: blue. Dropped: –." in (
        view.get_by_role("img").get_attribute("aria-label")
    )
    expect(view.get_by_text("Run to see fit, leak and the effect of lambda.")).to_be_visible()
    expect(view.get_by_text(re.compile("is assumed"))).to_have_count(0)
    edit_model.show(NODE)
    edit_model.picture("alignment_typed")


def test_typing_into_the_field_itself(edit_model):
    """Not through the test's own setting of values, but by keys."""
    edit_model.show(NODE)
    fields = edit_model.page.locator("textarea")
    values = fields.evaluate_all("(all) => all.map((field) => field.value)")
    fields.nth(values.index(edit_model.value(NODE, "destination"))).fill("A pack of very tall roses")
    edit_model.set_value(NODE, "source", "A pack of roses")
    expect(edit_model.view(NODE).get_by_text("+ tall")).to_be_visible()
    assert edit_model.value(NODE, "destination") == "A pack of very tall roses"


def test_dropped_and_replaced_words(edit_model):
    edit_model.set_value(NODE, "alignment", "replaced words")
    view = type_prompts(edit_model, "a big dog in rain", "a cat in rain")
    expect(view.get_by_text("cat", exact=True)).to_be_visible()
    assert chips(view, "source") == ["begin", "a", "big", "dog", "in", "rain", "end", "70 × padding"]
    type_prompts(edit_model, "a dog in big rain", "a cat in rain")
    expect(view.get_by_text("− big")).to_be_visible()
    edit_model.set_value(NODE, "alignment", "whole prompt")
    expect(view.get_by_text("italic: does not carry the edit")).to_be_visible()
    assert chips(view, "source") == ["begin", "a", "dog", "in", "big", "rain", "end", "70 × padding"]
    assert view.locator("path.line").count() == 3


def test_what_cannot_be_aligned_is_said_in_the_node_s_words(edit_model):
    view = type_prompts(edit_model, "a dog", "a cat")
    expect(view.get_by_role("alert")).to_contain_text("destination has no place for the word 'dog' of source")
    type_prompts(edit_model, "a\nb", "a")
    expect(view.get_by_role("alert")).to_contain_text("source has 2 lines and destination has 1")
    assert view.locator(".chip").count() == 0


def test_prompts_that_take_the_server_too_long_are_said_to_be_too_long(edit_model):
    view = type_prompts(edit_model, "\n".join(["a " * 250] * 8), "\n".join(["a " * 499] * 8))
    expect(view.get_by_text("The prompts are too long to be aligned before a run.")).to_be_visible()
    assert view.locator(".chip").count() == 0
    assert all("status of 413" in error for error in edit_model.errors)  # the browser's own line
    edit_model.errors.clear()


def test_lines_are_turned_by_the_pager(edit_model):
    view = type_prompts(edit_model, "a dog\na rose\na cat", "a red dog\na blue rose | 2\na bird")
    expect(view.get_by_text("Cannot be aligned: line 3")).to_be_visible()
    view.get_by_role("button", name="Next line").click()
    expect(view.get_by_text("+ blue")).to_be_visible()
    expect(view.get_by_text("weight 2")).to_be_visible()
    view.get_by_role("button", name="Next line").press("Enter")
    expect(view.get_by_role("alert")).to_contain_text("'cat'")
    expect(view.get_by_role("button", name="Next line")).to_be_disabled()


def test_several_placements_and_brackets(edit_model):
    view = type_prompts(edit_model, "roses", "roses and roses")
    expect(view.get_by_text(re.compile("1 other placements are as good"))).to_be_visible()
    type_prompts(edit_model, "roses", "[roses and] roses")
    expect(view.get_by_text(re.compile("1 other placements are as good"))).to_have_count(0)
    assert chips(view, "destination")[1:4] == ["+ roses", "+ and", "roses"]


def test_only_the_last_answer_counts(edit_model):
    """The answer to the earlier prompts comes later."""
    edit_model.page.evaluate(
        """() => {
          const fetch = window.fetch
          window.fetch = async (path, options) => {
            const slow = String(path).includes('time_diffedit') && options.body.includes('slow')
            if (slow) await new Promise((done) => setTimeout(done, 2500))
            return fetch(path, slow ? { ...options, signal: undefined } : options)
          }
        }"""
    )
    type_prompts(edit_model, "a rose", "a slow rose")
    edit_model.settle(800)
    view = type_prompts(edit_model, "a rose", "a fast rose")
    expect(view.get_by_text("+ fast")).to_be_visible()
    edit_model.settle(2500)
    assert "+ fast" in chips(view, "destination") and "+ slow" not in chips(view, "destination")


def test_two_text_encoders_are_two_tracks(comfy):
    """SDXL's, found through a loader and a node between; the files themselves need not be there."""
    comfy.load(SDXL)
    view = type_prompts(comfy, "A pack of roses", "A pack of blue roses", "TIMEComputeEdit")
    expect(view.get_by_text("CLIP-G", exact=True)).to_be_visible()
    expect(view.get_by_text("CLIP-L", exact=True)).to_be_visible()
    assert view.get_by_text("+ blue").count() == 2
    comfy.show("TIMEComputeEdit")
    comfy.picture("alignment_sdxl")


def test_an_encoder_that_is_not_known_is_said_to_be_assumed(comfy):
    comfy.load({"1": {"class_type": "TIMEComputeEdit", "inputs": SETTINGS}})
    view = type_prompts(comfy, "A pack of roses", "A pack of blue roses", "TIMEComputeEdit")
    expect(view.get_by_text("+ blue")).to_be_visible()
    expect(view.get_by_text(re.compile("CLIP-L .* is assumed"))).to_be_visible()


def test_a_run_brings_the_diagnostics(edit_model):
    view = type_prompts(edit_model, "A pack of roses", "A pack of blue roses")
    outputs = edit_model.run()
    shown = outputs[str(edit_model.node_id(NODE))]
    found = shown["time_edit"][0]["diagnostics"]
    numbers = view.locator(".numbers")
    expect(numbers).to_contain_text(f"rank {found['rank']}")
    for name, value in (("fit residual", found["fit_residual"]), ("leak", found["empty_leak"])):
        said = float(re.search(rf"{name} ([\d.e-]+)", numbers.inner_text())[1])
        assert said == pytest.approx(value, rel=0.01)
    assert chips(view, "destination")[4] == "+ blue"
    expect(view.get_by_text("Changed since: this is the last run.")).to_have_count(0)

    plot = view.get_by_role("slider")
    points = shown["lambda_curve"]
    plot.focus()
    plot.press("End")
    expect(plot).to_have_attribute("aria-valuetext", re.compile(r"lambda 100: fit residual "))
    plot.press("ArrowLeft")
    plot.press("Enter")
    assert edit_model.value(NODE, "lamb") == pytest.approx(points[-2]["lamb"], rel=0.01)
    expect(view.get_by_text("Changed since: this is the last run.")).to_be_visible()
    assert edit_model.api()[str(edit_model.node_id(NODE))]["inputs"]["lamb"] == edit_model.value(NODE, "lamb")

    edit_model.set_value(NODE, "lamb", 0.1)
    expect(view.get_by_text("Changed since: this is the last run.")).to_have_count(0)
    type_prompts(edit_model, "A pack of roses", "A pack of red roses")
    expect(view.get_by_text("+ red")).to_be_visible()
    expect(view.get_by_text("Changed since: this is the last run.")).to_be_visible()
    edit_model.show(NODE)
    edit_model.picture("alignment_after_a_run")


def test_what_changed_since_the_run_is_known_after_undo_and_to_a_run_that_waited(edit_model):
    changed = edit_model.view(NODE).get_by_text("Changed since: this is the last run.")
    edit_model.set_value(NODE, "preserve", "a lily\na tulip | 2\n")
    edit_model.run()
    expect(changed).to_have_count(0)
    for name, other, again in (
        ("edit_keys", False, True),
        ("preserve", "a lily\na tulip | 3", "a lily\n\na tulip | 2"),
        ("augmentations", "A photo of", ""),
        ("lambda_unit", "relative to the rows", "absolute"),
        ("where", "text entry layer", "cross-attention"),
    ):
        edit_model.set_value(NODE, name, other)
        expect(changed).to_be_visible()
        undo_a_new_node(edit_model)
        expect(edit_model.view(NODE).locator(".numbers")).to_be_visible()
        assert edit_model.value(NODE, name) == other
        expect(changed).to_be_visible()
        edit_model.set_value(NODE, name, again)
        expect(changed).to_have_count(0)
    # Between the order and the result.
    edit_model.page.evaluate(CHANGED_WHILE_IT_RUNS, edit_model.node_id(NODE))
    edit_model.set_value(NODE, "lamb", 0.3)
    edit_model.run()
    assert edit_model.value(NODE, "layers") == "0"
    expect(changed).to_be_visible()
    edit_model.set_value(NODE, "layers", "all")
    expect(changed).to_have_count(0)


def undo_a_new_node(comfy: ComfyPage) -> None:
    """Undo replaces all nodes, and the page gives back to them what the run found."""
    comfy.page.evaluate("""() => {
      for (const change of [() => {}, () => app.graph.add(LiteGraph.createNode('Note'))]) {
        app.canvas.emitBeforeChange()
        change()
        app.canvas.emitAfterChange()
      }
      app.graph.nodes.forEach((node) => (node.isBefore = true))
    }""")
    comfy.page.evaluate("() => app.extensionManager.command.execute('Comfy.Undo')")
    comfy.page.wait_for_function("() => app.graph.nodes.length && !app.graph.nodes.some((node) => node.isBefore)")
    comfy.settle()


def test_a_server_that_did_not_answer_is_asked_again(edit_model):
    edit_model.page.route(ROUTE, lambda route: route.fulfill(status=500))
    view = type_prompts(edit_model, "A pack of roses", "A pack of tall roses")
    expect(view.get_by_text("The server does not answer")).to_be_visible()
    edit_model.page.unroute(ROUTE)
    assert all("500" in error for error in edit_model.errors)
    edit_model.errors.clear()
    edit_model.set_value(NODE, "strength", 0.9)  # about which it is not asked
    expect(view.get_by_text("+ tall")).to_be_visible()
    edit_model.set_value(NODE, "strength", 1.0)


def test_another_checkpoint_is_asked_about_when_the_pointer_comes(edit_model):
    type_prompts(edit_model, "A pack of roses", "A pack of blue roses")
    expect(edit_model.view(NODE).get_by_text("+ blue")).to_be_visible()
    edit_model.settle(600)
    edit_model.set_value("CheckpointLoaderSimple", "ckpt_name", "another.safetensors")
    edit_model.show(NODE)
    edit_model.page.mouse.move(5, 500)
    with edit_model.page.expect_request(ROUTE) as asked:
        edit_model.view(NODE).get_by_label("Preset").hover()
    assert asked.value.post_data_json["encoder"] == {"checkpoint": "another.safetensors"}


def test_a_click_into_the_curve_takes_that_lambda(edit_model):
    edit_model.run()
    edit_model.show(NODE)
    plot = edit_model.view(NODE).get_by_role("slider")
    box = plot.bounding_box()
    plot.click(position={"x": box["width"] - 12, "y": box["height"] / 2})
    assert edit_model.value(NODE, "lamb") == pytest.approx(100)


def test_a_sentence_says_how_well_it_went_and_the_suggested_lambda_is_taken(edit_model):
    edit_model.set_value(NODE, "lamb", 1e5)
    view = edit_model.view(NODE)
    shown = edit_model.run()[str(edit_model.node_id(NODE))]
    (told,) = shown["verdict"]
    best = told["suggested"]
    assert told["problem"] == "partial" and 0.001 < best["lamb"] < 1e5
    said = f"Takes {told['takes']} %, spills {told['spills']} %. The source is changed only in part: lower lambda."
    expect(view.locator("p.poor", has_text=said)).to_be_visible()
    expect(view.get_by_text(re.compile(r"fit residual 0\.\d+, leak 0\.\d+"))).to_be_visible()
    edit_model.show(NODE)
    edit_model.picture("alignment_suggestion")
    take = view.get_by_role("button", name=re.compile("^take lambda "))
    take.click()
    assert edit_model.value(NODE, "lamb") == pytest.approx(best["lamb"])
    assert edit_model.api()[str(edit_model.node_id(NODE))]["inputs"]["lamb"] == edit_model.value(NODE, "lamb")
    expect(take).to_have_count(0)
    expect(view.get_by_text("Changed since: this is the last run.")).to_be_visible()

    (told,) = edit_model.run()[str(edit_model.node_id(NODE))]["verdict"]
    assert told["problem"] != "partial" and 90 <= told["takes"] <= 95
    expect(view.locator(f"p.{told['grade']}", has_text=f"Takes {told['takes']} %, spills {told['spills']} %.")).to_be_visible()
    expect(take).to_have_count(0)

    edit_model.set_value(NODE, "lamb", 0.1)
    expect(take).to_be_visible()
    edit_model.set_value(NODE, "lambda_unit", "relative to the rows")  # its value is in the other unit
    expect(take).to_have_count(0)
    edit_model.set_value(NODE, "lambda_unit", "absolute")


def test_presets_write_the_inputs_that_run(comfy):
    comfy.load(EDIT | {"4": {"class_type": "TIMEPrior", "inputs": {"clip": ["1", 1]}}})
    view = comfy.view(NODE)
    choice, hint = view.get_by_label("Preset"), view.get_by_text("Connect TIME Prior to prior: without it rho does nothing.")
    for name, wanted in reversed(presets().items()):
        choice.select_option(name)
        assert {each: comfy.value(NODE, each) for each in wanted} == wanted
        sent = comfy.api()[str(comfy.node_id(NODE))]["inputs"]
        assert {each: sent[each] for each in wanted} == wanted
        expect(choice).to_have_value(name)
        expect(hint).to_have_count(int(name != "published"))
        assert comfy.value(NODE, "source") == PROMPTS["source"]
    comfy.set_value(NODE, "tokens", "last word")
    expect(choice).to_have_value("custom")
    choice.select_option("precise")
    comfy.show(NODE)
    comfy.picture("alignment_preset")
    connect = "([from, to]) => app.graph.getNodeById(from).connect(0, app.graph.getNodeById(to), 'prior')"
    comfy.page.evaluate(connect, [comfy.node_id("TIMEPrior"), comfy.node_id(NODE)])
    expect(hint).to_have_count(0)
    expect(choice).to_have_value("precise")
    choice.select_option("published")  # what the tab's next graph takes over


def test_light_theme(edit_model):
    with edit_model.setting("Comfy.ColorPalette", "light"):
        view = type_prompts(edit_model, "A pack of roses", "A pack of blue roses")
        edit_model.run()
        expect(view.get_by_role("slider")).to_be_visible()
        edit_model.show(NODE)
        edit_model.picture("alignment_light")
