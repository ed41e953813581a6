"""Workflows built in Python, written as API JSON (what the server runs) and as UI JSON (what the browser opens)."""

from dataclasses import dataclass, field

COLUMN = 400
ROW_GAP = 60
WIDGET_HEIGHT = 26
TEXT_HEIGHT = 90
NODE_WIDTH = 330
WIDGET_TYPES = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
CONTROL = "fixed"  # the widget "control after generate" that the browser puts after a seed


@dataclass(frozen=True)
class Node:
    id: str

    def __getitem__(self, output: int) -> list:
        return [self.id, output]


@dataclass
class Graph:
    nodes: dict[str, dict] = field(default_factory=dict)

    def add(self, class_type: str, title: str | None = None, **inputs) -> Node:
        """Add a node; inputs are values, or outputs of other nodes as `node[0]`."""
        node_id = str(len(self.nodes) + 1)
        self.nodes[node_id] = {"class_type": class_type, "inputs": inputs}
        if title:
            self.nodes[node_id]["_meta"] = {"title": title}
        return Node(node_id)

    def api(self) -> dict:
        return self.nodes


def is_link(value) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[1], int)


def ui_workflow(api: dict, object_info: dict) -> dict:
    """Convert API JSON to UI JSON (schema 0.4), laying the nodes out in columns by depth.

    Widget values go by position in the order of the node's schema, as the browser reads them.
    """
    links, outgoing = [], {}
    ui_nodes = []
    for node_id, node in api.items():
        sockets = []
        for name, spec, _ in _inputs(object_info[node["class_type"]]):
            value = node["inputs"].get(name)
            if not is_link(value) and _is_widget(spec):
                continue
            socket = {"name": name, "type": _type(spec), "link": None}
            if _is_widget(spec):
                socket["widget"] = {"name": name}
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
    _lay_out(ui_nodes, api)
    return {
        "last_node_id": max(node["id"] for node in ui_nodes),
        "last_link_id": len(links),
        "nodes": ui_nodes,
        "links": links,
        "groups": [],
        "config": {},
        "extra": {},
        "version": 0.4,
    }


def _inputs(info: dict):
    """(name, spec, options) of all inputs in schema order."""
    for kind in ("required", "optional"):
        for name in info["input_order"].get(kind, []):
            spec = info["input"][kind][name]
            yield name, spec, spec[1] if len(spec) > 1 else {}


def _type(spec) -> str:
    return "COMBO" if isinstance(spec[0], list) else spec[0]


def _is_widget(spec) -> bool:
    return _type(spec) in WIDGET_TYPES and not (len(spec) > 1 and spec[1].get("forceInput"))


def _ui_node(node_id: str, node: dict, sockets: list, info: dict) -> dict:
    values, height = [], 40 + 22 * max(len(sockets), len(info["output"]))
    for name, spec, options in _inputs(info):
        if not _is_widget(spec):
            continue
        value = node["inputs"].get(name, options.get("default"))
        values.append(options.get("default") if is_link(value) else value)
        height += TEXT_HEIGHT if options.get("multiline") else WIDGET_HEIGHT
        if options.get("control_after_generate"):
            values.append(CONTROL)
            height += WIDGET_HEIGHT
        if options.get("image_upload"):
            values.append("image")
            height += 250
    if node["class_type"] in ("SaveImage", "PreviewImage", "MaskPreview"):
        height += 250
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
            "cnr_id": "time-diffedit" if "ComfyUI-TIME-DiffEdit" in info["python_module"] else "comfy-core",
        },
        "widgets_values": values,
    }


def _lay_out(ui_nodes: list[dict], api: dict) -> None:
    depth: dict[str, int] = {}

    def depth_of(node_id: str) -> int:
        if node_id not in depth:
            sources = [value[0] for value in api[node_id]["inputs"].values() if is_link(value)]
            depth[node_id] = 1 + max(map(depth_of, sources), default=-1)
        return depth[node_id]

    bottom: dict[int, int] = {}
    for node in ui_nodes:
        column = depth_of(str(node["id"]))
        top = bottom.get(column, 0)
        node["pos"] = [column * COLUMN, top]
        bottom[column] = top + node["size"][1] + ROW_GAP
