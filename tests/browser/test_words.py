"""What a node says in the user's language, as the frontend shows it."""

import json

import pytest
from comfy_page import CLASSIC, NODES_2, ComfyPage

from tools.release.words import TRANSLATIONS, inputs_of, node_definitions

ADDED = """(kind) => {
  app.graph.clear()
  const node = LiteGraph.createNode(kind)
  app.graph.add(node)
  return {
    title: node.title,
    widgets: Object.fromEntries(node.widgets.filter((w) => w.label).map((w) => [w.name, w.label])),
    sockets: Object.fromEntries(node.inputs.map((input) => [input.name, input.label ?? input.localized_name])),
    outputs: node.outputs.map((output) => output.localized_name),
    rule: node.widgets.find((w) => w.name === 'rule').value,
  }
}"""
TITLE = """() => {
  const [node] = app.graph.nodes, { scale, offset } = app.canvas.ds, around = app.canvas.canvas.getBoundingClientRect()
  return [around.x + (node.pos[0] + 80 + offset[0]) * scale, around.y + (node.pos[1] - 15 + offset[1]) * scale]
}"""
PICTURES_LOADED = "() => [...document.querySelectorAll('.node-help-content img')].map((i) => i.complete && i.naturalWidth > 0)"


def open_help(comfy: ComfyPage):
    """As a user does: select the node, press (i)."""
    comfy.show("DiffEditMask", zoom=0.6)
    comfy.page.mouse.click(*comfy.page.evaluate(TITLE))
    comfy.page.get_by_test_id("info-button").click()
    return comfy.page.locator(".node-help-content")


def shows_a_picture(comfy: ComfyPage) -> bool:
    comfy.page.wait_for_function(f"({PICTURES_LOADED})().every(Boolean)")
    return len(comfy.page.evaluate(PICTURES_LOADED)) == 1


@pytest.mark.parametrize(("renderer", "language"), [(CLASSIC, "zh"), (NODES_2, "ja"), (CLASSIC, "fr")])
def test_a_node_and_its_help_speak_the_users_language(new_tab, renderer, language):
    comfy = new_tab(renderer, locale=language)
    words = json.loads((TRANSLATIONS / f"{language}.json").read_text(encoding="utf-8"))
    info = node_definitions()["DiffEditMask"]
    shown = comfy.page.evaluate(ADDED, "DiffEditMask")
    assert shown["title"] == words[info["display_name"]]
    for name, label in shown["widgets"].items():
        if name in inputs_of(info):
            assert label == words[name.rpartition(".")[2]]
    assert shown["widgets"]["rule.threshold"] == words["threshold"]
    for name in ("latent", "target", "picture"):
        assert shown["sockets"][name] == words[name]
    assert shown["outputs"][2] == words["coverage"]
    assert shown["outputs"][1] == "HEATMAP", "a socket type of ours has one name"
    assert shown["rule"] == "mean ratio", "what is saved stays English"

    page = open_help(comfy)
    page.get_by_role("heading", name=words[info["display_name"]]).wait_for()
    assert words[inputs_of(info)["rule.threshold"][1]["tooltip"]] in page.inner_text()
    assert shows_a_picture(comfy)
    comfy.picture(f"help_{language}")


def test_a_language_without_a_page_gets_the_english_one(new_tab):
    comfy = new_tab(CLASSIC, locale="ko")
    shown = comfy.page.evaluate(ADDED, "DiffEditMask")
    assert shown["title"] == "DiffEdit Mask"
    open_help(comfy).get_by_role("heading", name="A small workflow").wait_for()
    assert shows_a_picture(comfy)
    assert ["ko.md" in error for error in comfy.errors] == [True], "the frontend asks for the language's own page first"
    comfy.errors.clear()
