"""The check that saved workflows stay loadable finds every kind of change that breaks them, and only those."""

import copy
import json

import pytest

from tools.release.golden import GOLDEN
from tools.release.schemas import breaks, describe

VERSION = max(path.name for path in GOLDEN.iterdir() if path.is_dir())
RECORDED = json.loads((GOLDEN / VERSION / "schemas.json").read_text())
NODE = "MaskedLatentSample"


@pytest.fixture
def changed():
    return copy.deepcopy(RECORDED)


def entry(schemas: dict, name: str) -> dict:
    (found,) = [entry for entry in schemas[NODE]["inputs"] if entry["id"] == name]
    return found


def only_break(changed: dict) -> str:
    (line,) = breaks(RECORDED, changed)
    return line


def test_no_change_no_break(changed):
    assert breaks(RECORDED, changed) == []


def test_node_gone(changed):
    del changed[NODE]
    assert only_break(changed) == f"{NODE}: the node is gone"


def test_input_gone(changed):
    changed[NODE]["inputs"].remove(entry(changed, "cfg"))
    assert only_break(changed) == f"{NODE}: input cfg is gone"


def test_input_renamed(changed):
    entry(changed, "cfg")["id"] = "guidance"
    assert only_break(changed) == f"{NODE}: input cfg is gone"


def test_inputs_reordered(changed):
    inputs = changed[NODE]["inputs"]
    inputs[0], inputs[1] = inputs[1], inputs[0]
    assert "inputs begin with" in only_break(changed)


def test_input_inserted_before_others(changed):
    changed[NODE]["inputs"].insert(3, {"id": "new", "type": "FLOAT", "optional": True, "default": 0.0})
    assert "inputs begin with" in only_break(changed)


def test_input_retyped(changed):
    entry(changed, "cfg")["type"] = "INT"
    assert only_break(changed) == f"{NODE}: input cfg: type INT instead of FLOAT"


def test_required_input_added(changed):
    changed[NODE]["inputs"].append({"id": "new", "type": "FLOAT", "optional": False, "default": 0.0})
    assert only_break(changed) == f"{NODE}: input new is new and required"


def test_optional_input_made_required(changed):
    entry(changed, "mask")["optional"] = False
    assert only_break(changed) == f"{NODE}: input mask: required instead of optional"


def test_default_changed(changed):
    entry(changed, "cfg")["default"] = 5.0
    assert only_break(changed) == f"{NODE}: input cfg: default 5.0 instead of 7.5"


def test_default_gone(changed):
    del entry(changed, "cfg")["default"]
    assert only_break(changed) == f"{NODE}: input cfg: default None instead of 7.5"


def test_choice_spelled_otherwise(changed):
    choices = entry(changed, "sampler_name")["choices"]
    choices[choices.index("euler")] = "Euler"
    assert only_break(changed) == f"{NODE}: input sampler_name: choice 'euler' is gone"


@pytest.mark.parametrize(("limit", "value"), [("min", 1.0), ("max", 7.0)])
def test_range_narrowed(changed, limit, value):
    entry(changed, "cfg")[limit] = value
    assert f"{limit}imum {value} instead of" in only_break(changed)


@pytest.mark.parametrize("what", ["gone", "renamed", "reordered", "retyped"])
def test_outputs(changed, what):
    outputs = changed[NODE]["outputs"]
    if what == "gone":
        outputs.pop()
    elif what == "renamed":
        outputs[0]["name"] = "other"
    elif what == "reordered":
        outputs.reverse()
    else:
        outputs[0]["type"] = "IMAGE"
    assert only_break(changed).startswith(f"{NODE}: outputs are ")


def test_what_files_survive(changed):
    changed["NewNode"] = {"inputs": [], "outputs": []}
    changed[NODE]["inputs"].append({"id": "new", "type": "FLOAT", "optional": True, "default": 0.0})
    changed[NODE]["outputs"].append({"name": "new", "type": "IMAGE"})
    entry(changed, "sampler_name")["choices"].insert(0, "new")
    entry(changed, "cfg")["max"] *= 2
    assert breaks(RECORDED, changed) == []


def test_both_spellings_of_a_list_of_choices_are_read():
    info = {"input_order": {"required": ["a", "b"]}, "output": ["IMAGE"], "output_name": ["picture"]}
    info["input"] = {"required": {"a": [["x", "y"], {"default": "x"}], "b": ["COMBO", {"options": ["z"]}]}}
    assert describe(info) == {
        "inputs": [
            {"id": "a", "type": "COMBO", "optional": False, "default": "x", "choices": ["x", "y"]},
            {"id": "b", "type": "COMBO", "optional": False, "choices": ["z"]},
        ],
        "outputs": [{"name": "picture", "type": "IMAGE"}],
    }


def settings_of(schemas: dict, option: str) -> list[dict]:
    (choice,) = [entry for entry in schemas["DiffEditMask"]["inputs"] if entry["id"] == "rule"]
    return choice["settings"][option]


def test_a_choice_is_recorded_with_what_its_options_bring():
    assert [entry["id"] for entry in settings_of(RECORDED, "paper")] == ["outliers", "threshold"]
    assert settings_of(RECORDED, "area")[0]["default"] == 20.0


def test_a_setting_gone(changed):
    del settings_of(changed, "otsu")[0]
    assert only_break(changed) == "DiffEditMask: input rule: otsu: input area_floor is gone"


def test_a_default_of_a_setting_changed(changed):
    settings_of(changed, "level")[0]["default"] = 0.1
    assert only_break(changed) == "DiffEditMask: input rule: level: input level: default 0.1 instead of 0.05"


def test_an_option_gone(changed):
    (choice,) = [entry for entry in changed["DiffEditMask"]["inputs"] if entry["id"] == "rule"]
    choice["choices"].remove("level")
    del choice["settings"]["level"]
    assert "DiffEditMask: input rule: choice 'level' is gone" in breaks(RECORDED, changed)


def test_one_widget_more_in_an_option_shifts_the_values_of_later_inputs(changed):
    settings_of(changed, "otsu").append({"id": "new", "type": "FLOAT", "optional": True, "default": 0.0})
    assert only_break(changed) == "DiffEditMask: input rule: otsu: input new is new and shifts the values after it"


def test_one_optional_socket_or_one_option_more_breaks_nothing(changed):
    settings_of(changed, "otsu").append({"id": "new", "type": "IMAGE", "optional": True})
    (choice,) = [entry for entry in changed["DiffEditMask"]["inputs"] if entry["id"] == "rule"]
    choice["choices"].append("new")
    choice["settings"]["new"] = [{"id": "some", "type": "FLOAT", "optional": False, "default": 1.0}]
    assert breaks(RECORDED, changed) == []
