"""UI workflows read as the browser reads them: widget values by position, left-out ones at their defaults."""

from .inputs import inputs_of

NOTES = {"Note", "MarkdownNote"}
MUTED = 2  # the frontend's mode of a node that does not run
COMPANIONS = ("control_after_generate", "image_upload")  # options that put a second widget after the input's own


def api_workflow(ui: dict, object_info: dict) -> dict:
    """The prompt that a UI workflow without subgraphs stands for."""
    running = [node for node in ui["nodes"] if node["type"] not in NOTES and node["mode"] != MUTED]
    ids = {node["id"] for node in running}
    sources = {link[0]: (link[1], link[2]) for link in ui["links"] if link[1] in ids}
    return {
        str(node["id"]): {"class_type": node["type"], "inputs": _inputs(node, object_info[node["type"]], sources)}
        for node in running
    }


def _inputs(node: dict, info: dict, sources: dict) -> dict:
    values = iter(node["widgets_values"])
    inputs = {}
    for each in inputs_of(info, inputs):  # which looks up there what was chosen
        if each.is_widget:
            inputs[each.name] = next(values, each.default)
            for _ in range(sum(bool(each.options.get(companion)) for companion in COMPANIONS)):
                next(values, None)
    if leftover := list(values):
        raise ValueError(f"{node['type']} ({node['id']}) holds more values than it has widgets: {leftover}")
    for socket in node["inputs"]:
        if socket["link"] in sources:
            source, slot = sources[socket["link"]]
            inputs[socket["name"]] = [str(source), slot]
    return inputs


def with_defaults(api: dict, object_info: dict) -> dict:
    """A prompt without titles and with every left-out widget at its default, as the browser would send it."""
    return {
        node_id: {"class_type": node["class_type"], "inputs": _defaults(node, object_info[node["class_type"]]) | node["inputs"]}
        for node_id, node in api.items()
    }


def _defaults(node: dict, info: dict) -> dict:
    return {each.name: each.default for each in inputs_of(info, node["inputs"]) if each.is_widget}
