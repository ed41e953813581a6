"""A choice shows its own settings and nothing else, and the nodes that have a view fit on a small screen."""

import pytest
from comfy_page import CLASSIC, LAID_OUT_FOR_IT, ComfyPage

from tools.comfyui.client import ComfyClient
from tools.comfyui.environment import TOY_CHECKPOINT
from tools.workflows.examples import EXAMPLE_PICTURE
from tools.workflows.workflow import Choice, Graph, ui_workflow

MASK, AGAIN, INVERT = "DiffEditMask", "HeatmapToMask", "DDIMInvert"
HIGHEST = 670 if LAID_OUT_FOR_IT else 720  # pixels of a node with its title; of a screen of 1280 x 720 the canvas has 682
ADD = """async (kind) => {
  app.graph.clear()
  app.graph.add(LiteGraph.createNode(kind))
  app.canvas.setDirty(true, true)
}"""
ON_IT = """([id, choice]) => {
  const node = app.graph.getNodeById(id), ours = ({ name }) => name.startsWith(`${choice}.`)
  return { widgets: node.widgets.filter(ours).map((w) => [w.name, w.value]),
    sockets: node.inputs.filter((input) => ours(input) && !input.widget).map((input) => input.name) }
}"""
LAST = "(id) => app.graph.getNodeById(id).widgets.at(-1).name"
HEIGHT = """([id, classic]) => classic ? app.graph.getNodeById(id).size[1] + LiteGraph.NODE_TITLE_HEIGHT
  : document.querySelector(`[data-node-id='${id}']`).getBoundingClientRect().height / app.canvas.ds.scale"""
NODE_BOX = """([id, classic]) => {
  const node = app.graph.getNodeById(id), { scale, offset } = app.canvas.ds, around = app.canvas.canvas.getBoundingClientRect()
  if (!classic) {
    const { left, top, right, bottom } = document.querySelector(`[data-node-id='${id}']`).getBoundingClientRect()
    return [left, top, right, bottom]
  }
  const [left, top] = [0, 1].map((i) => (node.pos[i] + offset[i]) * scale + [around.x, around.y][i])
  return [left, top, left + node.size[0] * scale, top + node.size[1] * scale]
}"""
CLIPPED = """(root) => {
  const parts = [...root.querySelector('div').shadowRoot.querySelectorAll('.view, .root, .row')]
  const isCut = (part) => part.scrollHeight > part.clientHeight + 1 || part.scrollWidth > part.clientWidth + 1
  const size = (part) => [part.scrollWidth, part.clientWidth, part.scrollHeight, part.clientHeight]
  return parts.filter(isCut).map((part) => [part.className, ...size(part)])
}"""


@pytest.fixture
def small_screen(comfy: ComfyPage):
    before = comfy.page.viewport_size
    comfy.page.set_viewport_size({"width": 1280, "height": 720})
    comfy.settle()
    yield comfy
    comfy.page.set_viewport_size(before)


@pytest.fixture(scope="module")
def workflow(server) -> dict:
    """Both nodes with a picture, at their defaults but for what makes them quick."""
    graph = Graph()
    loader = graph.add("CheckpointLoaderSimple", ckpt_name=TOY_CHECKPOINT)
    picture = graph.add("LoadImage", image=EXAMPLE_PICTURE)
    latent = graph.add("VAEEncode", pixels=picture[0], vae=loader[2])
    texts = [graph.add("CLIPTextEncode", text=text, clip=loader[1]) for text in ("a blue rose", "a red rose")]
    both = {"model": loader[0], "latent": latent[0]}
    mask = graph.add(
        MASK, target=texts[0][0], source=texts[1][0], picture=picture[0], seed=1, maps=2, noise_strength=0.5, **both
    )
    inversion = graph.add(INVERT, clip=loader[1], steps=10, strength=0.8, cfg=1.0, method=Choice("ddim"), **both)
    graph.add("PreviewAny", source=inversion[3])
    graph.add("MaskPreview", mask=mask[0])
    return ui_workflow(graph.api(), ComfyClient(server.url).object_info())


def add(comfy: ComfyPage, kind: str) -> int:
    """A new node, alone on the graph, with its view."""
    comfy.page.evaluate(ADD, kind)
    node = comfy.node_id(kind)
    if kind in (MASK, AGAIN, INVERT):
        comfy.page.wait_for_function("(id) => document.querySelector(`[data-time-diffedit='${id}']`)?.firstChild", arg=node)
    comfy.settle()
    return node


def height(comfy: ComfyPage, kind: str) -> float:
    return comfy.page.evaluate(HEIGHT, [comfy.node_id(kind), comfy.renderer == CLASSIC])


@pytest.mark.parametrize("kind", [MASK, INVERT])
def test_a_new_node_fits_on_a_small_screen(small_screen: ComfyPage, kind):
    add(small_screen, kind)
    small_screen.show(kind)
    assert 400 < height(small_screen, kind) <= HIGHEST
    small_screen.picture(f"low_{kind}")


@pytest.mark.parametrize("kind", [MASK, INVERT])
def test_a_node_that_ran_fits_and_nothing_of_its_view_is_cut_off(small_screen: ComfyPage, workflow, kind):
    comfy = small_screen
    comfy.load(workflow)
    comfy.page.evaluate("(id) => { const n = app.graph.getNodeById(id); n.setSize(n.computeSize()) }", comfy.node_id(kind))
    comfy.run()
    comfy.show(kind)
    view = comfy.view(kind)
    view.get_by_role("slider").first.wait_for()
    assert 400 < height(comfy, kind) <= HIGHEST
    left, top, right, bottom = comfy.page.evaluate(NODE_BOX, [comfy.node_id(kind), comfy.renderer == CLASSIC])
    box = view.bounding_box()
    assert left <= box["x"] and box["x"] + box["width"] <= right and top <= box["y"] and box["y"] + box["height"] <= bottom
    assert view.evaluate(CLIPPED) == []
    picture = view.locator("canvas" if kind == MASK else "svg.plot").first.bounding_box()
    assert min(picture["width"], picture["height"]) > 80
    comfy.picture(f"low_ran_{kind}")


THRESHOLDS = [["rule.threshold_ratio", 3.0], ["rule.threshold", 0.5]]
RULES = {
    "paper": [["rule.outliers", 2.0], ["rule.threshold", 0.5]],
    "level": [["rule.level", 0.05]],
    "otsu": [["rule.area_floor", 0.5]],
    "area": [["rule.area", 20.0]],
    "mean ratio": THRESHOLDS,
}
NEGATIVES = ["compare.target_negative", "compare.source_negative"]
REGULARISATION = {"num_reg_steps": 5, "lambda_auto_corr": 20, "lambda_kl": 20, "num_auto_corr_rolls": 5, "seed": 0}
# By node and choice: option to its widgets with their values, and its sockets. The first stands last, too.
SHOWN = {
    (MASK, "rule"): {option: (widgets, []) for option, widgets in RULES.items()},
    (AGAIN, "rule"): {option: (widgets, []) for option, widgets in RULES.items()},
    (MASK, "compare"): {
        "two prompts, guided": ([["compare.cfg", 7.5]], NEGATIVES),
        "two models": ([], ["compare.target_model"]),
        "two models, guided": ([["compare.cfg", 7.5]], ["compare.target_model", *NEGATIVES]),
        "prompt and picture": ([], []),
        "two prompts": ([], []),
    },
    (INVERT, "method"): {
        "predictor": ([], []),
        "fixed point": ([["method.refinements", 3]], []),
        "midpoint": ([], []),
        "fireflow": ([], []),
        "o-belm": ([], []),
        "ddpm": ([["method.seed", 0]], []),
        "ddim": ([], []),
    },
    (INVERT, "regularisation"): {
        "pix2pix-zero": ([[f"regularisation.{name}", value] for name, value in REGULARISATION.items()], []),
        "none": ([], []),
    },
}


@pytest.mark.parametrize(("kind", "choice"), SHOWN)
def test_an_option_shows_its_own_settings_and_no_others(comfy: ComfyPage, kind, choice):
    node, options = add(comfy, kind), SHOWN[kind, choice]
    last = list(options)[-1]
    assert comfy.value(kind, choice) == last, "what is chosen first"
    for option in (last, *options):
        comfy.set_value(kind, choice, option)
        found = comfy.page.evaluate(ON_IT, [node, choice])
        widgets, sockets = options[option]
        assert (found["widgets"], found["sockets"]) == (widgets, sockets), option
        assert comfy.page.evaluate(LAST, node) == "time_diffedit_view", "the view stays below the inputs"


def test_the_page_draws_the_settings_of_the_option_that_is_chosen(comfy: ComfyPage):
    """What the page draws, not only what the node holds."""
    node = add(comfy, MASK)
    comfy.set_value(MASK, "rule", "otsu")
    comfy.show(MASK)
    if comfy.renderer == CLASSIC:
        drawn = comfy.page.evaluate(
            "(id) => app.graph.getNodeById(id).widgets.filter((w) => w.y > 0).map((w) => w.label)", node
        )
    else:
        drawn = comfy.page.locator(f"[data-node-id='{node}']").inner_text().split("\n")
    assert "area_floor" in drawn and "threshold_ratio" not in drawn


def test_a_view_keeps_the_height_that_its_user_gave_it(comfy: ComfyPage):
    node = add(comfy, MASK)
    comfy.page.evaluate("(id) => { const n = app.graph.getNodeById(id); n.setSize([n.size[0], n.size[1] + 130]) }", node)
    comfy.settle()
    before = height(comfy, MASK)
    comfy.set_value(MASK, "rule", "otsu")  # one setting less
    comfy.settle()
    assert before - 40 < height(comfy, MASK) < before
    comfy.set_value(MASK, "rule", "mean ratio")
    comfy.settle()
    assert height(comfy, MASK) == pytest.approx(before, abs=1)
    comfy.load(comfy.page.evaluate("() => app.graph.serialize()"))
    assert height(comfy, MASK) == pytest.approx(before, abs=1)


def test_a_workflow_that_is_loaded_finds_the_settings_of_its_choices_and_their_links(comfy: ComfyPage):
    add(comfy, MASK)
    for name, value in {"rule": "paper", "rule.outliers": 7.5, "rule.threshold": 0.3, "compare": "two models, guided"}.items():
        comfy.set_value(MASK, name, value)
    comfy.set_value(MASK, "compare.cfg", 3.0)
    comfy.page.evaluate(
        """(id) => {
          const node = app.graph.getNodeById(id)
          const links = [['CheckpointLoaderSimple', 'compare.target_model'], ['PrimitiveFloat', 'rule.outliers']]
          for (const [type, name] of links) {
            const other = LiteGraph.createNode(type)
            app.graph.add(other)
            other.connect(0, node, node.inputs.findIndex((input) => input.name === name))
          }
        }""",
        comfy.node_id(MASK),
    )
    before = comfy.api()[str(comfy.node_id(MASK))]["inputs"]
    assert before["rule.threshold"] == 0.3 and before["compare.cfg"] == 3.0 and before["rule"] == "paper"
    assert isinstance(before["compare.target_model"], list) and isinstance(before["rule.outliers"], list)
    comfy.load(comfy.page.evaluate("() => app.graph.serialize()"))
    assert comfy.api()[str(comfy.node_id(MASK))]["inputs"] == before
