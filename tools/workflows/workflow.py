"""Workflows built in Python, written as API JSON (what the server runs) and as UI JSON (what the browser opens)."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ..comfyui.environment import PACK_FOLDER, PROJECT
from ..comfyui.hosts import OLDEST
from .inputs import inputs_of

NODE_WIDTH = 300
COLUMN_GAP, ROW_GAP = 40, 50
GROUP_GAP, GROUP_MARGIN, GROUP_TITLE = 50, 20, 50  # between the nodes of two groups; around a group's nodes
GROUP_BELOW_GAP = 110
NODE_TITLE = 30
# A template opens so that its nodes fill this share of the window, with this much around them (fitToBounds).
SMALL_WINDOW, FILLED, SEEN_AROUND = (1280, 720), 0.75, 10
LEAST_SCALE = 0.4  # else pictures are lower
MOST_HEIGHT = 1300  # of a column
WIDGET_HEIGHT = 26
TEXT_HEIGHT = 90
PICTURE_HEIGHT, LOWER_PICTURES = 220, 80
SHOW_PICTURES = ("SaveImage", "PreviewImage", "MaskPreview")
VIEW_HEIGHTS = {
    "DiffEditMask": 210,  # as high as fits on a small screen
    "HeatmapToMask": 230,
    "TIMEEditModel": 352,
    "TIMEComputeEdit": 354,
    "DDIMInvert": 246,
    "TIMESaveEdit": 8,
    "TIMEBalance": 290,
    "PreviewAny": 76,
    "CaptionImage": 48,  # in Nodes 2.0, as those below
    "CaptionConcept": 78,
    "TIMESaveLoRA": 34,
    "TIMEApplyEdit": 20,
    "TIMECombineEdits": 74,
    "TIMEEditHook": 18,
    "MaskedLatentSample": 50,
    "MaskedLatentSampleAdvanced": 32,
    "MaskedLatentSampler": 16,
    "ImageCompare": 330,
}
NOTE_COLUMNS, NOTE_LINE, NOTE_PARAGRAPH = 44, 20, 14  # characters in a line of a note; heights
OURS = {"cnr_id": PROJECT["name"], "ver": PROJECT["version"]}
HOSTS = {"cnr_id": "comfy-core", "ver": OLDEST}
NOTE = "MarkdownNote"
MUTED = 2  # the frontend's mode of a node that does not run
Models = Iterable[Mapping[str, str]]
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

    def ui(self, object_info: dict, note: str = "", models: Models = ()) -> dict:
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
    models: Models = (),
    heights: Mapping[str, int] = MappingProxyType({}),
) -> dict:
    """API JSON as UI JSON (schema 0.4).

    Widget values go by position in the order of the node's schema, as the browser reads them.

    Args:
        groups: title of its group by node id; nodes without one stand first.
        muted: ids of nodes that do not run.
        note: Markdown, shown in the first group.
        heights: by node id, of those that are not as high as their class is.
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
            output["slot_index"] = slot  # without which frontend 1.58 pastes no copy of a node
    for node in ui_nodes:
        node["size"][1] = heights.get(str(node["id"]), node["size"][1])
        node["mode"] = MUTED if str(node["id"]) in muted else 0
    offer_downloads(ui_nodes, models)
    if note:
        ui_nodes.append(_note(1 + max(node["id"] for node in ui_nodes), note))
        groups = {**groups, str(ui_nodes[-1]["id"]): next(iter(groups.values()))}
    boxes = _lay_out(ui_nodes, api, groups)
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


def offer_downloads(ui_nodes: list[dict], models: Models) -> None:
    """Tell the browser where the models come from that these nodes name."""
    for node in ui_nodes:
        if offered := [dict(model) for model in models if model["name"] in node["widgets_values"]]:
            node["properties"]["models"] = offered


def _ui_node(node_id: str, node: dict, sockets: list, info: dict) -> dict:
    values, height = [], 40 + 22 * max(len(sockets), len(info["output"]))
    for each in inputs_of(info, node["inputs"]):
        if not each.is_widget:
            continue
        options = each.options
        value = node["inputs"].get(each.name, each.default)
        if each.is_saved:
            values.append(each.default if is_link(value) else value)
        if not options.get("advanced"):  # hidden until asked for
            height += TEXT_HEIGHT if options.get("multiline") else WIDGET_HEIGHT
        if options.get("control_after_generate"):
            values.append(CONTROL)
            height += WIDGET_HEIGHT
        if options.get("image_upload"):
            values.append("image")
            height += PICTURE_HEIGHT
    if node["class_type"] in SHOW_PICTURES:
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
    """Place the nodes so that a small window shows them as large as can be; returns the groups' boxes.

    Groups stand in rows, or in stacks, in the order in which they begin. In each, nodes stand in columns, what is fed after
    what feeds it.
    """
    members: dict[str, list[dict]] = {}
    for node in ui_nodes:
        members.setdefault(groups.get(str(node["id"]), ""), []).append(node)
    for title, inside in members.items():
        members[title] = _by_depth(inside, api)
    best = _best(members)
    if best.scale < LEAST_SCALE:
        for node in ui_nodes:
            if node["type"] in SHOW_PICTURES:
                node["size"][1] -= LOWER_PICTURES
        best = _best(members)
    for node in ui_nodes:
        node["pos"] = list(best.places[node["id"]])
    return best.boxes


def _best(members: Mapping[str, list[dict]]) -> "_Placed":
    nodes = [node for inside in members.values() for node in inside]
    tallest = max(node["size"][1] for node in nodes)
    ways = (
        _Placed.of(members, column, **limit)
        for column in range(tallest, max(tallest, MOST_HEIGHT) + 1, 20)
        for limit in (
            *(
                {"width": width, "below": below}
                for width in range(NODE_WIDTH, len(nodes) * NODE_WIDTH + 1, NODE_WIDTH)
                for below in range(PICTURE_HEIGHT, column + 1, 60)
            ),
            *({"height": height} for height in range(tallest, MOST_HEIGHT + 1, 20)),
        )
    )
    return max(ways, key=lambda placed: placed.scale)


def _by_depth(nodes: list[dict], api: dict) -> list[dict]:
    """Each node after those of the group that feed it; what feeds nobody by the way, such as a note, last."""
    inside = {str(node["id"]) for node in nodes}
    depth: dict[str, int] = {}

    def depth_of(node_id: str) -> int:
        if node_id not in depth:
            sources = [value[0] for value in api[node_id]["inputs"].values() if is_link(value) and value[0] in inside]
            depth[node_id] = 1 + max(map(depth_of, sources), default=-1)
        return depth[node_id]

    return sorted(nodes, key=lambda node: depth_of(str(node["id"])) if str(node["id"]) in api else len(nodes))


@dataclass
class _Placed:
    """Where nodes and the boxes of groups are, and how large the page's first view shows that."""

    places: dict[int, tuple[int, int]] = field(default_factory=dict)
    boxes: list[dict] = field(default_factory=list)
    width: int = 0
    height: int = 0

    @property
    def scale(self) -> float:
        width, height = SMALL_WINDOW
        return FILLED * min(width / (self.width + 2 * SEEN_AROUND), height / (self.height + NODE_TITLE + 2 * SEEN_AROUND))

    @classmethod
    def of(cls, members: Mapping[str, list[dict]], column: int, width: int = 0, below: int = 0, height: int = 0) -> "_Placed":
        """Groups side by side in rows of at most this width, or below one another in stacks of at most this height.

        Args:
            column: height of the columns; in the rows after the first it is `below`.
        """
        placed = cls()
        left = top = 0
        for title, nodes in members.items():
            columns = _columns(nodes, below if width and top else column)
            across, down = _extent(columns)
            if width and left and left + across > width:
                left, top = 0, placed.height + GROUP_BELOW_GAP
                columns = _columns(nodes, below)
                across, down = _extent(columns)
            if height and top and top + down > height:
                left, top = placed.width + GROUP_GAP, 0
            placed._put(title, columns, left, top, across, down)
            if width:
                left += across + GROUP_GAP
            else:
                top += down + GROUP_BELOW_GAP
        return placed

    def _put(self, title: str, columns: list[list[dict]], left: int, top: int, across: int, down: int) -> None:
        x = left
        for column in columns:
            y = top
            for node in column:
                self.places[node["id"]] = (x, y)
                y += node["size"][1] + ROW_GAP
            x += _width(column) + COLUMN_GAP
        if title:
            corner = [left - GROUP_MARGIN, top - GROUP_TITLE - GROUP_MARGIN]
            bounding = [*corner, across + 2 * GROUP_MARGIN, down + GROUP_TITLE + 2 * GROUP_MARGIN]
            self.boxes.append({"title": title, "bounding": bounding, "color": "#3f789e", "font_size": 24, "flags": {}})
        self.width, self.height = max(self.width, left + across), max(self.height, top + down)


def _columns(nodes: Iterable[dict], height: int) -> list[list[dict]]:
    """Each node in the first column with room for it that does not stand before one that feeds it."""
    columns: list[list[dict]] = []
    links: dict[int, int] = {}  # the column that each link comes from
    for node in nodes:
        first = max((links.get(socket["link"], 0) for socket in node["inputs"]), default=0)
        wanted = node["size"][1] + ROW_GAP
        fitting = (i for i in range(first, len(columns)) if _height(columns[i]) + wanted <= height)
        place = next(fitting, len(columns))
        if place == len(columns):
            columns.append([])
        columns[place].append(node)
        links |= {link: place for output in node["outputs"] for link in output["links"] or ()}
    return columns


def _extent(columns: list[list[dict]]) -> tuple[int, int]:
    return sum(map(_width, columns)) + (len(columns) - 1) * COLUMN_GAP, max(map(_height, columns))


def _height(column: list[dict]) -> int:
    return sum(node["size"][1] + ROW_GAP for node in column) - ROW_GAP


def _width(column: Iterable[dict]) -> int:
    return max(node["size"][0] for node in column)


def _note(node_id: int, text: str) -> dict:
    lines = sum(1 + len(line) // NOTE_COLUMNS for line in text.splitlines() if line)
    return {
        "id": node_id,
        "type": NOTE,
        "pos": [0, 0],
        "size": [NODE_WIDTH, 60 + NOTE_LINE * lines + NOTE_PARAGRAPH * text.count("\n\n")],
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
