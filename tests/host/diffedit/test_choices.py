"""Inputs that bring their own settings, from a prompt as the browser sends it, through the host, to `execute`."""

import pytest
from comfy_api.latest import _io, io
from time_diffedit.nodes import NODES, DDIMInvert, DiffEditMask, MaskedLatentSampler
from time_diffedit.nodes.shared.choice import chosen, shown_as

CHOICES = [
    (node, choice) for node in NODES for choice in node.define_schema().inputs if isinstance(choice, io.DynamicCombo.Input)
]
OPTIONS = [(node, choice, option) for node, choice in CHOICES for option in choice.options]


def name_of(item) -> str:
    return item.define_schema().node_id if isinstance(item, type) else getattr(item, "id", None) or item.key


def as_executed(node, prompt: dict) -> dict:
    """What the host makes of the inputs of a prompt."""
    inputs, _, data = _io.get_finalized_class_inputs(node.INPUT_TYPES(), prompt)
    known = inputs["required"] | inputs["optional"]
    return _io.build_nested_inputs({name: value for name, value in prompt.items() if name in known}, data)


@pytest.mark.parametrize(("node", "choice", "option"), OPTIONS, ids=name_of)
def test_every_option_arrives_with_its_settings_and_no_others(node, choice, option):
    foreign = {f"{choice.id}.{i.id}": "foreign" for other in choice.options for i in other.inputs}
    own = {f"{choice.id}.{i.id}": f"value of {i.id}" for i in option.inputs}
    arrived = as_executed(node, {choice.id: option.key, **foreign, **own})
    assert set(arrived) == {choice.id}
    found = chosen(choice.id, arrived[choice.id], [o.key for o in choice.options])
    assert found == (option.key, {i.id: f"value of {i.id}" for i in option.inputs})
    assert shown_as(choice.id, found) == {choice.id: option.key, **own}


@pytest.mark.parametrize(("node", "choice"), CHOICES, ids=name_of)
@pytest.mark.parametrize("prompt", [{}, {"unknown": True}], ids=["left out", "unknown"])
def test_a_choice_that_is_left_out_or_unknown_is_none_of_the_options(node, choice, prompt):
    arrived = as_executed(node, {choice.id: "unknown"} if prompt else {})
    assert arrived == {}  # so that `execute` has its own default, and says what can be chosen
    with pytest.raises(ValueError, match=f"^{choice.id} is missing, or not an option; choose one of "):
        chosen(choice.id, arrived.get(choice.id), [o.key for o in choice.options])


@pytest.mark.parametrize(("node", "choice", "option"), OPTIONS, ids=name_of)
def test_settings_have_defaults_and_seeds_no_second_widget(node, choice, option):
    for setting in option.inputs:
        if isinstance(setting, io.WidgetInput):
            assert setting.default is not None and not setting.optional
            assert not getattr(setting, "control_after_generate", False)


def test_the_choices_are_these():
    found = {(node.define_schema().node_id, choice.id) for node, choice in CHOICES}
    assert found == {
        ("DiffEditMask", "rule"),
        ("DiffEditMask", "outline"),
        ("DiffEditMask", "compare"),
        ("HeatmapToMask", "rule"),
        ("HeatmapToMask", "outline"),
        ("DDIMInvert", "method"),
        ("DDIMInvert", "regularisation"),
        ("MaskedLatentSampler", "background"),
        ("CaptionImage", "decoding"),
        ("CaptionConcept", "decoding"),
    }


def test_settings_that_are_left_out_are_not_handed_on():
    prompt = {"compare": "two prompts, guided", "compare.cfg": 3.0}
    arrived = as_executed(DiffEditMask, prompt)["compare"]
    assert chosen("compare", arrived, ["two prompts, guided"]).settings == {"cfg": 3.0}
    assert as_executed(DDIMInvert, {"method": "ddpm"}) == {"method": {"method": "ddpm", "seed": None}}
    assert as_executed(MaskedLatentSampler, {"background": "trajectory"}) == {"background": {"background": "trajectory"}}
