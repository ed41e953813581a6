"""TIME Combine Edits: one joint edit of several, from their pairs and settings."""

import pytest
import torch
from host.models import tiny
from time_diffedit.nodes.time.time_combine_edits import NAMES, TIMECombineEdits
from time_diffedit.nodes.time.time_compute_edit import TIMEComputeEdit
from time_diffedit.time_core.application.edit_file import load_edit, save_edit
from time_diffedit.time_core.equations.many_prompts import make_prior
from time_diffedit.time_core.equations.time_edit import TimeEdit
from time_diffedit.time_core.prompts.text import TextReader

ROSES, CARS = ("A pack of roses", "A pack of blue roses"), ("a car", "a green car")


def compute(source: str, destination: str, **changes) -> TimeEdit:
    given = {i.id: i.default for i in TIMEComputeEdit.define_schema().inputs if getattr(i, "default", None) is not None}
    given |= {"clip": tiny.clip(), "source": source, "destination": destination}
    return TIMEComputeEdit.execute(**{**given, **changes}).args[0]


def combine(*edits: TimeEdit, **changes) -> TimeEdit:
    return TIMECombineEdits.execute(tiny.clip(), dict(zip(NAMES, edits, strict=False)), **changes).args[0]


@pytest.fixture(scope="module")
def roses() -> TimeEdit:
    return compute(*ROSES)


@pytest.fixture(scope="module")
def cars() -> TimeEdit:
    return compute(*CARS)


def equal(first: TimeEdit, second: TimeEdit) -> bool:
    return torch.equal(first.left, second.left) and torch.equal(first.right, second.right)


def p(edit: TimeEdit) -> torch.Tensor:
    return edit.left.double() @ edit.right.double().T


def test_two_edits_are_the_edit_of_both_lines(roses, cars):
    both = compute(f"{ROSES[0]}\n{CARS[0]}", f"{ROSES[1]}\n{CARS[1]}")
    made = combine(roses, cars)
    assert equal(made, both)
    assert (made.pairs, made.settings, made.alignments) == (both.pairs, both.settings, both.alignments)


def test_one_edit_is_itself(roses):
    assert equal(combine(roses), roses)


def test_a_joint_edit_fits_better_than_one_after_the_other(roses, cars):
    made = combine(roses, cars)
    identity = torch.eye(768, dtype=torch.float64)
    one_after_another = (identity + p(roses)) @ (identity + p(cars)) - identity
    reader = TextReader(tiny.clip())
    source, destination = reader.read(CARS[0]).rows[:3], reader.read(CARS[1]).rows[[0, 1, 3]]

    def missing(change: torch.Tensor) -> float:
        return ((source + source @ change.T - destination).norm() / (destination - source).norm()).item()

    assert missing(p(made)) < 0.1 < missing(one_after_another)


def test_every_edit_keeps_its_lambda(roses):
    weak = compute(*CARS, lamb=1000.0)
    made = combine(roses, weak)
    assert made.settings.lamb == 0.1 and [pair.weight for pair in made.pairs] == [1.0, 1e-4]
    strong, weaker = made.diagnostics.fit_by_pair
    assert strong < 0.2 and weaker == pytest.approx(weak.diagnostics.fit_by_pair[0], abs=0.3) and weaker > 2 * strong
    same = combine(roses, weak, lamb=5.0)
    assert same.settings.lamb == 5.0 and [pair.weight for pair in same.pairs] == [1.0, 1.0]


def test_edits_of_other_choices_keep_them(roses):
    dogs = compute("a dog", "a cat", alignment="replaced words", tokens="without padding", augmentations="")
    made = combine(roses, dogs)
    assert made.diagnostics.rows < 2 * roses.diagnostics.rows
    assert made.pairs[1].own.alignment == "replaced words" and made.pairs[1].own.augmentations == ()
    assert made.alignments == roses.alignments + dogs.alignments
    again = combine(made, compute(*CARS))
    assert again.pairs[1].own == made.pairs[1].own and len(again.pairs) == 3


def test_a_joint_edit_goes_through_a_file(tmp_path, roses):
    made = combine(roses, compute("a dog", "a cat", alignment="replaced words"))
    save_edit(tmp_path / "edit.safetensors", made)
    loaded = load_edit(tmp_path / "edit.safetensors", TextReader(tiny.clip()).fingerprint)
    assert equal(loaded, made) and loaded.report() == made.report() and loaded.pairs == made.pairs
    assert equal(combine(loaded, compute(*CARS)), combine(made, compute(*CARS)))


def test_what_several_ask_for_is_there_once(roses):
    heavier = compute(f"{ROSES[0]}\n{CARS[0]}", f"{ROSES[1]} | 3\n{CARS[1]}", preserve="a tree")
    made = combine(roses, heavier, compute(*CARS, preserve="a tree | 2"))
    assert [(pair.source, pair.weight) for pair in made.pairs] == [(ROSES[0], 3.0), (CARS[0], 1.0)]
    assert [(kept.prompt, kept.weight) for kept in made.preserve] == [("a tree", 2.0)]


def test_how_prompts_are_kept(roses):
    softly, exactly = (compute(*CARS, preserve="a tree", preserve_mode=mode) for mode in ("softly", "exactly"))
    assert combine(roses, exactly).settings.preserve_mode == "exactly"
    assert combine(roses, exactly).diagnostics.preserve_leak < 2e-6
    with pytest.raises(
        ValueError, match="preserve_mode is 'softly' in time_edit_1, 'exactly' in time_edit_2; set preserve_mode"
    ):
        combine(softly, exactly)
    assert combine(softly, exactly, preserve_mode="exactly").diagnostics.kept_exactly == ("a tree",)


def test_a_prior(roses, cars):
    prior = make_prior(TextReader(tiny.clip()), ["a cup in a garden", "a hat", "two children on a beach"])
    spared = compute(*CARS, prior=prior, rho=2.0)
    with pytest.raises(
        ValueError, match=r"time_edit_2 has a prior \(3 prompts, .*, rho 2\); connect TIME Prior to prior, or set rho to 0"
    ):
        combine(roses, spared)
    assert equal(combine(roses, spared, rho=0.0), combine(roses, cars))
    made = combine(roses, spared, prior=prior, rho=2.0)
    assert made.settings.rho == 2.0 and not equal(made, combine(roses, cars))


def test_what_cannot_be_combined(roses, cars):
    with pytest.raises(ValueError, match="time_edit_2 changes 'A pack of roses' to 'A pack of red roses', and time_edit_1 to"):
        combine(roses, compute(ROSES[0], "A pack of red roses"))
    with pytest.raises(ValueError, match="time_edit_2 preserves 'A pack of roses', which another edit changes"):
        combine(roses, compute(*CARS, preserve=ROSES[0]))
    with pytest.raises(ValueError, match="edit_keys is False in time_edit_2 and True in time_edit_1"):
        combine(roses, compute(*CARS, edit_keys=False))
    with pytest.raises(ValueError, match="layers is 'up' in time_edit_2 and 'all' in time_edit_1"):
        combine(roses, compute(*CARS, layers="up"))
    with pytest.raises(ValueError, match="time_edit_2 is for the text of l, width 768"):
        combine(roses, compute(*CARS, clip=tiny.new_clip(5)))
    with pytest.raises(ValueError, match="time_edits are for the text of"):
        TIMECombineEdits.execute(tiny.new_clip(5), {"time_edit_1": roses, "time_edit_2": cars})
    with pytest.raises(ValueError, match="time_edits is empty"):
        TIMECombineEdits.execute(tiny.clip(), {})


def test_a_weak_edit_holds_the_empty_prompt_weakly(roses):
    """As weakly as it would by itself: its rows count lambda 0.1 / 1000 times as much as those of the other."""
    weak = compute(*CARS, lamb=1000.0, preserve_empty=True)
    made = combine(roses, weak)
    assert made.settings.preserve_empty and made.settings.empty_weight == pytest.approx(1e-4)
    free, held = combine(roses, compute(*CARS, lamb=1000.0)), combine(compute(*ROSES, preserve_empty=True), weak)
    assert held.settings.empty_weight == 1.0
    leaks = [edit.diagnostics.empty_leak for edit in (held, made, free)]
    assert leaks[0] < 0.1 * leaks[1] and leaks[1] == pytest.approx(leaks[2], rel=0.25)
    again = combine(made)
    assert again.settings.empty_weight == pytest.approx(1e-4) and equal(again, made)


def test_the_order_of_the_inputs_does_not_matter(roses, tmp_path):
    dogs = compute("a dog", "a white dog", tokens="without padding", preserve="a tree")
    one, other = combine(roses, dogs), combine(dogs, roses)
    assert [kept.tokens for kept in one.preserve] == ["without padding"]
    assert (p(one) - p(other)).norm() <= 1e-5 * p(one).norm()
    assert one.diagnostics.preserve_leak == pytest.approx(other.diagnostics.preserve_leak, rel=1e-4)
    save_edit(tmp_path / "joint.safetensors", one)
    assert load_edit(tmp_path / "joint.safetensors", one.fingerprint).preserve == one.preserve


def test_an_error_names_the_input_where_the_edit_stands(roses):
    with pytest.raises(ValueError, match="layers is 'up' in time_edit_3 and 'all' in time_edit_1"):
        TIMECombineEdits.execute(tiny.clip(), {"time_edit_1": roses, "time_edit_3": compute(*CARS, layers="up")})


def test_no_lambda_is_suggested_for_edits_of_several(roses, cars):
    def said(*edits: TimeEdit, **changes) -> str:
        output = TIMECombineEdits.execute(tiny.clip(), dict(zip(NAMES, edits, strict=False)), **changes)
        return output.ui.as_dict()["text"][0]

    weak = compute(*CARS, lamb=1000.0)
    assert "suggested lambda" in said(roses, cars) and "suggested lambda" in said(roses, weak, lamb=1.0)
    assert "suggested" not in said(roses, weak) and "takes" in said(roses, weak)
