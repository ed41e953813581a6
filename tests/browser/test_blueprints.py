"""The blocks of subgraphs/ in the real page: listed in the node library, and put on a graph they run."""

import io
import re

import numpy as np
import pytest
from comfy_page import ComfyPage
from PIL import Image
from toyworld.judge import judge

from tools.comfyui.client import ComfyClient
from tools.workflows.blueprints import blueprint
from tools.workflows.examples import EXAMPLE_PICTURE, TOY_CHECKPOINT
from tools.workflows.examples.blocks import BLOCKS
from tools.workflows.workflow import Graph, ui_workflow

SEARCH = re.compile("^Search")  # "Search...", in newer frontends "Search Nodes..."
FACE = 100  # id of the block on the graph
EMPTY = {"last_node_id": 0, "last_link_id": 0, "nodes": [], "links": [], "groups": [], "version": 0.4}


def on_a_graph(name: str, object_info: dict, shown: list[str]) -> dict:
    """A workflow with the block, its loaders, and a node that saves each of these outputs, as a person wires it."""
    block = next(block for block in BLOCKS if block.name == name)
    made = blueprint(block, object_info, block.example.for_toy_world())
    graph = Graph()
    loader = graph.add("CheckpointLoaderSimple", ckpt_name=TOY_CHECKPOINT)
    picture = graph.add("LoadImage", image=EXAMPLE_PICTURE)
    sources = {name: loader[output] for output, name in enumerate(("model", "clip", "vae"))} | {"image": picture[0]}
    for output in shown:
        graph.add("SaveImage", output, filename_prefix=f"block_{output}")
    workflow = ui_workflow(graph.api(), object_info)
    (face,) = made["nodes"]
    nodes = {node["id"]: node for node in workflow["nodes"]}

    def link(origin: dict, slot: int, target: dict, entry: int) -> None:
        number = len(workflow["links"]) + 1
        output = origin["outputs"][slot]
        workflow["links"].append([number, origin["id"], slot, target["id"], entry, output["type"]])
        output["links"] = [*(output["links"] or ()), number]
        target["inputs"][entry]["link"] = number

    face["id"] = FACE
    face["pos"] = [800, 0]
    for entry, socket in enumerate(face["inputs"]):
        if "widget" not in socket:
            node_id, slot = sources[socket["name"]]
            link(nodes[int(node_id)], slot, face, entry)
    given = [output["name"] for output in face["outputs"]]
    for node in nodes.values():
        if node["type"] == "SaveImage":
            link(face, given.index(node["title"]), node, 0)
    return workflow | {"nodes": [*nodes.values(), face], "last_node_id": FACE, "definitions": made["definitions"]}


def pictures(comfy: ComfyPage, outputs: dict) -> dict[str, list[np.ndarray]]:
    titles = comfy.page.evaluate("() => Object.fromEntries(app.graph.nodes.map((node) => [node.id, node.title]))")
    return {
        titles[node_id]: [
            np.asarray(Image.open(io.BytesIO(comfy.file(image))).convert("RGB"), np.float32) / 255 for image in output["images"]
        ]
        for node_id, output in outputs.items()
        if node_id in titles and "images" in output
    }


def set_on_face(comfy: ComfyPage, block: int = FACE, **values) -> None:
    comfy.page.evaluate(
        """([id, values]) => {
          for (const [name, value] of Object.entries(values)) {
            const widget = app.graph.getNodeById(id).widgets.find((widget) => widget.name === name)
            widget.value = value
            widget.callback?.(value, app.canvas, app.graph.getNodeById(id))
          }
        }""",
        [block, values],
    )


@pytest.fixture
def node_library(comfy: ComfyPage) -> ComfyPage:
    """The page with the node library open."""
    toggle = "() => app.extensionManager.command.execute('Workspace.ToggleSidebarTab.node-library')"
    comfy.load(EMPTY)
    comfy.page.evaluate(toggle)
    yield comfy
    comfy.page.evaluate(toggle)


def test_a_block_is_put_on_the_graph_from_the_node_library(node_library: ComfyPage):
    comfy = node_library
    comfy.page.get_by_placeholder(SEARCH).first.fill("TIME Edit")
    listed = {name: comfy.page.get_by_text(name, exact=True) for name in ("TIME Edit", "TIME Edit of a Picture")}
    for item in listed.values():
        item.wait_for()
    comfy.picture("blocks_in_the_library")
    listed["TIME Edit of a Picture"].click()
    comfy.page.mouse.move(900, 500)
    comfy.page.mouse.click(900, 500)
    comfy.settle()
    assert comfy.page.evaluate("() => app.graph.nodes.map((node) => node.title)") == ["TIME Edit of a Picture"]


@pytest.mark.parametrize("name", [block.name for block in BLOCKS])
def test_every_widget_on_the_face_sets_its_widgets_inside(comfy: ComfyPage, server, name):
    info = ComfyClient(server.url).object_info()
    workflow = on_a_graph(name, info, [])
    comfy.load(workflow)
    block = next(block for block in BLOCKS if block.name == name)
    titles = comfy.page.evaluate(
        "(id) => Object.fromEntries(app.graph.getNodeById(id).subgraph.nodes.map((node) => [node.title, `${id}:${node.id}`]))",
        FACE,
    )
    (face,) = (node for node in workflow["nodes"] if node["id"] == FACE)
    kinds = {socket["name"]: socket["type"] for socket in face["inputs"] if "widget" in socket}
    new = {"STRING": "a star", "INT": 64, "FLOAT": 0.3}  # a value that every step has
    set_on_face(comfy, **{widget: new[kind] for widget, kind in kinds.items()})
    comfy.page.evaluate(
        """(id) => {
          const block = app.graph.getNodeById(id)
          block.outputs.forEach((output, slot) => {
            const any = LiteGraph.createNode('PreviewAny')
            app.graph.add(any)
            block.connect(slot, any, 0)
          })
        }""",
        FACE,
    )
    sent = comfy.api()
    for widget, places in block.widgets.items():
        for title, inner in places:
            assert sent[titles[title]]["inputs"][inner] == new[kinds[widget]], (widget, title, inner)


def test_the_diffedit_block_repaints_the_object(comfy: ComfyPage, server):
    info = ComfyClient(server.url).object_info()
    comfy.load(on_a_graph("DiffEdit", info, ["image"]))
    set_on_face(comfy, what_it_shall_show="a green rose", steps=20, seed=3)
    ((edited,),) = pictures(comfy, comfy.run()).values()
    assert (judge(edited).noun, judge(edited).colour) == ("rose", "green")
    comfy.picture("block_diffedit")


def test_the_time_edit_of_a_picture_block_repaints_the_object(comfy: ComfyPage, server):
    comfy.load(on_a_graph("TIME Edit of a Picture", ComfyClient(server.url).object_info(), ["image"]))
    set_on_face(comfy, steps=20)
    ((edited,),) = pictures(comfy, comfy.run()).values()
    assert (judge(edited).noun, judge(edited).colour) == ("rose", "blue")


def test_the_time_edit_block_shows_before_and_after(comfy: ComfyPage, server):
    comfy.load(on_a_graph("TIME Edit", ComfyClient(server.url).object_info(), ["before", "after"]))
    set_on_face(comfy, source="a car", destination="a green car", prompt="a car on grass", batch_size=2, steps=10)
    shown = pictures(comfy, comfy.run())
    assert [judge(picture).colour for picture in shown["before"]] == ["black"] * 2
    assert [judge(picture).colour for picture in shown["after"]] == ["green"] * 2
    comfy.picture("block_time_edit")
