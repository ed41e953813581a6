"""TIME Edit Model from end to end, on the host's own model and text encoder classes."""

import json

import pytest
import torch
from host.models import tiny
from time_diffedit.nodes.time.time_apply_edit import TIMEApplyEdit
from time_diffedit.nodes.time.time_compute_edit import TIMEComputeEdit
from time_diffedit.nodes.time.time_edit_conditioning import TIMEEditConditioning
from time_diffedit.nodes.time.time_edit_model import TIMEEditModel
from time_diffedit.time_core.equations.time_edit import TimeEdit
from time_diffedit.time_core.prompts.pairs import Kept, Pair, Settings

from tools.presets import presets


def defaults(node=TIMEEditModel) -> dict:
    """What the node shows before anyone touches it."""
    return {i.id: i.default for i in node.define_schema().inputs if getattr(i, "default", None) is not None}


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
    assert edit.pairs == (Pair("A pack of roses", "A pack of blue roses"),)
    assert edit.settings == Settings(lamb=0.1, augmentations=("A photo of", "An image of", "A picture of"))
    assert (edit.preserve, edit.diagnostics.rows) == ((), 308)

    change = torch.eye(768, dtype=torch.float64) + edit.left.double() @ edit.right.double().T
    assert len(edited.patches) == 14
    for name in edited.patches:
        expected = before[name].double() @ change
        assert (tiny.patched(edited, name).double() - expected).norm() / expected.norm() <= 2e-6
    assert model.patches == {}
    assert all(torch.equal(weight, before[name]) for name, weight in model.model.state_dict().items())


def test_the_summary(model):
    output = run(model, strength=0.5, source="A pack of roses\na dog", destination="A pack of blue roses\na red dog")
    summary = output.ui["text"][0]
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
    assert output.ui["time_edit"] == [output.args[1].report()]


def test_workflows_of_the_first_release_still_run(model):
    """They have the first ten inputs only; the others come with their defaults."""
    first = (
        "model",
        "clip",
        "source",
        "destination",
        "lamb",
        "strength",
        "edit_keys",
        "edit_values",
        "augmentations",
        "preserve",
    )
    assert tuple(i.id for i in TIMEEditModel.define_schema().inputs)[:10] == first
    inputs = {**defaults(), "model": model, "clip": tiny.clip()}
    edit = TIMEEditModel.execute(**{name: inputs[name] for name in first}).args[1]
    assert torch.equal(edit.left, run(model).args[1].left)


def test_every_setting_reaches_the_edit(model):
    changes = {
        "source": "a dog",
        "destination": "a cat | 2",
        "preserve": "a tree | 3",
        "edit_keys": False,
        "preserve_empty": True,
        "alignment": "replaced words",
        "tokens": "without padding",
        "layers": "up",
        "lambda_unit": "relative to the rows",
        "augmentations": "",
    }
    edited, edit = run(model, **changes).args
    assert edit.settings == Settings(
        lamb=0.1,
        relative=True,
        alignment="replaced words",
        tokens="without padding",
        preserve_empty=True,
        edit_keys=False,
        layers="up",
    )
    assert (edit.pairs, edit.preserve) == ((Pair("a dog", "a cat", 2.0),), (Kept("a tree", 3.0),))
    assert edited.patches and all("output_blocks" in name and "to_v" in name for name in edited.patches)


def test_compute_and_apply_are_the_one_node_in_two(model):
    settings = {"source": "a dog", "destination": "a red dog"}
    edited, edit = run(model, strength=0.7, **settings).args
    (computed,) = TIMEComputeEdit.execute(**{**defaults(TIMEComputeEdit), "clip": tiny.clip(), **settings}).args
    assert torch.equal(computed.left, edit.left) and computed.report() == edit.report()
    applied = TIMEApplyEdit.execute(model=model, time_edit=computed, strength=0.7)
    assert applied.ui.as_dict()["text"] == ("14 projections edited at strength 0.7",)
    for name in edited.patches:
        assert torch.equal(tiny.patched(applied.args[0], name), tiny.patched(edited, name))


def test_the_edited_text_is_the_edited_model(model):
    """Sampled by the host with guidance: both polarities through the conditioning node, against the edited model."""
    positive, negative = (
        tiny.clip().encode_from_tokens_scheduled(tiny.clip().tokenize(prompt)) for prompt in ("A pack of roses", "ugly")
    )
    edited, edit = run(model, strength=0.8).args
    text = [TIMEEditConditioning.execute(c, edit, 0.8).args[0] for c in (positive, negative)]
    expected = tiny.sample(edited, positive, negative)
    assert (expected - tiny.sample(model, positive, negative)).norm() / expected.norm() > 1e-2
    assert (tiny.sample(model, *text) - expected).norm() / expected.norm() <= 1e-5
    one_sided = tiny.sample(model, text[0], negative)
    assert (one_sided - expected).norm() / expected.norm() > 1e-4


def test_the_conditioning_s_extras_and_input_stay():
    rows = tiny.clip().encode("a dog")
    conditioning = [[rows, {"pooled_output": None, "strength": 0.5}], [rows.repeat(2, 2, 1), {}]]
    (edit,) = TIMEComputeEdit.execute(**{**defaults(TIMEComputeEdit), "clip": tiny.clip()}).args
    (first, second) = TIMEEditConditioning.execute(conditioning, edit, 1.0).args[0]
    assert first[1] == {"pooled_output": None, "strength": 0.5}
    assert torch.equal(conditioning[0][0], rows) and conditioning[0][1] is not first[1]
    assert torch.allclose(second[0][1, 77:], first[0][0], rtol=1e-4, atol=1e-4)
    assert torch.equal(TIMEEditConditioning.execute(conditioning, edit, 0.0).args[0][0][0], rows)


@pytest.mark.parametrize(
    ("settings", "conditioning", "message"),
    [
        ({"edit_values": False}, torch.zeros(1, 77, 768), "for keys or values alone"),
        ({"layers": "up"}, torch.zeros(1, 77, 768), "for the layers 'up'"),
        ({}, torch.zeros(1, 77, 1024), "rows of width 1024, but time_edit is for 768"),
        ({}, None, "conditioning holds no text, so there is nothing to edit"),
    ],
)
def test_what_text_cannot_carry_is_refused(settings, conditioning, message):
    (edit,) = TIMEComputeEdit.execute(**{**defaults(TIMEComputeEdit), "clip": tiny.clip(), **settings}).args
    with pytest.raises(ValueError, match=message):
        TIMEEditConditioning.execute([[conditioning, {}]], edit, 1.0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("conditioning_llama3", r"HiDream's, which reads the prompt from Llama .* \(conditioning_llama3\)"),
        (
            "conditioning_mt5xl",
            r"HunyuanDiT's, which reads the prompt from mT5 .* \(conditioning_mt5xl\).* use TIME Edit Model",
        ),
    ],
)
def test_a_conditioning_whose_text_stands_elsewhere_too_is_refused(name, message):
    (edit,) = TIMEComputeEdit.execute(**{**defaults(TIMEComputeEdit), "clip": tiny.clip()}).args
    with pytest.raises(ValueError, match=message):
        TIMEEditConditioning.execute([[torch.zeros(1, 77, 768), {name: torch.zeros(1, 2, 7, 768)}]], edit, 1.0)


def test_progress_and_interrupt(model):
    import comfy.model_management as management

    management.interrupt_current_processing()
    with pytest.raises(management.InterruptProcessingException):
        run(model)
    assert model.patches == {}


def test_a_picture_changes_only_with_the_edit():
    """One call of the model: another answer to the edited prompt, and the old one again from the original model."""
    model = tiny.unet()
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
        ({"layers": "left"}, "layers has 'left'"),
        ({"layers": "5-9"}, "layers names 9; this model has the layers 0 to 6"),
        ({"where": "text entry layer"}, "cross-attention"),
    ],
)
def test_bad_input_is_named(model, changes, message):
    with pytest.raises(ValueError, match=message):
        run(model, **changes)


def test_a_model_of_another_text_width_is_refused():
    with pytest.raises(ValueError, match="reads text of width 1024, but the edit's text encoder gives 768"):
        run(tiny.unet(context_dim=1024))


@pytest.mark.parametrize("node", [TIMEEditModel, TIMEComputeEdit])
def test_the_published_preset_is_the_defaults(node):
    given = {one.id: one.default for one in node.define_schema().inputs if getattr(one, "default", None) is not None}
    published = presets()["published"]
    assert published == {name: given[name] for name in published}


@pytest.mark.parametrize("name", presets())
def test_a_preset_is_what_the_node_takes(name):
    wanted = presets()[name]
    assert set(wanted) == set(presets()["published"])
    settings = TIMEComputeEdit.execute(**{**defaults(TIMEComputeEdit), "clip": tiny.clip(), **wanted}).args[0].settings
    assert (settings.lamb, settings.tokens) == (wanted["lamb"], wanted["tokens"])
    assert settings.relative == (wanted["lambda_unit"] == "relative to the rows")


@pytest.mark.parametrize("unit", ["absolute", "relative to the rows"])
def test_a_lambda_is_suggested_in_the_unit_that_is_used(unit):
    """The node with the suggested lambda reports what was said of it, and suggests it again."""
    given = {**defaults(TIMEComputeEdit), "clip": tiny.clip(), "lambda_unit": unit}
    output = TIMEComputeEdit.execute(**given)
    (told,) = json.loads(json.dumps(output.ui["verdict"]))
    best = told["suggested"]
    assert f"suggested lambda {best['lamb']:.3g} (fit " in output.ui["text"][0]
    assert f"takes {told['takes']} %, spills {told['spills']} %" in output.ui["text"][0]
    again = TIMEComputeEdit.execute(**{**given, "lamb": best["lamb"]})
    diagnostics = again.args[0].diagnostics
    assert diagnostics.fit_residual == pytest.approx(best["fit_residual"], rel=1e-6) and 0.05 < best["fit_residual"] <= 0.1
    assert diagnostics.empty_leak == pytest.approx(best["empty_leak"], rel=1e-6)
    assert again.ui["verdict"][0]["suggested"] == pytest.approx(best)
    assert again.ui["verdict"][0]["takes"] == round(100 - 100 * best["fit_residual"])


@pytest.mark.parametrize("node", [TIMEEditModel, TIMEComputeEdit])
@pytest.mark.parametrize(
    "changes", [{}, {"lambda_unit": "relative to the rows", "preserve": "a pack of dogs", "preserve_empty": True}]
)
def test_other_lambdas_are_told_beside_the_edit(model, node, changes):
    """Every point is what the node reports when it runs with that lambda; the edit itself does not carry them."""
    output = node.execute(**{**defaults(node), "model": model, "clip": tiny.clip(), **changes})
    points = json.loads(json.dumps(output.ui["lambda_curve"]))
    assert output.ui["time_edit"] == [output.args[-1].report()] and "lambda_curve" not in output.ui["time_edit"][0]
    assert len(points) > 8 and any(point["lamb"] == 0.1 for point in points)
    for point in points[::4]:
        found = node.execute(**{**defaults(node), "model": model, "clip": tiny.clip(), **changes, "lamb": point["lamb"]})
        diagnostics = found.args[-1].diagnostics
        # Factors rounded to float32 miss the destination by about 1e-7 of it, however complete the edit is.
        assert point["fit_residual"] == pytest.approx(diagnostics.fit_residual, rel=1e-6, abs=1e-8)
        assert point["empty_leak"] == pytest.approx(diagnostics.empty_leak, rel=1e-6)
        assert point["edit_size"] == pytest.approx(diagnostics.edit_size, rel=1e-6)
