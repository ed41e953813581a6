"""UI workflows read as the browser reads them: widget values by position, left-out ones at their defaults, blocks opened."""

from collections.abc import Iterator
from dataclasses import dataclass

from .inputs import inputs_of
from .subgraph import GIVES_ID, TAKES_ID

NOTES = {"Note", "MarkdownNote"}
MUTED = 2  # the frontend's mode of a node that does not run
COMPANIONS = ("control_after_generate", "image_upload")  # options that put a second widget after the input's own


@dataclass
class _Level:
    """The nodes of a workflow, or of one of its blocks, whose face then lies in the level above."""

    nodes: dict[int, dict]
    links: dict[int, tuple[int, int]]  # node and output that each comes from
    given: dict[int, int]  # link to each output of the block
    definitions: dict[str, dict]
    above: "_Level | None" = None
    face: dict | None = None

    @classmethod
    def of(cls, ui: dict) -> "_Level":
        definitions = {each["id"]: each for each in ui.get("definitions", {}).get("subgraphs", ())}
        links = {link[0]: (link[1], link[2]) for link in ui["links"]}
        return cls({node["id"]: node for node in ui["nodes"]}, links, {}, definitions)

    def inside(self, face: dict) -> "_Level":
        block = self.definitions[face["type"]]
        links = {link["id"]: (link["origin_id"], link["origin_slot"]) for link in block["links"]}
        given = {link["target_slot"]: link["id"] for link in block["links"] if link["target_id"] == GIVES_ID}
        return _Level({node["id"]: node for node in block["nodes"]}, links, given, self.definitions, self, face)

    def running(self) -> Iterator[tuple["_Level", dict]]:
        for node in self.nodes.values():
            if node["type"] in self.definitions:
                yield from self.inside(node).running()
            elif node["type"] not in NOTES and node["mode"] != MUTED:
                yield self, node

    def source(self, link: int | None) -> list | None:
        """The node, and its output, that a link comes from in the end; None where nothing that runs does."""
        if link is None:
            return None
        origin, slot = self.links[link]
        if origin == TAKES_ID:
            assert self.above and self.face
            return self.above.source(self.face["inputs"][slot]["link"])
        node = self.nodes[origin]
        if node["type"] in self.definitions:
            inside = self.inside(node)
            return inside.source(inside.given[slot])
        return None if node["mode"] == MUTED else [str(origin), slot]


def api_workflow(ui: dict, object_info: dict) -> dict:
    """The prompt that a UI workflow stands for, where nodes in blocks have ids of their own and faces no values of theirs."""
    return {
        str(node["id"]): {"class_type": node["type"], "inputs": _inputs(node, object_info[node["type"]], level)}
        for level, node in sorted(_Level.of(ui).running(), key=lambda found: found[1]["id"])
    }


def _inputs(node: dict, info: dict, level: _Level) -> dict:
    values = iter(node["widgets_values"])
    inputs = {}
    for each in inputs_of(info, inputs):  # which looks up there what was chosen
        if each.is_widget:
            inputs[each.name] = next(values, each.default) if each.is_saved else each.default
            for _ in range(sum(bool(each.options.get(companion)) for companion in COMPANIONS)):
                next(values, None)
    if leftover := list(values):
        raise ValueError(f"{node['type']} ({node['id']}) holds more values than it has widgets: {leftover}")
    for socket in node["inputs"]:
        if source := level.source(socket["link"]):
            inputs[socket["name"]] = source
    return inputs


def with_defaults(api: dict, object_info: dict) -> dict:
    """A prompt without titles and with every left-out widget at its default, as the browser would send it."""
    return {
        node_id: {"class_type": node["class_type"], "inputs": _defaults(node, object_info[node["class_type"]]) | node["inputs"]}
        for node_id, node in api.items()
    }


def _defaults(node: dict, info: dict) -> dict:
    return {each.name: each.default for each in inputs_of(info, node["inputs"]) if each.is_widget}


def without_blocks(sent: dict) -> dict:
    """A prompt as the browser sends it, in which a node in a block is called "block:node", with the node's own id alone."""

    def own(value):
        return [value[0].rpartition(":")[2], value[1]] if isinstance(value, list) and len(value) == 2 else value

    return {
        node_id.rpartition(":")[2]: node | {"inputs": {name: own(value) for name, value in node["inputs"].items()}}
        for node_id, node in sent.items()
    }
