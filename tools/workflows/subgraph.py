"""A part of a graph as a block: the frontend's subgraph, and the node that stands for it, which is called its face.

What the block takes replaces nodes outside, what it gives and what ends in it decide which nodes are inside, and the widgets on
its face are those of nodes inside.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from .inputs import inputs_of
from .workflow import (
    NODE_WIDTH,
    OURS,
    TEXT_HEIGHT,
    WIDGET_HEIGHT,
    Graph,
    Models,
    is_link,
    offer_downloads,
    ui_workflow,
)

CATEGORY = "TIME & DiffEdit"
TAKES_ID, GIVES_ID = -10, -20  # the frontend's ids for the edges of a subgraph
TAKES, GIVES = str(TAKES_ID), str(GIVES_ID)  # as nodes, while the inside is converted
LINK = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
EDGE_GAP, EDGE_WIDTH, SLOT_HEIGHT = 160, 120, 20

Place = tuple[str, str]  # title of a node, and one of its widgets


@dataclass(frozen=True, kw_only=True)
class Cut:
    """What of a graph to put into a block.

    Attributes:
        name: of the block.
        takes: name of each socket, and the node and output outside that feeds it.
        gives: name of each output, and the node and output inside that it is.
        widgets: name of each widget on the block's face, and the widgets inside that it sets.
        ends: titles of nodes inside that nothing outside needs, such as those that save.
        text_height: of a text on the face, in pixels.
    """

    name: str
    description: str
    takes: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    gives: Mapping[str, tuple[str, int]]
    widgets: Mapping[str, tuple[Place, ...]] = field(default_factory=dict)
    ends: tuple[str, ...] = ()
    text_height: int = TEXT_HEIGHT


def cut(block: Cut, graph: Graph) -> tuple[dict, dict]:
    """(nodes, ids): the part of the example's graph that the block needs, in API form, and its node ids by title.

    What the block takes stands in it as outputs of the node TAKES.
    """
    nodes = graph.api()
    ids = {node["_meta"]["title"]: node_id for node_id, node in nodes.items()}
    taken = {(ids[title], output): slot for slot, (title, output) in enumerate(block.takes.values())}

    def inside(value):
        return [TAKES, taken[tuple(value)]] if is_link(value) and tuple(value) in taken else value

    part, waiting = {}, [ids[title] for title in (*(title for title, _ in block.gives.values()), *block.ends)]
    while waiting:
        node_id = waiting.pop()
        if node_id not in part and node_id != TAKES:
            inputs = {name: inside(value) for name, value in nodes[node_id]["inputs"].items()}
            part[node_id] = nodes[node_id] | {"inputs": inputs}
            waiting += [value[0] for value in inputs.values() if is_link(value)]
    return {i: part[i] for i in nodes if i in part}, {title: i for title, i in ids.items() if i in part}


def with_face(block: Cut, object_info: dict, graph: Graph, owner: str = "") -> tuple[dict, dict]:
    """(face, definition) of the block.

    Args:
        owner: the workflow it lies in, where it is not one of its own: the block's id is made of both names.
    """
    part, ids = cut(block, graph)
    sockets = _sockets(block, graph.api(), object_info)
    inside = _inside(block, sockets, part, ids, object_info, graph.groups)
    definition = _definition(block, sockets, inside, "/".join(filter(None, (owner, block.name))))
    return _face(block, definition, sockets, ids), definition


def folded(graph: Graph, blocks: tuple[Cut, ...], owner: str, object_info: dict, note: str = "", models: Models = ()) -> dict:
    """The graph as the browser opens it, each of these parts of it in a block. Nodes keep their ids, inside blocks, too.

    Args:
        owner: name of the workflow.
        note, models: as of `ui_workflow`.
    """
    outside, groups = graph.api(), dict(graph.groups)
    faces, definitions, given = {}, [], {}
    for number, block in enumerate(blocks, 1 + max(map(int, outside))):
        face, definition = with_face(block, object_info, graph, owner)
        part, ids = cut(block, graph)
        faces[str(number)] = face
        definitions.append(definition)
        given |= {(ids[title], output): [str(number), slot] for slot, (title, output) in enumerate(block.gives.values())}
        object_info = object_info | {definition["id"]: _info_of_face(face)}
        titles = {node["_meta"]["title"]: node_id for node_id, node in graph.api().items()}
        fed = {name: [titles[title], output] for name, (title, output) in block.takes.items()}
        stands = {"class_type": definition["id"], "inputs": fed, "_meta": {"title": block.name}}
        first = min(part, key=int)
        groups[str(number)] = graph.groups[first]
        outside = {
            **{i: node for i, node in outside.items() if int(i) < int(first)},
            str(number): stands,
            **{i: node for i, node in outside.items() if int(i) > int(first) and i not in part},
        }

    def from_faces(value):
        return given.get(tuple(value), value) if is_link(value) else value

    for node_id, node in outside.items():
        outside[node_id] = node | {"inputs": {name: from_faces(value) for name, value in node["inputs"].items()}}
    heights = {node_id: face["size"][1] for node_id, face in faces.items()}
    workflow = ui_workflow(outside, object_info, groups, graph.muted, note, models, heights)
    for node in workflow["nodes"]:
        if face := faces.get(str(node["id"])):
            linked = {socket["name"]: socket["link"] for socket in node["inputs"]}
            links = [output["links"] for output in node["outputs"]]
            node |= {
                "inputs": [socket | {"link": linked.get(socket["name"])} for socket in face["inputs"]],
                "outputs": [output | {"links": links[slot]} for slot, output in enumerate(face["outputs"])],
                "properties": face["properties"],
                "widgets_values": [],
            }
    for definition in definitions:
        offer_downloads(definition["nodes"], models)
    return workflow | {"definitions": {"subgraphs": definitions}}


def _info_of_face(face: dict) -> dict:
    """What the server would say of a node like it."""
    outputs = face["outputs"]
    return {
        "input": {"required": {socket["name"]: [socket["type"], {}] for socket in face["inputs"]}},
        "output": [output["type"] for output in outputs],
        "output_name": [output["name"] for output in outputs],
        "display_name": face["title"],
        "python_module": "",
    }


def _inside(block: Cut, sockets: list, part: dict, ids: dict, object_info: dict, groups: dict) -> dict:
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


def _definition(block: Cut, sockets: list, inside: dict, path: str) -> dict:
    nodes, links = inside["nodes"], inside["links"]
    own_id = uuid.uuid5(uuid.NAMESPACE_URL, f"{OURS['cnr_id']}/subgraphs/{path}")
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


def _sockets(block: Cut, nodes: dict, object_info: dict) -> list[tuple[str, str, tuple[Place, ...]]]:
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


def _face(block: Cut, definition: dict, sockets: list, ids: dict) -> dict:
    """The node that is put on the graph."""
    inputs = []
    for name, kind, places in sockets:
        shown = {"label": _label(name), "name": name, "type": kind, "link": None}
        inputs.append(shown | {"widget": {"name": name}} if places else shown)
    inner = [places[0] for _, _, places in sockets if places]
    texts = sum(kind == "STRING" for _, kind, _ in sockets)
    slots = max(len(block.takes), len(block.gives))
    height = 40 + 22 * slots + WIDGET_HEIGHT * (len(inner) - texts) + block.text_height * texts
    return {
        "id": definition["state"]["lastNodeId"] + 1,
        "type": definition["id"],
        "pos": [0, 0],
        "size": [NODE_WIDTH, height],
        "flags": {},
        "order": 0,
        "mode": 0,
        "inputs": inputs,
        "outputs": [
            {"label": output["label"], "name": output["name"], "type": output["type"], "links": [], "slot_index": slot}
            for slot, output in enumerate(definition["outputs"])
        ],
        "title": block.name,
        "properties": {"proxyWidgets": [[ids[title], widget] for title, widget in inner], **OURS},
        "widgets_values": [],
    }
