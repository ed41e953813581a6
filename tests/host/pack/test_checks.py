"""What every node refuses by the input's name, whichever node and input it is, before anything runs; and what it never gives.

All other inputs are taken by `object()`, which no node could do anything with.
"""

import math
import re
from collections.abc import Iterator

import pytest
import torch
from comfy_api.latest import io
from time_diffedit.diffedit_core.mask.mask_rule import RULES
from time_diffedit.nodes import NODES
from time_diffedit.nodes.shared.checks import DEEPEST, CheckedNode, check_value, checked, is_finite, named
from time_diffedit.nodes.shared.choice import chosen

NUMBERS = (io.Int.Input, io.Float.Input)
WRITTEN = (*NUMBERS, io.Boolean.Input, io.String.Input, io.Combo.Input, io.DynamicCombo.Input)


def valid(one: io.Input) -> object:
    """A value that the checks let pass."""
    if isinstance(one, (*NUMBERS, io.Boolean.Input)):
        return one.default
    if isinstance(one, io.String.Input):
        written_by_a_view = (one.extra_dict or {}).get("hidden")
        return one.default or ("" if written_by_a_view else "a rose")
    if isinstance(one, io.Combo.Input):
        return one.options[0] if one.options else ""
    if isinstance(one, io.DynamicCombo.Input):
        return {one.id: one.options[0].key} | {each.id: valid(each) for each in one.options[0].inputs}
    if isinstance(one, io.Image.Input):
        return torch.zeros(1, 8, 8, 3)
    if isinstance(one, io.Latent.Input):
        return {"samples": torch.zeros(1, 4, 8, 8)}
    return [[torch.zeros(1, 2, 8), {}]] if isinstance(one, io.Conditioning.Input) else object()


def places() -> Iterator[tuple[type[io.ComfyNode], io.Input, io.DynamicCombo.Input | None, str]]:
    """Every input of every node, and those that an option of a choice brings."""
    for node in NODES:
        for one in node.define_schema().inputs:
            yield node, one, None, ""
            for option in one.options if isinstance(one, io.DynamicCombo.Input) else ():
                yield from ((node, inner, one, option.key) for inner in option.inputs)


def of_kind(*kinds: type[io.Input]) -> list:
    return [
        pytest.param(node, one, choice, option, id=f"{node.__name__}-{option}{'.' * bool(option)}{one.id}")
        for node, one, choice, option in places()
        if isinstance(one, kinds)
    ]


def run(node, one, choice, option, value) -> None:
    """The node with `value` for its input `one`, all others valid."""
    inputs = {each.id: valid(each) for each in node.define_schema().inputs}
    if choice is None:
        inputs[one.id] = value
    else:
        (brought,) = [each.inputs for each in choice.options if each.key == option]
        inputs[choice.id] = {choice.id: option} | {each.id: valid(each) for each in brought} | {one.id: value}
    node.execute(**inputs)


def refused(node, one, choice, option, value, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(named(one))} {message}"):
        run(node, one, choice, option, value)


@pytest.mark.parametrize(("node", "one", "choice", "option"), of_kind(*NUMBERS))
def test_numbers_that_are_none_or_out_of_bounds(node, one, choice, option):
    """Not a number passes the host's own check, and linked numbers are not checked by it at all."""
    assert one.min is not None and one.max is not None
    for value in (math.nan, math.inf, -math.inf, one.min - 1, one.max * 2, 1e30, "1"):
        refused(
            node, one, choice, option, value, rf"is {re.escape(repr(value))}; it must be a (whole )?number from .* to .*\.$"
        )
    if isinstance(one, io.Int.Input):
        for value in (one.min + 0.5, float(one.min)):  # some nodes count with it
            refused(node, one, choice, option, value, "is .*; it must be a whole number")


@pytest.mark.parametrize(("node", "one", "choice", "option"), of_kind(*NUMBERS))
def test_the_bounds_themselves_are_numbers(node, one, choice, option):
    for value in (one.min, one.max, one.default):
        check_value(one, value)


@pytest.mark.parametrize(("node", "one", "choice", "option"), of_kind(io.String.Input))
def test_texts_that_no_tokenizer_reads(node, one, choice, option):
    refused(node, one, choice, option, "a \ud83d rose", r"holds half a character \('\\ud83d' at 3\).*type it anew")
    refused(node, one, choice, option, "(" * 3000 + "a rose" + ")" * 3000, "has 3000 parentheses in one another.*write")
    refused(node, one, choice, option, 5, "is a int; it must be a text")


@pytest.mark.parametrize("text", ["(" * DEEPEST + "a" + ")" * DEEPEST, "(a) " * 3000, "\\(" * 3000 + "\\)" * 3000])
def test_texts_that_are_read(text):
    from host.models import tiny

    tiny.clip().tokenize(text)  # the host reads them, too
    checked(AnyNode.__dict__["gives"])(AnyNode, text, 0.0)


@pytest.mark.parametrize(("node", "one", "choice", "option"), of_kind(io.Boolean.Input))
def test_what_is_neither_true_nor_false(node, one, choice, option):
    for value in ("yes", 2, math.nan, [True]):
        refused(node, one, choice, option, value, rf"is {re.escape(repr(value))}; it must be true or false")


@pytest.mark.parametrize(("node", "one", "choice", "option"), of_kind(io.Combo.Input))
def test_choices_that_are_no_words(node, one, choice, option):
    for value in (5, ["a"], {}):
        refused(node, one, choice, option, value, rf"is {re.escape(repr(value))}; choose one of its options")


@pytest.mark.parametrize(
    ("node", "one", "choice", "option"), of_kind(*NUMBERS, io.String.Input, io.Boolean.Input, io.Combo.Input)
)
def test_nothing_in_the_place_of_a_value(node, one, choice, option):
    """As an input that is linked to a node which gives nothing; also where it may be left out."""
    refused(node, one, choice, option, None, "is empty; connect what gives a value, or nothing")


@pytest.mark.parametrize(("node", "one", "choice", "option"), of_kind(*NUMBERS, io.String.Input, io.Combo.Input))
def test_the_host_is_told_before_a_run_what_the_node_would_say(node, one, choice, option):
    """Of what is typed; what is linked is None, and not known."""
    values = {each.id: valid(each) if isinstance(each, WRITTEN) else None for each in node.define_schema().inputs}
    wrong = math.nan if isinstance(one, NUMBERS) else "(" * 3000 if isinstance(one, io.String.Input) else "no such option"
    assert refused_before(node, one, choice, option, values, wrong).startswith(f"{named(one)} ")
    assert not str(refused_before(node, one, choice, option, values, None)).startswith(f"{named(one)} ")


def refused_before(node, one, choice, option, values: dict, value) -> bool | str:
    if choice is None:
        return node.validate_inputs(**values | {one.id: value})
    (brought,) = [each.inputs for each in choice.options if each.key == option]
    settings = {choice.id: option} | {each.id: valid(each) for each in brought if isinstance(each, WRITTEN)} | {one.id: value}
    return node.validate_inputs(**values | {choice.id: settings})


@pytest.mark.parametrize(("node", "one", "choice", "option"), of_kind(io.Combo.Input))
def test_choices_that_are_not_there(node, one, choice, option):
    refused(node, one, choice, option, "no such option", "")


def test_choices_of_settings_that_are_no_words():
    for option in (["a"], {}, None, 5):
        with pytest.raises(ValueError, match="^rule is .*; choose one of "):
            chosen("rule", {"rule": option}, RULES)


@pytest.mark.parametrize(("node", "one", "choice", "option"), of_kind(io.Latent.Input))
def test_latents_without_samples(node, one, choice, option):
    for value in ({}, {"samples": [1.0]}, {"samples": None}, torch.zeros(1, 4, 8, 8)):
        refused(node, one, choice, option, value, "holds no samples; connect VAE Encode")


@pytest.mark.parametrize(("node", "one", "choice", "option"), of_kind(io.Image.Input))
def test_pictures_that_are_none(node, one, choice, option):
    for shape in ((1, 8, 8, 1), (0, 8, 8, 3), (1, 0, 8, 3), (8, 8, 3), (1, 8, 8, 0)):
        shown = re.escape(str(shape))
        refused(node, one, choice, option, torch.zeros(shape), f"has the shape {shown}; it must be .pictures, height, width, 3")
    refused(node, one, choice, option, torch.full((1, 8, 8, 3), math.nan), "contains values that are not finite")


@pytest.mark.parametrize(("node", "one", "choice", "option"), of_kind(io.Conditioning.Input))
def test_prompts_without_tokens(node, one, choice, option):
    refused(node, one, choice, option, [[torch.zeros(1, 0, 8), {}]], r"has no tokens \(shape \(1, 0, 8\)\); encode a prompt")
    refused(node, one, choice, option, [], "holds no prompt; connect")
    refused(
        node, one, choice, option, [[torch.zeros(2, 8), {}]], r"has the shape \(2, 8\); it must be \(prompts, tokens, width\)"
    )
    refused(node, one, choice, option, [[torch.full((1, 2, 8), math.nan), {}]], "contains values that are not finite")


@pytest.mark.parametrize("node", NODES)
def test_what_is_needed_and_not_there(node):
    """As of a checkpoint without a text encoder."""
    for one in node.define_schema().inputs:
        if not (one.optional or isinstance(one, io.DynamicCombo.Input)):
            refused(node, one, None, "", None, "is empty; connect (a loader|what gives a value)")


class AnyNode(CheckedNode, io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            "AnyNode",
            inputs=[io.String.Input("text"), io.Float.Input("number", optional=True)],
            outputs=[io.Latent.Output(display_name="LATENT")],
        )

    def gives(cls, text, value):
        return io.NodeOutput({"samples": torch.tensor([0.0, value]), "others": [(1, "x", None, object())]})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nothing_that_is_not_finite_leaves_a_node(value):
    with pytest.raises(ValueError, match="^LATENT would hold numbers that are not finite.*float32.*cfg or strength"):
        checked(AnyNode.gives)(AnyNode, "a", value)
    assert checked(AnyNode.gives)(AnyNode, "a", 1.0).args[0]["samples"][1] == 1


def test_numbers_are_found_wherever_they_are():
    for value in (math.nan, [math.inf], {"a": (1, math.nan)}, torch.tensor([math.nan])):
        assert not is_finite(value)
    for value in (0, "nan", None, object(), torch.zeros(0), [[torch.zeros(2), {"a": 1.0}]]):
        assert is_finite(value)
