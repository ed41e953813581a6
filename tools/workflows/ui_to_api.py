"""UI workflows read as the browser reads them: widget values by position, left-out ones at their defaults."""

WIDGET_TYPES = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
NOTES = {"Note", "MarkdownNote"}
MUTED = 2  # the frontend's mode of a node that does not run
COMPANIONS = ("control_after_generate", "image_upload")  # options that put a second widget after the input's own


def widgets(info: dict):
    """(input, default, number of companion widgets) of a node's widgets in the order in which a file holds their values."""
    for kind in ("required", "optional"):
        for name in info["input_order"].get(kind, []):
            spec = info["input"][kind][name]
            options = spec[1] if len(spec) > 1 else {}
            if (isinstance(spec[0], list) or spec[0] in WIDGET_TYPES) and not options.get("forceInput"):
                yield name, options.get("default"), sum(bool(options.get(companion)) for companion in COMPANIONS)


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
    for name, default, companions in widgets(info):
        inputs[name] = next(values, default)
        for _ in range(companions):
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
        node_id: {
            "class_type": node["class_type"],
            "inputs": {name: default for name, default, _ in widgets(object_info[node["class_type"]])} | node["inputs"],
        }
        for node_id, node in api.items()
    }
