"""Inputs of the pack's nodes by the names that a workflow has, settings of a choice among them."""

import pytest

from benchmarks.hosts.inputs import execute, inputs_of, parse_changes
from tools.comfyui.library import load_nodes

NODES = load_nodes()


def test_a_choice_brings_its_own_settings():
    mask = NODES["DiffEditMask"]
    published = inputs_of(mask, {})
    assert (published["rule"], published["rule.threshold_ratio"], published["rule.threshold"]) == ("mean ratio", 3.0, 0.5)
    otsu = inputs_of(mask, {"rule": "otsu", "rule.area_floor": 1})
    assert {name: value for name, value in otsu.items() if name.startswith("rule")} == {"rule": "otsu", "rule.area_floor": 1}
    assert "model" not in published


def test_what_a_node_lacks_is_refused():
    mask = NODES["DiffEditMask"]
    with pytest.raises(ValueError, match=r"DiffEditMask has no value 'rule.area_floor'; it has seed, maps,"):
        inputs_of(mask, {"rule.area_floor": 1})
    with pytest.raises(ValueError, match="DiffEditMask: rule is one of mean ratio, paper, .*, not 'guess'"):
        inputs_of(mask, {"rule": "guess"})


def test_a_node_is_given_its_choices_with_their_settings():
    class Node:
        GET_SCHEMA = NODES["DDIMInvert"].GET_SCHEMA

        @staticmethod
        def execute(**given):
            class Output:
                result = (given,)

            return Output

    inputs = {"method": "fixed point", "method.refinements": 3, "steps": 2}
    assert execute(Node, inputs) == ({"method": {"method": "fixed point", "refinements": 3}, "steps": 2},)


def test_changes_are_read_as_they_are_written():
    text = "whole edit: lamb=0.01, preserve_empty=true, mask.rule.area_floor=1, preserve=a cat\\na dog"
    changes = {"lamb": 0.01, "preserve_empty": True, "mask.rule.area_floor": 1, "preserve": "a cat\na dog"}
    assert parse_changes(text, "--variant") == ("whole edit", changes)
