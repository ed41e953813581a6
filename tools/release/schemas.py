"""What saved workflows rely on in the nodes' schemas, and which changes of it break them.

A workflow file keeps widget values by position, links by position of inputs and outputs, and choices by their spelling.
"""

from ..workflows.inputs import CHOICE, WIDGET_TYPES


def describe(info: dict) -> dict:
    """One node's entry of /object_info, reduced to what workflow files rely on."""
    names = info.get("output_name") or info["output"]
    outputs = [{"name": name, "type": kind} for name, kind in zip(names, info["output"], strict=True)]
    return {"inputs": _inputs(info["input"]), "outputs": outputs}


def _inputs(given: dict) -> list[dict]:
    """In order; of a choice its options, with the inputs that each brings."""
    found = []
    for kind in ("required", "optional"):
        for name, spec in given.get(kind, {}).items():
            options = spec[1] if len(spec) > 1 else {}
            entry = {"id": name, "type": "COMBO" if isinstance(spec[0], list) else spec[0], "optional": kind == "optional"}
            entry |= {key: options[key] for key in ("default", "min", "max") if key in options}
            choices = spec[0] if isinstance(spec[0], list) else options.get("options")
            if entry["type"] == CHOICE:
                entry["choices"] = [option["key"] for option in options["options"]]
                entry["settings"] = {option["key"]: _inputs(option["inputs"]) for option in options["options"]}
            elif choices is not None:
                entry["choices"] = choices
            found.append(entry)
    return found


def breaks(recorded: dict[str, dict], current: dict[str, dict]) -> list[str]:
    """One line for each change from `recorded` to `current` that breaks saved workflows; new nodes, new optional inputs at
    the end, new outputs at the end, new choices with what they bring, and wider ranges do not."""
    found = []
    for node, before in recorded.items():
        if node not in current:
            found.append(f"{node}: the node is gone")
            continue
        now = current[node]
        found += [f"{node}: {problem}" for problem in _input_breaks(before["inputs"], now["inputs"])]
        found += [f"{node}: {problem}" for problem in _output_breaks(before["outputs"], now["outputs"])]
    return found


def _input_breaks(before: list[dict], now: list[dict]) -> list[str]:
    ids, ids_now = ([entry["id"] for entry in entries] for entries in (before, now))
    gone = [name for name in ids if name not in ids_now]
    if gone:
        return [f"input {name} is gone" for name in gone]
    if ids_now[: len(ids)] != ids:
        return [f"inputs begin with {', '.join(ids_now[: len(ids)])} instead of {', '.join(ids)}"]
    found = [f"input {entry['id']} is new and required" for entry in now[len(ids) :] if not entry["optional"]]
    for old, new in zip(before, now, strict=False):
        found += [f"input {old['id']}: {problem}" for problem in _value_breaks(old, new)]
        for option, settings in old.get("settings", {}).items():
            problems = _setting_breaks(settings, new.get("settings", {}).get(option, []))
            found += [f"input {old['id']}: {option}: {problem}" for problem in problems]
    return found


def _setting_breaks(before: list[dict], now: list[dict]) -> list[str]:
    """What an option brings stands before what comes after the choice, so that one widget more would shift those values."""
    ids = {entry["id"] for entry in before}
    more = [entry["id"] for entry in now if entry["id"] not in ids and entry["type"] in WIDGET_TYPES]
    return _input_breaks(before, now) + [f"input {name} is new and shifts the values after it" for name in more]


def _value_breaks(old: dict, new: dict) -> list[str]:
    found = []
    if new["type"] != old["type"]:
        found.append(f"type {new['type']} instead of {old['type']}")
    if old["optional"] and not new["optional"]:
        found.append("required instead of optional")
    if "default" in old and new.get("default") != old["default"]:
        found.append(f"default {new.get('default')!r} instead of {old['default']!r}")
    found += [f"choice {choice!r} is gone" for choice in old.get("choices", []) if choice not in new.get("choices", [])]
    if "min" in old and "min" in new and new["min"] > old["min"]:
        found.append(f"minimum {new['min']} instead of {old['min']}")
    if "max" in old and "max" in new and new["max"] < old["max"]:
        found.append(f"maximum {new['max']} instead of {old['max']}")
    return found


def _output_breaks(before: list[dict], now: list[dict]) -> list[str]:
    if now[: len(before)] == before:
        return []
    named = [", ".join(f"{entry['name']} ({entry['type']})" for entry in entries) for entries in (now, before)]
    return [f"outputs are {named[0] or 'none'} instead of {named[1] or 'none'}"]
