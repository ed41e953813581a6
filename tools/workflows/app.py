"""A form in place of the graph: the frontend's app mode, as it is kept in a workflow."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """
    Attributes:
        title: of the node.
        widget: of the node.
        label: what the form calls it; empty where the widget has its own.
        height: in pixels, of a text or a picture; 0 for the frontend's own.
    """

    title: str
    widget: str
    label: str = ""
    height: int = 0


@dataclass(frozen=True)
class App:
    """
    Attributes:
        fields: in the order in which the form has them.
        result: title of the node whose pictures it shows.
    """

    fields: tuple[Field, ...]
    result: str

    def beside(self, workflow: dict) -> dict:
        """The workflow, opened as a graph, with this form beside it."""
        nodes = {node["title"]: node for node in workflow["nodes"]}
        for each in self.fields:
            if each.label:
                _call(nodes[each.title], each.widget, each.label)
        data = {
            "inputs": [
                [nodes[each.title]["id"], each.widget, *([{"height": each.height}] if each.height else ())]
                for each in self.fields
            ],
            "outputs": [nodes[self.result]["id"]],
        }
        return workflow | {"extra": workflow["extra"] | {"linearData": data}}


def opened_as_app(workflow: dict) -> dict:
    """The same workflow, which the browser opens as its form."""
    return workflow | {"extra": workflow["extra"] | {"linearMode": True}}


def _call(node: dict, widget: str, label: str) -> None:
    """A widget's label is kept at its socket, which the browser makes for each widget."""
    for socket in node["inputs"]:
        if socket["name"] == widget:
            socket["label"] = label
            return
    node["inputs"].append({"label": label, "name": widget, "type": "*", "widget": {"name": widget}, "link": None})
