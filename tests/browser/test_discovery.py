"""How the pack's nodes are found: by words, by the colours of their sockets, by links, on the page About."""

import pytest
from comfy_page import CLASSIC, ComfyPage
from playwright.sync_api import expect

from tools.comfyui.client import ComfyClient
from tools.comfyui.environment import PACK_FOLDER

TYPES = ("TIME_EDIT", "TIME_PRIOR", "TRAJECTORY", "HEATMAP", "CROP")
CLASSIC_COLOURS = """(types) => types.map((type) => [
  app.canvas.default_connection_color_byType[type], app.canvas.constructor.link_type_colors[type],
])"""
DOT = """([id, type]) => {
  const dots = [...document.querySelectorAll(`[data-node-id='${id}'] [class*='slot-dot'], [data-node-id='${id}'] *`)]
  const wanted = `var(--color-datatype-${type}`
  const dot = dots.find((dot) => dot.getAttribute('style')?.includes(wanted))
  return dot && getComputedStyle(dot).backgroundColor
}"""


@pytest.fixture(scope="module")
def titles(server) -> set[str]:
    info = ComfyClient(server.url).object_info()
    return {node["display_name"] for node in info.values() if node["python_module"].endswith(PACK_FOLDER)}


def found(comfy: ComfyPage, words: str) -> list[str]:
    """What the page's node search lists, best first."""
    page = comfy.page
    page.evaluate("() => app.extensionManager.command.execute('Workspace.SearchBox.Toggle')")
    field = page.get_by_role("dialog").get_by_role("combobox").or_(page.locator(".comfy-vue-node-search-container input")).first
    field.fill(words)
    comfy.settle(600)
    entries = page.locator("[role=option]:visible").all_inner_texts()
    page.keyboard.press("Escape")
    comfy.settle()
    return [entry.split("\n")[0].strip() for entry in entries]


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("TIME edit", "TIME Edit Model"),
        ("edit model", "TIME Edit Model"),
        ("remove bias", "TIME Balance"),
        ("edit image", "DiffEdit Mask"),
        ("mask from text", "DiffEdit Mask"),
    ],
)
def test_a_node_is_found_by_what_it_does(comfy: ComfyPage, titles, words, first):
    ours = [title for title in found(comfy, words) if title in titles]
    assert ours and ours[0] == first, ours


def test_the_method_s_name_lists_the_pack_s_nodes(comfy: ComfyPage, titles):
    """The frontend puts what begins with the word before all others, and of those the shortest name: TIME Prior."""
    assert {"TIME Edit Model", "TIME Balance", "TIME Prior"} <= set(found(comfy, "TIME")) & titles


def test_sockets_have_colours_of_their_own_in_every_theme(comfy: ComfyPage):
    for theme in ("dark", "light"):
        with comfy.setting("Comfy.ColorPalette", theme):
            colours = comfy.page.evaluate(CLASSIC_COLOURS, TYPES)
            assert all(socket == link for socket, link in colours)
            assert len({socket for socket, _ in colours} - {"", None}) == len(TYPES)
            if comfy.renderer == CLASSIC:
                continue
            for kind, type_ in (("TIMEApplyEdit", "TIME_EDIT"), ("HeatmapToMask", "HEATMAP")):
                add = "(kind) => { app.graph.clear(); const n = LiteGraph.createNode(kind); app.graph.add(n); return n.id }"
                node = comfy.page.evaluate(add, kind)
                comfy.settle(500)
                drawn = comfy.page.evaluate(DOT, [str(node), type_])
                red, green, blue = (int(colours[TYPES.index(type_)][0][i : i + 2], 16) for i in (1, 3, 5))
                assert drawn == f"rgb({red}, {green}, {blue})"


@pytest.mark.parametrize(
    ("type_", "wanted"),
    [
        ("TIME_EDIT", "TIMEApplyEdit"),
        ("TIME_PRIOR", "TIMEEditModel"),
        ("TRAJECTORY", "MaskedLatentSample"),
        ("HEATMAP", "HeatmapToMask"),
    ],
)
def test_a_link_dragged_from_our_outputs_offers_our_nodes(comfy: ComfyPage, type_, wanted):
    assert wanted in comfy.page.evaluate("(type) => LiteGraph.slot_types_default_out[type]", type_)


def test_the_page_about_names_the_pack(comfy: ComfyPage):
    page = comfy.page
    page.evaluate("() => app.extensionManager.command.execute('Comfy.ShowSettingsDialog')")
    page.get_by_text("About", exact=True).first.click()
    expect(page.get_by_test_id("about-panel").get_by_text("TIME & DiffEdit")).to_be_visible()
    page.keyboard.press("Escape")
    comfy.settle()
