"""Inputs of a node as a workflow has them: its own defaults, with some changed.

A choice that brings settings of its own (the host's DynamicCombo) is its key, and each setting has the choice before its name:
{"rule": "otsu", "rule.area_floor": 1}.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from tools.workflows.inputs import CHOICE
from tools.workflows.inputs import inputs_of as workflow_inputs

PRIOR, GATE = "prior", "gate"


def inputs_of(node, changes: Mapping[str, object]) -> dict:
    """By name, the value of every input that has one: `changes`, else the node's default.

    Settings of options that are not chosen are no inputs. Raises ValueError for a name or a choice that the node lacks.
    """
    info, values = node.GET_NODE_INFO_V1(), {}
    for found in workflow_inputs(info, changes):
        if found.is_widget:
            values[found.name] = changes.get(found.name, found.default)
        if found.type == CHOICE:
            keys = [option["key"] for option in found.options["options"]]
            if values[found.name] not in keys:
                raise ValueError(f"{info['name']}: {found.name} is one of {', '.join(keys)}, not {values[found.name]!r}.")
    unknown = changes.keys() - values.keys()
    if unknown:
        raise ValueError(f"{info['name']} has no value {min(unknown)!r}; it has {', '.join(values)}.")
    return {name: value for name, value in values.items() if value is not None}


def run_node(desk: Any, node_id: str, changes: Mapping[str, object], **connected) -> Any:
    """The outputs of a node of a LibraryHost or a server's Workflow: its defaults but for `changes`, and what is connected."""
    return desk.run(node_id, **inputs_of(desk.nodes[node_id], changes), **connected)


def edited_model(desk: Any, edits: Iterable[Mapping[str, object]]) -> Any:
    """Its MODEL after TIME Edit Model with each of these changes, one node after another; gated edits leave it alone.

    Changes are values of the node's inputs, and besides them `PRIOR: True`, for the desk's prior, and `GATE: RULE`, for an edit
    that TIME Text Encode makes where it wakes by that rule.
    """
    model = desk.model
    for changes in edits:
        if GATE not in changes:
            model = _run_edit(desk, "TIMEEditModel", changes, model=model)[0]
    return model


def edited_prompt(desk: Any, prompt: str, edits: Sequence[Mapping[str, object]]) -> Any:
    """CONDITIONING of a prompt, by TIME Text Encode if one of the edits is gated. Raises ValueError if several are."""
    gated = [changes for changes in edits if GATE in changes]
    if len(gated) > 1:
        raise ValueError("TIME Text Encode takes one edit; solve several jointly.")
    if not gated:
        return desk.conditioning(prompt)
    (changes,) = gated
    wake = {"text": prompt, "wake": changes[GATE]}
    return run_node(desk, "TIMETextEncode", wake, clip=desk.clip, time_edit=desk.time_edit(changes), **_prior(desk, changes))[0]


def computed_edit(desk: Any, changes: Mapping[str, object]) -> Any:
    """TIME_EDIT of one edit, as of `edited_model`."""
    return _run_edit(desk, "TIMEComputeEdit", changes)[0]


def _run_edit(desk: Any, node_id: str, changes: Mapping[str, object], **connected) -> Any:
    values = {name: value for name, value in changes.items() if name not in (PRIOR, GATE)}
    return run_node(desk, node_id, values, clip=desk.clip, **_prior(desk, changes), **connected)


def _prior(desk: Any, changes: Mapping[str, object]) -> dict[str, Any]:
    return {PRIOR: desk.prior} if changes.get(PRIOR) else {}


def execute(node, inputs: Mapping[str, object]) -> tuple:
    """The outputs of a node for inputs by name, connected ones among them."""
    choices = {entry.id for entry in node.GET_SCHEMA().inputs if hasattr(entry, "options") and not hasattr(entry, "default")}
    given: dict = {name: {name: value} if name in choices else value for name, value in inputs.items() if "." not in name}
    for name, value in inputs.items():
        choice, dot, setting = name.partition(".")
        if dot:
            given[choice][setting] = value
    return node.execute(**given).result


def parse_changes(text: str, option: str) -> tuple[str, dict[str, object]]:
    """'NAME: INPUT=VALUE, ...' as (name, values by input). Raises ValueError, in which `option` is where it was given."""
    name, colon, rest = text.partition(":")
    if not name.strip() or not colon:
        raise ValueError(f"{option} {text!r} has no name; write 'name: input=value, ...'.")
    changes = {}
    for setting in filter(None, (part.strip() for part in rest.split(","))):
        key, equals, value = (part.strip() for part in setting.partition("="))
        if not equals:
            raise ValueError(f"{option} {text!r}: {setting!r} is not of the form input=value.")
        changes[key] = _value(value)
    return name.strip(), changes


def _value(text: str) -> object:
    """A truth value, a number, or words; a `\\n` in them starts a new line."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text.replace("\\n", "\n")
