"""Inputs of a node as a workflow has them: its own defaults, with some changed."""


def defaults_of(node) -> dict:
    """By input id, the default of every input that has one."""
    found = {entry.id: getattr(entry, "default", None) for entry in node.GET_SCHEMA().inputs}
    return {name: default for name, default in found.items() if default is not None}
