"""The nodes and their views in each language, seen as pictures: every character has a shape, and no label is cut off."""

import pytest
from comfy_page import CLASSIC, NODES_2, ComfyPage
from every_view import VIEWS, every_view

from tools.comfyui.client import ComfyClient

LANGUAGES = ("zh", "zh-TW", "ja", "fr")
OURS = """() => Object.entries(LiteGraph.registered_node_types)
  .filter(([, kind]) => kind.nodeData?.category?.startsWith('TIME & DiffEdit')).map(([name]) => name)"""
ALONE = """async ([kind, label]) => {
  app.graph.clear()
  const node = LiteGraph.createNode(kind)
  if (label) {
    node.id = 1000 // the page keeps labels by node and name, for the next node, too
    node.widgets[0].label = label
  }
  app.graph.add(node)
  app.canvas.ds.scale = 1
  app.canvas.centerOnNode(node)
"""
LABELS = """
  const own = (node.widgets ?? []).filter(({ name }) => name !== 'control_after_generate')
  const labels = [...own, ...node.inputs, ...node.outputs, { label: node.title }].map(
    (one) => one.label ?? one.localized_name ?? one.name)
"""
# The labels that are drawn shorter than they are. Values, such as a prompt in one line or a file's name, may be.
CUT_ON_CANVAS = (
    ALONE
    + LABELS
    + """
  const fill = CanvasRenderingContext2D.prototype.fillText, drawn = []
  await new Promise((next) => requestAnimationFrame(next))
  CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
    drawn.push(String(text))
    return fill.call(this, text, ...rest)
  }
  app.canvas.draw(true, true)
  CanvasRenderingContext2D.prototype.fillText = fill
  if (!drawn.includes('TIME-DiffEdit')) throw Error(`${kind} was not drawn: ${drawn}`)
  const whole = drawn.filter((text) => !labels.includes(text)).map((text) => text.replace(/(…|\\.\\.\\.)$/, ''))
  return whole.filter((text) => text.length > 1 && labels.some((label) => label.startsWith(text)))
}"""
)
CUT_IN_PAGE = (
    ALONE
    + LABELS
    + """
  const shown = () => document.querySelector(`[data-node-id="${node.id}"]`)?.innerText ?? ''
  while (![node.title, 'TIME-DiffEdit', label].every((text) => shown().includes(text))) {
    await new Promise((next) => requestAnimationFrame(next))
  }
  const cut = (one) => getComputedStyle(one).textOverflow === 'ellipsis' && one.scrollWidth > one.clientWidth + 1
  const all = [...document.querySelectorAll(`[data-node-id="${node.id}"] *`)]
  return all.map((one) => cut(one) && one.innerText).filter((text) => text && labels.includes(text))
}"""
)
INSIDE = "[...holder.children].find((one) => one.shadowRoot).shadowRoot"
TEXT = f"(holder) => [...{INSIDE}.children].filter((one) => !one.matches('style')).map((one) => one.innerText).join(' ').trim()"
CUT_IN_VIEW = f"""(holder) => {{
  const overflows = (one) => one.clientWidth > 1 && one.scrollWidth > one.clientWidth + 1 // 1: for screen readers only
  const hides = (one) => overflows(one) && getComputedStyle(one).overflowX === 'hidden'
  const sticksOut = (one) => one.matches('button, label, .note, p') && one.getBoundingClientRect().right > edge + 1
  const edge = holder.getBoundingClientRect().right
  return [...{INSIDE}.querySelectorAll('*')].filter((one) => one.textContent && (hides(one) || sticksOut(one)))
    .map((one) => one.textContent.trim())
}}"""
# The browser draws the same box for each character that no font has.
WITHOUT_SHAPE = """(text) => {
  const canvas = document.createElement('canvas'), context = canvas.getContext('2d', { willReadFrequently: true })
  const drawn = (character) => {
    context.clearRect(0, 0, 40, 40)
    context.font = '24px sans-serif'
    context.fillText(character, 4, 30)
    return context.getImageData(0, 0, 40, 40).data.join()
  }
  const box = drawn('\\u{10FFFE}')
  return [...new Set(text)].filter((character) => character.trim() && drawn(character) === box)
}"""


def cut(comfy: ComfyPage, kind: str, label: str = "") -> list[str]:
    """The labels of a new node that are cut off. `label`: of its first widget, if not its own."""
    return comfy.page.evaluate(CUT_ON_CANVAS if comfy.renderer == CLASSIC else CUT_IN_PAGE, [kind, label])


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_label_is_cut_off(new_tab, renderer, language):
    comfy = new_tab(renderer, locale=language)
    kinds = comfy.page.evaluate(OURS)
    assert len(kinds) >= 27 and {*VIEWS} < {*kinds}
    assert cut(comfy, "DDIMInvert", "a label that no node has room for, however wide it is when it is new")
    assert {kind: found for kind in kinds if (found := cut(comfy, kind))} == {}


@pytest.mark.parametrize(
    ("renderer", "language"), [(CLASSIC, "zh"), (NODES_2, "zh-TW"), (CLASSIC, "ja"), (NODES_2, "fr")], indirect=["renderer"]
)
def test_views_are_read_whole(new_tab, renderer, language):
    comfy = new_tab(renderer, locale=language)
    comfy.load(every_view(ComfyClient(comfy.url).object_info()))
    comfy.run()
    for kind in VIEWS:
        comfy.show(kind)
        view = comfy.view(kind)
        text = view.evaluate(TEXT)
        assert text and comfy.page.evaluate(WITHOUT_SHAPE, text) == [], kind
        assert view.evaluate(CUT_IN_VIEW) == [], kind
        comfy.picture(f"view_{kind}_{language}")
