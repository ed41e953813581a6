"""Workflows built in Python, written as API JSON (what the server runs) and as UI JSON (what the browser opens)."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ..comfyui.environment import PACK_FOLDER, PROJECT
from ..comfyui.hosts import OLDEST
from .inputs import inputs_of

NODE_WIDTH = 340
COLUMN_GAP, ROW_GAP = 70, 60
GROUP_GAP, GROUP_MARGIN, GROUP_TITLE = 60, 20, 50
WIDGET_HEIGHT = 26
TEXT_HEIGHT = 90
PICTURE_HEIGHT = 250
VIEW_HEIGHTS = {
    "DiffEditMask": 200,  # as high as fits on a small screen
    "HeatmapToMask": 300,
    "TIMEEditModel": 330,
    "TIMEComputeEdit": 330,
    "DDIMInvert": 210,
    "TIMEBalance": 290,
    "PreviewAny": 140,
}
NOTE_SIZE = (400, 420)
OURS = {"cnr_id": PROJECT["name"], "ver": PROJECT["version"]}
HOSTS = {"cnr_id": "comfy-core", "ver": OLDEST}
NOTE = "MarkdownNote"
MUTED = 2  # the frontend's mode of a node that does not run
CONTROL = "fixed"  # the widget "control after generate" that the browser puts after a seed


@dataclass(frozen=True)
class Node:
    id: str

    def __getitem__(self, output: int) -> list:
        return [self.id, output]


@dataclass(frozen=True)
class Choice:
    """An option of an input that brings its own settings, and those settings."""

    option: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def flat(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs as a prompt has them, the settings of a choice beside it."""
    found = {}
    for name, value in inputs.items():
        if isinstance(value, Choice):
            found[name] = value.option
            found |= {f"{name}.{setting}": given for setting, given in value.settings.items()}
        else:
            found[name] = value
    return found


@dataclass
class Graph:
    """Nodes by id; the group each lies in; and those that are shown, but do not run."""

    nodes: dict[str, dict] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    muted: set[str] = field(default_factory=set)
    _group: str = ""

    def group(self, title: str) -> None:
        """Nodes that are added from now on lie in the group of this title."""
        self._group = title

    def add(self, class_type: str, title: str | None = None, *, muted: bool = False, **inputs) -> Node:
        """Add a node; inputs are values, outputs of other nodes as `node[0]`, or an option with its settings as `Choice`."""
        node_id = str(len(self.nodes) + 1)
        self.nodes[node_id] = {"class_type": class_type, "inputs": flat(inputs)}
        if title:
            self.nodes[node_id]["_meta"] = {"title": title}
        if muted:
            self.muted.add(node_id)
        self.groups[node_id] = self._group
        return Node(node_id)

    def api(self) -> dict:
        """What the server runs."""
        return {node_id: node for node_id, node in self.nodes.items() if node_id not in self.muted}

    def ui(self, object_info: dict, note: str = "", models: tuple[dict, ...] = ()) -> dict:
        """What the browser opens."""
        return ui_workflow(self.nodes, object_info, self.groups, self.muted, note, models)


def is_link(value) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[1], int)


def ui_workflow(
    api: dict,
    object_info: dict,
    groups: Mapping[str, str] = MappingProxyType({}),
    muted: Set[str] = frozenset(),
    note: str = "",
    models: Iterable[Mapping[str, str]] = (),
) -> dict:
    """API JSON as UI JSON (schema 0.4).

    Widget values go by position in the order of the node's schema, as the browser reads them. Groups stand side by side in
    the order in which they begin; in each, nodes stand in columns by depth.

    Args:
        groups: title of its group by node id; nodes without one stand first.
        muted: ids of nodes that do not run.
        note: Markdown, shown before the first group.
        models: files with "name", "url" and "directory", which the browser offers to download where a loader names them.
    """
    links, outgoing = [], {}
    ui_nodes = []
    for node_id, node in api.items():
        sockets = []
        for each in inputs_of(object_info[node["class_type"]], node["inputs"]):
            value = node["inputs"].get(each.name)
            if not is_link(value) and each.is_widget:
                continue
            socket = {"name": each.name, "type": each.type, "link": None}
            if each.is_widget:
                socket["widget"] = {"name": each.name}
            if is_link(value):
                source, slot = value
                kind = object_info[api[source]["class_type"]]["output"][slot]
                link = len(links) + 1
                links.append([link, int(source), slot, int(node_id), len(sockets), kind])
                outgoing.setdefault((source, slot), []).append(link)
                socket["link"] = link
            sockets.append(socket)
        ui_nodes.append(_ui_node(node_id, node, sockets, object_info[node["class_type"]]))
    for node in ui_nodes:
        for slot, output in enumerate(node["outputs"]):
            output["links"] = outgoing.get((str(node["id"]), slot))
    for node in ui_nodes:
        node["mode"] = MUTED if str(node["id"]) in muted else 0
        offered = [dict(model) for model in models if model["name"] in node["widgets_values"]]
        if offered:
            node["properties"]["models"] = offered
    boxes = _lay_out(ui_nodes, api, groups)
    if note:
        ui_nodes.append(_note(1 + max(node["id"] for node in ui_nodes), note))
    return {
        "last_node_id": max(node["id"] for node in ui_nodes),
        "last_link_id": len(links),
        "nodes": ui_nodes,
        "links": links,
        "groups": boxes,
        "config": {},
        "extra": {},
        "version": 0.4,
    }


def _ui_node(node_id: str, node: dict, sockets: list, info: dict) -> dict:
    values, height = [], 40 + 22 * max(len(sockets), len(info["output"]))
    for each in inputs_of(info, node["inputs"]):
        if not each.is_widget:
            continue
        options = each.options
        value = node["inputs"].get(each.name, each.default)
        values.append(each.default if is_link(value) else value)
        if not options.get("advanced"):  # hidden until asked for
            height += TEXT_HEIGHT if options.get("multiline") else WIDGET_HEIGHT
        if options.get("control_after_generate"):
            values.append(CONTROL)
            height += WIDGET_HEIGHT
        if options.get("image_upload"):
            values.append("image")
            height += PICTURE_HEIGHT
    if node["class_type"] in ("SaveImage", "PreviewImage", "MaskPreview"):
        height += PICTURE_HEIGHT
    height += VIEW_HEIGHTS.get(node["class_type"], 0)
    names = info.get("output_name") or info["output"]
    return {
        "id": int(node_id),
        "type": node["class_type"],
        "pos": [0, 0],
        "size": [NODE_WIDTH, height],
        "flags": {},
        "order": int(node_id) - 1,
        "mode": 0,
        "inputs": sockets,
        "outputs": [{"name": name, "type": kind, "links": None} for name, kind in zip(names, info["output"], strict=True)],
        "title": node.get("_meta", {}).get("title", info["display_name"]),
        "properties": {
            "Node name for S&R": node["class_type"],
            **(OURS if PACK_FOLDER in info["python_module"] else HOSTS),
        },
        "widgets_values": values,
    }


def _lay_out(ui_nodes: list[dict], api: dict, groups: Mapping[str, str]) -> list[dict]:
    """Place the nodes; returns the groups' boxes."""
    members: dict[str, list[dict]] = {"": []}
    for node in ui_nodes:
        members.setdefault(groups.get(str(node["id"]), ""), []).append(node)
    left, boxes = 0, []
    for title, inside in members.items():
        if not inside:
            continue
        columns, bottom = _stand_in_columns(inside, api, left)
        width = columns * NODE_WIDTH + (columns - 1) * COLUMN_GAP
        if title:
            bounding = [left - GROUP_MARGIN, -GROUP_TITLE - GROUP_MARGIN, width + 2 * GROUP_MARGIN, 0]
            bounding[3] = bottom - bounding[1] + GROUP_MARGIN
            boxes.append({"title": title, "bounding": bounding, "color": "#3f789e", "font_size": 24, "flags": {}})
        left += width + 2 * GROUP_MARGIN + GROUP_GAP
    return boxes


def _stand_in_columns(nodes: list[dict], api: dict, left: int) -> tuple[int, int]:
    """Place the nodes of a group by their depth in it; returns the number of columns and the lowest edge."""
    inside = {str(node["id"]) for node in nodes}
    depth: dict[str, int] = {}

    def depth_of(node_id: str) -> int:
        if node_id not in depth:
            sources = [value[0] for value in api[node_id]["inputs"].values() if is_link(value) and value[0] in inside]
            depth[node_id] = 1 + max(map(depth_of, sources), default=-1)
        return depth[node_id]

    bottoms: dict[int, int] = {}
    for node in nodes:
        column = depth_of(str(node["id"]))
        top = bottoms.get(column, 0)
        node["pos"] = [left + column * (NODE_WIDTH + COLUMN_GAP), top]
        bottoms[column] = top + node["size"][1] + ROW_GAP
    return len(bottoms), max(bottoms.values()) - ROW_GAP


def _note(node_id: int, text: str) -> dict:
    width, height = NOTE_SIZE
    return {
        "id": node_id,
        "type": NOTE,
        "pos": [-width - GROUP_GAP - GROUP_MARGIN, 0],
        "size": [width, height],
        "flags": {},
        "order": 0,
        "mode": 0,
        "inputs": [],
        "outputs": [],
        "title": "What this does",
        "properties": {},
        "widgets_values": [text],
        "color": "#432",
        "bgcolor": "#653",
    }
