"""TIME Edit Model from end to end, on the host's own model and text encoder classes."""

import pytest
import torch
from comfy_api.latest import ui
from host import tiny
from time_diffedit.nodes.time_edit_model import TIMEEditModel
from time_diffedit.time_core.edit import TimeEdit


def defaults() -> dict:
    """What the node shows before anyone touches it."""
    return {i.id: i.default for i in TIMEEditModel.define_schema().inputs if hasattr(i, "default")}


@pytest.fixture(scope="module")
def model():
    return tiny.unet()


def run(model, **changes):
    return TIMEEditModel.execute(**{**defaults(), "model": model, "clip": tiny.clip(), **changes})


def test_the_defaults_edit_the_model(model):
    before = tiny.weights(model)
    output = run(model)
    edited, edit = output.args
    assert isinstance(edit, TimeEdit)
    assert edit.pairs == (("A pack of roses", "A pack of blue roses"),)
    assert edit.augmentations == ("A photo of", "An image of", "A picture of")
    assert (edit.lamb, edit.preserve, edit.diagnostics.rows) == (0.1, (), 308)

    change = torch.eye(768, dtype=torch.float64) + edit.left.double() @ edit.right.double().T
    assert len(edited.patches) == 14
    for name in edited.patches:
        expected = before[name].double() @ change
        assert (tiny.patched(edited, name).double() - expected).norm() / expected.norm() <= 2e-6
    assert model.patches == {}
    assert all(torch.equal(weight, before[name]) for name, weight in model.model.state_dict().items())


def test_the_summary(model):
    output = run(model, strength=0.5, source="A pack of roses\na dog", destination="A pack of blue roses\na red dog")
    assert isinstance(output.ui, ui.PreviewText)
    summary = output.ui.as_dict()["text"][0]
    diagnostics = output.args[1].diagnostics
    for part in (
        "14 projections edited at strength 0.5",
        "A pack of roses -> A pack of blue roses (adds: blue)",
        "a dog -> a red dog (adds: red)",
        "lambda 0.1",
        f"fit residual {diagnostics.fit_residual:.3g}",
        f"leak on the empty prompt {diagnostics.empty_leak:.3g}",
        f"rank {diagnostics.rank}",
        f"condition number {diagnostics.condition:.2g}",
    ):
        assert part in summary


def test_a_picture_changes_only_with_the_edit(model):
    """One call of the model: another answer to the edited prompt, and the old one again from the original model."""
    text = tiny.clip().encode("A pack of roses")
    x, sigma = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([3.0])
    before = model.model.apply_model(x, sigma, c_crossattn=text)
    edited, _ = run(model).args
    edited.patch_model(device_to=tiny.CPU)
    during = model.model.apply_model(x, sigma, c_crossattn=text)
    edited.unpatch_model(device_to=tiny.CPU)
    assert (during - before).norm() / before.norm() > 1e-3
    assert torch.equal(model.model.apply_model(x, sigma, c_crossattn=text), before)


def test_values_only(model):
    edited, _ = run(model, edit_keys=False).args
    assert len(edited.patches) == 7
    assert all(name.endswith("to_v.weight") for name in edited.patches)


def test_two_nodes_in_a_row_accumulate(model):
    first, one = run(model).args
    second, two = run(first, source="a dog", destination="a red dog", strength=0.5).args
    name = next(iter(second.patches))
    weight = model.model.state_dict()[name].double()
    p1, p2 = (edit.left.double() @ edit.right.double().T for edit in (one, two))
    expected = (weight + weight @ p1) + 0.5 * (weight + weight @ p1) @ p2
    assert (tiny.patched(second, name).double() - expected).norm() / expected.norm() <= 2e-6
    assert len(first.patches[name]) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "a dog", "destination": "a cat"}, "no place for the word 'dog'"),
        ({"source": "a dog\na cat"}, "source has 2 lines and destination has 1"),
        ({"source": ""}, "source is empty"),
        ({"destination": "A pack of roses"}, "equal in line 1"),
        ({"source": "a (pack:1.3) of roses"}, "weights words by parentheses"),
        ({"lamb": 0.0}, "lambda is 0.0"),
        ({"lamb": -3.0}, "lambda is -3.0"),
        ({"edit_keys": False, "edit_values": False}, "both off"),
        ({"preserve": "a pack of roses"}, "preserve lists"),
    ],
)
def test_bad_input_is_named(model, changes, message):
    with pytest.raises(ValueError, match=message):
        run(model, **changes)


def test_a_model_of_another_text_width_is_refused():
    with pytest.raises(ValueError, match="reads text of width 1024, but the edit's text encoder gives 768"):
        run(tiny.unet(context_dim=1024))
