"""Every view of the pack without a mouse and without eyes: axe over each of them, and each used by keys alone."""

import json
import re

import pytest
from comfy_page import ComfyPage
from every_view import VIEWS, every_view
from playwright.sync_api import expect

from tools.check import MODULES, install_node
from tools.comfyui.client import ComfyClient
from tools.presets import presets

# Rules without which a pass says little: axe must have found something of each view to judge by them.
JUDGED = {"color-contrast", "aria-valid-attr", "aria-allowed-attr"}
MOST_STOPS = 170  # of Tab, more than the page has
AXE = """async (selector) => {
  const { violations, passes } = await axe.run({ include: [[selector]] })
  const told = (rules) => rules.map(({ id, help, nodes }) => ({
    id, help, nodes: nodes.map((node) => `${node.html.slice(0, 200)} ${node.failureSummary ?? ''}`),
  }))
  return { violations: told(violations), passes: passes.map(({ id }) => id) }
}"""


@pytest.fixture(scope="session")
def axe() -> str:
    """Deque's, by npm and pinned in tools/lock; its text."""
    install_node()
    return (MODULES / "axe-core" / "axe.min.js").read_text()


@pytest.fixture(scope="module")
def workflow(server) -> dict:
    return every_view(ComfyClient(server.url).object_info())


# axe takes whatever lies over a node for being in front of it, so that it would judge no contrast: a view is judged where it
# lies over all, on the node's own background.
LIFT = """(id) => {
  const root = document.querySelector(`[data-time-diffedit='${id}']`)
  let behind = LiteGraph.NODE_DEFAULT_BGCOLOR
  for (let one = root; one && !one.matches('.graph-canvas-container'); one = one.parentElement) {
    const { backgroundColor } = getComputedStyle(one)
    if (backgroundColor.startsWith('rgb(')) { behind = backgroundColor; break }
  }
  const box = document.createElement('div')
  box.id = 'lifted'
  box.style = `position: fixed; z-index: 99999; left: 100px; top: 100px; background: ${behind};
    width: ${root.offsetWidth}px; height: ${root.offsetHeight}px`
  document.body.append(box)
  box.append(root.firstElementChild)
}"""
LAY_BACK = """(id) => {
  const box = document.getElementById('lifted')
  document.querySelector(`[data-time-diffedit='${id}']`).append(box.firstElementChild)
  box.remove()
}"""
# What has the focus, and in which node's view.
FOCUSED = """() => {
  let element = document.activeElement
  const view = element?.closest('[data-time-diffedit]')?.dataset.timeDiffedit
  if (!view) return null
  while (element.shadowRoot?.activeElement) element = element.shadowRoot.activeElement
  const { outlineStyle, outlineWidth } = getComputedStyle(element)
  const name = element.ariaLabel ?? element.labels?.[0]?.textContent ?? element.textContent
  return { view, name: name.trim(), tag: element.tagName, outline: outlineStyle === 'none' ? 0 : parseFloat(outlineWidth) }
}"""
FOCUSABLE = """(root) => [...root.firstElementChild.shadowRoot.querySelectorAll('button, select, input, [tabindex="0"]')]
  .filter((one) => !one.disabled && one.checkVisibility()).length"""


@pytest.fixture
def filled(comfy, workflow) -> ComfyPage:
    comfy.load(workflow)
    comfy.run()
    return comfy


def judge(comfy: ComfyPage, axe: str, kind: str) -> dict:
    if not comfy.page.evaluate("() => 'axe' in window"):
        comfy.page.evaluate(f"() => {{ {axe} }}")
    comfy.show(kind)
    comfy.page.evaluate(LIFT, comfy.node_id(kind))
    try:
        return comfy.page.evaluate(AXE, "#lifted")
    finally:
        comfy.page.evaluate(LAY_BACK, comfy.node_id(kind))


def in_words(violations: dict) -> str:
    return json.dumps({str(view): told for view, told in violations.items() if told}, indent=1)


def tab_to(comfy: ComfyPage, kind: str, name: str) -> None:
    """Presses Tab until a control of this name, in the view of this node, has the focus."""
    comfy.show(kind)
    for _ in range(MOST_STOPS):
        comfy.page.keyboard.press("Tab")
        focused = comfy.page.evaluate(FOCUSED)
        if focused and focused["view"] == str(comfy.node_id(kind)) and focused["name"].startswith(name):
            return
    raise AssertionError(f"Tab does not reach {name!r} of {kind}")


def test_axe_finds_nothing_wrong_in_any_view_in_both_themes(filled, axe):
    for theme in ("dark", "light"):
        with filled.setting("Comfy.ColorPalette", theme):
            filled.settle(500)
            found = {kind: judge(filled, axe, kind) for kind in VIEWS}
        violations = {kind: result["violations"] for kind, result in found.items()}
        assert violations == dict.fromkeys(VIEWS, []), f"{theme}: {in_words(violations)}"
        assert all(set(result["passes"]) >= JUDGED for result in found.values())


def test_axe_finds_nothing_wrong_before_a_run_and_something_in_a_view_that_lost_its_name(comfy, workflow, axe):
    comfy.load(workflow)
    violations = {kind: judge(comfy, axe, kind)["violations"] for kind in VIEWS}
    assert violations == dict.fromkeys(VIEWS, []), in_words(violations)
    preset = comfy.view("TIMEEditModel").locator(".preset label")
    preset.evaluate("(label) => label.replaceWith(...label.querySelectorAll('select'))")
    assert [rule["id"] for rule in judge(comfy, axe, "TIMEEditModel")["violations"]] == ["label-title-only"]


def test_tab_reaches_every_control_of_a_view_and_shows_where_it_is(filled):
    """With all views in the window, as the classic canvas takes those beyond it off the page."""
    filled.page.evaluate("""async () => {
      await app.extensionManager.command.execute('Comfy.Canvas.FitView')
      app.canvas.deselectAll?.()
    }""")
    filled.settle(1500)
    reached: dict[str, dict] = {}
    for _ in range(MOST_STOPS):
        filled.page.keyboard.press("Tab")
        if focused := filled.page.evaluate(FOCUSED):
            assert focused["name"], focused
            assert focused["outline"] >= 2, focused
            reached.setdefault(focused["view"], {})[focused["tag"], focused["name"]] = True
    for kind in VIEWS:
        view = str(filled.node_id(kind))
        assert len(reached.get(view, {})) == filled.view(kind).evaluate(FOCUSABLE), (kind, reached.get(view))


def test_by_keys_alone(filled):
    """A mask is moved, a preset chosen, a lambda read and taken, and all of it run: by keys, and nothing of it moves a node."""
    page = filled.page
    places = "() => JSON.stringify([app.canvas.ds.offset, app.graph.nodes.map((node) => [...node.pos])])"

    tab_to(filled, "DiffEditMask", "Threshold")
    page.evaluate("(id) => app.canvas.selectNode(app.graph.getNodeById(id))", filled.node_id("TIMEEditModel"))
    before = page.evaluate(places)
    for key in ("ArrowRight", "ArrowRight", "PageUp"):
        page.keyboard.press(key)
    assert filled.value("DiffEditMask", "rule.threshold") == 0.62
    line = filled.view("DiffEditMask").get_by_role("slider", name="Threshold")
    expect(line).to_have_attribute("aria-valuenow", "0.62")
    expect(line).to_have_attribute("aria-valuetext", re.compile(r"^threshold 0\.62, Masked: [\d.]+ %$"))
    assert page.evaluate(places) == before

    tab_to(filled, "TIMEEditModel", "Preset")
    before = page.evaluate(places)
    page.keyboard.press("r")  # the first letter of an option, and the host's key for other things
    filled.settle()
    assert filled.value("TIMEEditModel", "lamb") == presets()["recommended"]["lamb"]
    assert page.evaluate(places) == before

    tab_to(filled, "TIMEEditModel", "What other values of lambda give")
    before = page.evaluate(places)
    for key in ("Home", "ArrowRight", "ArrowUp", "ArrowDown"):
        page.keyboard.press(key)
    plot = filled.view("TIMEEditModel").get_by_role("slider")
    said = plot.get_attribute("aria-valuetext")
    page.keyboard.press("Enter")
    lamb = filled.value("TIMEEditModel", "lamb")
    assert float(re.match(r"lambda ([\d.e]+): fit residual [\d.e-]+, leak", said)[1]) == pytest.approx(lamb, rel=0.01)
    assert page.evaluate(places) == before

    changed = "Changed since: this is the last run."
    expect(filled.view("TIMEEditModel").get_by_text(changed)).to_be_visible()
    page.keyboard.press("Control+Enter")
    expect(filled.view("TIMEEditModel").get_by_text(changed)).to_have_count(0)
    assert filled.value("TIMEEditModel", "lamb") == lamb
    filled.set_value("TIMEEditModel", "lambda_unit", "absolute")
