"""`subgraphs/`: blocks as the frontend's blueprint files, which the browser lists in its node library.

A block is cut out of an example: what it takes replaces the loaders, what it gives decides which nodes are needed, and the
widgets on its face are those of nodes inside.
"""

import json
import uuid

from ..comfyui.environment import ROOT
from .examples.blocks import BLOCKS, Block, Place
from .inputs import inputs_of
from .workflow import OURS, Graph, is_link, ui_workflow

FOLDER = ROOT / "subgraphs"
CATEGORY = "TIME & DiffEdit"
TAKES_ID, GIVES_ID = -10, -20  # the frontend's ids for the edges of a subgraph
TAKES, GIVES = str(TAKES_ID), str(GIVES_ID)  # as nodes, while the inside is converted
LINK = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
EDGE_GAP, EDGE_WIDTH, SLOT_HEIGHT = 160, 120, 20
FACE_WIDTH, FACE_WIDGET, FACE_TEXT = 340, 26, 90


def cut(block: Block, graph: Graph) -> tuple[dict, dict]:
    """(nodes, ids): the part of the example's graph that the block needs, in API form, and its node ids by title.

    What the block takes stands in it as outputs of the node TAKES.
    """
    nodes = graph.api()
    ids = {node["_meta"]["title"]: node_id for node_id, node in nodes.items()}
    taken = {(ids[title], output): slot for slot, (title, output) in enumerate(block.takes.values())}

    def inside(value):
        return [TAKES, taken[tuple(value)]] if is_link(value) and tuple(value) in taken else value

    part, waiting = {}, [ids[title] for title, _ in block.gives.values()]
    while waiting:
        node_id = waiting.pop()
        if node_id not in part and node_id != TAKES:
            inputs = {name: inside(value) for name, value in nodes[node_id]["inputs"].items()}
            part[node_id] = nodes[node_id] | {"inputs": inputs}
            waiting += [value[0] for value in inputs.values() if is_link(value)]
    return {i: part[i] for i in nodes if i in part}, {title: i for title, i in ids.items() if i in part}


def blueprint(block: Block, object_info: dict, graph: Graph) -> dict:
    """The block as the frontend's workflow file: one node, and its inside under definitions.subgraphs."""
    part, ids = cut(block, graph)
    sockets = _sockets(block, graph.api(), object_info)
    definition = _definition(block, sockets, _inside(block, sockets, part, ids, object_info, graph.groups))
    face = _face(block, definition, sockets, ids)
    return {
        "revision": 0,
        "last_node_id": face["id"],
        "last_link_id": 0,
        "nodes": [face],
        "links": [],
        "version": 0.4,
        "definitions": {"subgraphs": [definition]},
        "extra": {"BlueprintDescription": block.description, "BlueprintSearchAliases": list(block.aliases)},
    }


def _inside(block: Block, sockets: list, part: dict, ids: dict, object_info: dict, groups: dict) -> dict:
    """The nodes, links and groups in the block, with its edges as the ends of links."""
    kinds = {
        name: object_info[part[ids[title]]["class_type"]]["output"][output] for name, (title, output) in block.gives.items()
    }
    edge = {"input": {}, "output": [], "display_name": "", "python_module": ""}
    object_info = object_info | {
        TAKES: edge | {"output": [kind for _, kind, _ in sockets]},
        GIVES: edge
        | {
            "input": {"required": {name: [kind, {}] for name, kind in kinds.items()}},
        },
    }
    edges = {
        TAKES: {"class_type": TAKES, "inputs": {}},
        GIVES: {"class_type": GIVES, "inputs": {name: [ids[title], output] for name, (title, output) in block.gives.items()}},
    }
    fed = {node_id: node | {"inputs": dict(node["inputs"])} for node_id, node in part.items()}
    for slot, (_, _, places) in enumerate(sockets):
        for title, widget in places:
            fed[ids[title]]["inputs"][widget] = [TAKES, slot]
    # Once with the values, for the widgets, and once with the block's sockets in their place, for the links.
    values = {node["id"]: node["widgets_values"] for node in ui_workflow(part | edges, object_info)["nodes"]}
    inside = ui_workflow(fed | edges, object_info, groups)
    return {
        "nodes": [node | {"widgets_values": values[node["id"]]} for node in inside["nodes"] if node["id"] > 0],
        "links": [dict(zip(LINK, link, strict=True)) for link in inside["links"]],
        "groups": inside["groups"],
    }


def _definition(block: Block, sockets: list, inside: dict) -> dict:
    nodes, links = inside["nodes"], inside["links"]
    own_id = uuid.uuid5(uuid.NAMESPACE_URL, f"{OURS['cnr_id']}/subgraphs/{block.name}")
    left, top = (min(node["pos"][axis] for node in nodes) for axis in (0, 1))
    right = max(node["pos"][0] + node["size"][0] for node in nodes)

    def slot(way: str, name: str, kind: str, ends: list[dict]) -> dict:
        slot_id = str(uuid.uuid5(own_id, f"{way} {name}"))
        return {
            "id": slot_id,
            "name": name,
            "type": kind,
            "linkIds": [link["id"] for link in ends],
            "label": _label(name),
        }

    takes = [
        slot("in", name, kind, [link for link in links if (link["origin_id"], link["origin_slot"]) == (TAKES_ID, number)])
        for number, (name, kind, _) in enumerate(sockets)
    ]
    given = {link["target_slot"]: link for link in links if link["target_id"] == GIVES_ID}
    gives = [slot("out", name, given[number]["type"], [given[number]]) for number, name in enumerate(block.gives)]
    return {
        "id": str(own_id),
        "version": 1,
        "state": {
            "lastGroupId": len(inside["groups"]),
            "lastNodeId": max(node["id"] for node in nodes),
            "lastLinkId": len(links),
            "lastRerouteId": 0,
        },
        "revision": 0,
        "config": {},
        "name": block.name,
        "inputNode": _edge(TAKES_ID, left - EDGE_GAP - EDGE_WIDTH, top, len(takes)),
        "outputNode": _edge(GIVES_ID, right + EDGE_GAP, top, len(gives)),
        "inputs": takes,
        "outputs": gives,
        "widgets": [],
        **inside,
        "extra": {},
        "category": CATEGORY,
        "description": block.description,
    }


def _sockets(block: Block, nodes: dict, object_info: dict) -> list[tuple[str, str, tuple[Place, ...]]]:
    """(name, type, widgets it sets) of what enters the block, in order."""
    by_title = {node["_meta"]["title"]: (object_info[node["class_type"]], node["inputs"]) for node in nodes.values()}
    sockets: list = [(name, by_title[title][0]["output"][output], ()) for name, (title, output) in block.takes.items()]
    for name, places in block.widgets.items():
        title, widget = places[0]
        (kind,) = (each.type for each in inputs_of(*by_title[title]) if each.name == widget)
        sockets.append((name, kind, places))
    return sockets


def _label(name: str) -> str:
    return name.replace("_", " ")


def _edge(edge_id: int, left: float, top: float, slots: int) -> dict:
    return {"id": edge_id, "bounding": [left, top, EDGE_WIDTH, SLOT_HEIGHT * (slots + 2)]}


def _face(block: Block, definition: dict, sockets: list, ids: dict) -> dict:
    """The node that is put on the graph."""
    inputs = []
    for name, kind, places in sockets:
        shown = {"label": _label(name), "name": name, "type": kind, "link": None}
        inputs.append(shown | {"widget": {"name": name}} if places else shown)
    inner = [places[0] for _, _, places in sockets if places]
    texts = sum(kind == "STRING" for _, kind, _ in sockets)
    slots = max(len(block.takes), len(block.gives))
    return {
        "id": definition["state"]["lastNodeId"] + 1,
        "type": definition["id"],
        "pos": [0, 0],
        "size": [FACE_WIDTH, 40 + 22 * slots + FACE_WIDGET * (len(inner) - texts) + FACE_TEXT * texts],
        "flags": {},
        "order": 0,
        "mode": 0,
        "inputs": inputs,
        "outputs": [
            {"label": output["label"], "name": output["name"], "type": output["type"], "links": []}
            for output in definition["outputs"]
        ],
        "title": block.name,
        "properties": {"proxyWidgets": [[ids[title], widget] for title, widget in inner], **OURS},
        "widgets_values": [],
    }


def render(object_info: dict) -> dict[str, str]:
    """File name to text of every block, with the values of the templates as they are shipped."""
    return {
        f"{block.name}.json": json.dumps(blueprint(block, object_info, block.example.as_shipped()), indent=2) + "\n"
        for block in BLOCKS
    }
