"""A few examples of each family, the same ones each time; and that the bar finds what does not hold. `make fuzz` runs more."""

import math

import pytest
import torch
from comfy_api.latest import io

from tools.comfyui.library import load_pack

load_pack()

from . import bar, inputs  # noqa: E402
from .bar import Tally  # noqa: E402
from .families import families  # noqa: E402
from .folders import own_folders  # noqa: E402
from .inputs import Drawn, Example  # noqa: E402
from .run import run  # noqa: E402

EXAMPLES = 10


@pytest.mark.parametrize("name", families())
def test_examples_hold(name):
    tally = run(families()[name], EXAMPLES, None)
    assert tally.ends.total() >= EXAMPLES


class Node(io.ComfyNode):
    """Does what its `number` says."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            "Node",
            inputs=[io.Int.Input("number", min=0, max=9), io.Mask.Input("mask")],
            outputs=[io.Mask.Output(display_name="MASK")],
        )

    @classmethod
    def execute(cls, number, mask) -> io.NodeOutput:
        if number == 1:
            mask = mask * math.nan
        elif number == 2:
            raise KeyError("mask")
        elif number == 3:
            raise ValueError("something is wrong")
        elif number == 4:
            mask.mul_(0.5)
        elif number == 5:
            mask = mask[0]
        elif number == 6:
            return io.NodeOutput(mask, ui={"text": [math.nan]})
        elif number == 7:
            return io.NodeOutput()
        elif number == 8:
            raise ValueError("number is 8")
        return io.NodeOutput(mask)


def example(number: int) -> Example:
    return Example(Node, {"number": Drawn("", number), "mask": Drawn("", torch.ones(1, 4, 4))}, ("number",))


@pytest.mark.parametrize("number", range(1, 8))
def test_what_does_not_hold_is_found(number):
    with pytest.raises((AssertionError, KeyError, ValueError)):
        bar.hold(example(number), Tally())


def test_what_holds_is_counted():
    tally = Tally()
    bar.hold(example(0), tally)
    bar.hold(example(8), tally)
    assert tally.ends == {"result": 1, "refused, named": 1}


def test_a_new_node_is_a_family():
    run_of = families()["TIMEApplyEdit"].__class__(inputs.examples(Node), lambda drawn, tally: tally.ends.update([repr(drawn)]))
    tally = run(run_of, 50, None)
    assert any("wrong: number" in shown for shown in tally.ends) and any("<half>" in shown for shown in tally.ends)


def test_a_changed_weight_is_found():
    weight = next(bar.objects.model().model.diffusion_model.parameters())
    bar.check_shared()
    before = weight.data.clone()
    weight.data += 1
    try:
        with pytest.raises(AssertionError, match="weight"):
            bar.check_shared()
        with pytest.raises(AssertionError, match="weight"):
            bar.hold(example(0), Tally())
    finally:
        weight.data.copy_(before)


def test_what_is_written_outside_is_found():
    with pytest.raises(AssertionError, match="outside"), own_folders() as inside:
        (inside.parent / "escape").touch()
