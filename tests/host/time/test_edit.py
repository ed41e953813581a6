"""Prompts to an edit, on a real text encoder with random weights."""

import dataclasses
import json

import pytest
import torch
from host.models import tiny
from time_diffedit.time_core.equations import solve
from time_diffedit.time_core.equations.equations import build_edit, steps
from time_diffedit.time_core.equations.request import Request
from time_diffedit.time_core.equations.time_edit import TimeEdit
from time_diffedit.time_core.prompts.pairs import Kept, Pair, Settings
from time_diffedit.time_core.prompts.parsing import augment
from time_diffedit.time_core.prompts.text import TextReader

ROSES = ("A pack of roses", "A pack of blue roses")
BEGINNINGS = ("A photo of", "An image of", "A picture of")


def rows(prompt: str) -> torch.Tensor:
    return tiny.clip().encode(prompt)[0].double()


def build(*pairs, preserve=(), **settings) -> TimeEdit:
    kept = tuple(Kept(*kept) if isinstance(kept, tuple) else Kept(kept) for kept in preserve)
    return build_edit(TextReader(tiny.clip()), Request(tuple(Pair(*pair) for pair in pairs), kept, Settings(**settings)))


def p_of(edit: TimeEdit) -> torch.Tensor:
    return edit.left.double() @ edit.right.double().T


def formula(source: torch.Tensor, destination: torch.Tensor, lamb: float) -> torch.Tensor:
    """P by the published normal equations, float64."""
    system = source.T @ source + lamb * torch.eye(source.shape[1], dtype=torch.float64)
    return torch.linalg.solve(system, (destination - source).T @ source, left=False)


def relative(value: torch.Tensor, reference: torch.Tensor) -> float:
    return ((value - reference).norm() / reference.norm()).item()


@pytest.fixture(scope="module")
def roses():
    return build(ROSES, augmentations=BEGINNINGS)


def test_equals_the_formula_on_the_encoder_s_rows(roses):
    """308 rows: four prompts of 77, the destination's gathered along the alignment."""
    positions = [0, 1, 2, 3, 5, 6, *range(7, 77), 76]
    source, destination = rows(ROSES[0]), rows(ROSES[1])[positions]
    for beginning in BEGINNINGS:
        old, new = (f"{beginning} a{prompt[1:]}" for prompt in ROSES)
        positions = [*range(7), 8, 9, *range(10, 77), 76]
        source = torch.cat([source, rows(old)])
        destination = torch.cat([destination, rows(new)[positions]])
    expected = (destination - source).T @ torch.linalg.solve(
        source @ source.T + 0.1 * torch.eye(308, dtype=torch.float64), source
    )
    assert relative(p_of(roses), expected) <= 1e-6


def test_what_the_edit_carries(roses):
    assert roses.left.shape == roses.right.shape == (768, 283)
    assert roses.left.dtype == torch.float32 and roses.left.device.type == "cpu"
    assert roses.pairs == (Pair(*ROSES),) and roses.preserve == ()
    assert roses.settings == Settings(lamb=0.1, augmentations=BEGINNINGS)
    assert (roses.text_width, roses.rank) == (768, 283)
    assert roses.fingerprint == TextReader(tiny.clip()).fingerprint
    ((alignment,),) = roses.alignments
    assert alignment.inserted == ("blue",)
    with pytest.raises(dataclasses.FrozenInstanceError):
        roses.settings = None


def test_a_report_gives_the_edit_back(roses):
    report = json.loads(json.dumps(roses.report()))
    again = TimeEdit.from_report(roses.left, roses.right, report)
    assert again.report() == roses.report()
    for name in ("pairs", "preserve", "settings", "fingerprint", "alignments", "diagnostics"):
        assert getattr(again, name) == getattr(roses, name)


def test_diagnostics(roses):
    """25 of the 308 rows come before the insertion and do not change: the encoder is causal."""
    d = roses.diagnostics
    assert (d.rows, d.changed_rows, d.rank, d.lamb) == (308, 283, 283, 0.1)
    assert 0 < d.fit_residual < 0.1
    assert d.condition > 1e5
    p = p_of(roses)
    assert d.edit_size == pytest.approx(p.norm().item() / 768**0.5, rel=1e-9)
    assert d.empty_leak == pytest.approx(relative(rows("") + rows("") @ p.T, rows("")), rel=1e-9)
    assert 0.01 < d.empty_leak < 2
    assert d.preserve_leak is None
    source, destination = rows(ROSES[0]), rows(ROSES[1])[[0, 1, 2, 3, 5, 6, *range(7, 77), 76]]
    assert d.fit_by_pair == (pytest.approx(solve.fit_residual(source, destination, p, torch.eye(768).double()), rel=1e-6),)


def test_begin_stays(roses):
    assert relative(rows("")[:1] @ (torch.eye(768) + p_of(roses)).T, rows("")[:1]) < 1e-3


def test_summary_names_what_was_done(roses):
    summary = roses.summary()
    assert "A pack of roses -> A pack of blue roses (adds: blue)" in summary
    assert "lambda 0.1, 283 of 308 token rows change" in summary
    assert f"leak on the empty prompt {roses.diagnostics.empty_leak:.3g}" in summary
    held = build(("a dog", "a big a dog", 2.0), ("a cat", "a red cat"), preserve=("a pack of tulips",), preserve_empty=True)
    summary = held.summary()
    assert "a dog -> a big a dog (adds: big a, weight 2)" in summary
    assert "1 other placements are as good" in summary
    assert "kept: a pack of tulips\nkept: the empty prompt" in summary
    assert f"on what is kept {held.diagnostics.preserve_leak:.3g}" in summary
    assert "hardest to fit: line " in summary


def test_the_same_prompts_give_the_same_edit(roses):
    again = build(ROSES, augmentations=BEGINNINGS)
    assert torch.equal(again.left, roses.left) and torch.equal(again.right, roses.right)


def test_pairs_are_solved_jointly():
    """Two edits in one system both hold; one after the other, the second breaks the first."""
    pairs = (("a rose", "a blue rose"), ("a dog", "a green dog"))
    joint = build(*pairs)
    first, second = (build(pair) for pair in pairs)
    assert joint.diagnostics.rows == 154

    source, destination = rows("a rose"), rows("a blue rose")[[0, 1, 3, *range(4, 77), 76]]
    together = solve.fit_residual(source, destination, joint.left.double(), joint.right.double())
    p1, p2 = p_of(first), p_of(second)
    chained = source + source @ (p1 + p2 + p1 @ p2).T
    changed = solve.changed_rows(source, destination)
    apart = ((chained - destination)[changed].norm() / (destination - source)[changed].norm()).item()
    assert together < 0.1 < apart
    assert joint.diagnostics.fit_by_pair[0] == pytest.approx(together)


def test_a_heavier_pair_is_fitted_better():
    """At a lambda that leaves a residual; three times the weight is the pair three times."""
    other = ("a dog", "a green dog")
    even, heavy = (build((*ROSES, weight), other, lamb=100.0) for weight in (1.0, 3.0))
    assert heavy.diagnostics.fit_by_pair[0] < even.diagnostics.fit_by_pair[0]
    assert heavy.diagnostics.fit_by_pair[1] > even.diagnostics.fit_by_pair[1]
    thrice = build(ROSES, ROSES, ROSES, other, lamb=100.0)
    assert relative(p_of(heavy), p_of(thrice)) <= 1e-6


def test_preserve_keeps_a_prompt():
    kept = rows("a pack of tulips")
    free = build(ROSES)
    held = build(ROSES, preserve=("a pack of tulips",))
    assert solve.leak(kept, free.left.double(), free.right.double()) > 0.2
    assert solve.leak(kept, held.left.double(), held.right.double()) < 0.05
    assert held.diagnostics.changed_rows == free.diagnostics.changed_rows
    assert held.diagnostics.preserve_leak == pytest.approx(solve.leak(kept, held.left.double(), held.right.double()))


def test_the_empty_prompt_is_kept_by_a_switch():
    free, held = build(ROSES), build(ROSES, preserve_empty=True)
    assert free.diagnostics.empty_leak > 0.2 > 0.05 > held.diagnostics.empty_leak
    assert held.diagnostics.preserve_leak == pytest.approx(held.diagnostics.empty_leak)
    assert held.diagnostics.rows == 154


def test_lambda_relative_to_the_rows():
    source = rows(ROSES[0])
    edit = build(ROSES, lamb=1e-3, relative=True)
    lamb = 1e-3 * source.square().sum(dim=1).mean().item()
    assert edit.diagnostics.lamb == pytest.approx(lamb, rel=1e-12)
    assert relative(p_of(edit), p_of(build(ROSES, lamb=lamb))) <= 1e-6


def test_which_tokens_carry_the_edit():
    source, destination = rows("a dog"), rows("a red dog")
    without = build(("a dog", "a red dog"), tokens="without padding")
    assert relative(p_of(without), formula(source[:4], destination[[0, 1, 3, 4]], 0.1)) <= 1e-6
    last = build(("a dog", "a red dog"), tokens="last word")
    assert relative(p_of(last), formula(source[2:3], destination[3:4], 0.1)) <= 1e-6
    assert last.rank == 1
    other = build(("a dog", "a picture of a cat"), tokens="last word", preserve=("a big tree",), preserve_empty=True)
    here = torch.cat([source[2:3], rows("a big tree")[3:4], rows("")])
    there = torch.cat([rows("a picture of a cat")[5:6], rows("a big tree")[3:4], rows("")])
    assert relative(p_of(other), formula(here, there, 0.1)) <= 1e-6


def test_replaced_words_and_whole_prompts():
    source, cat, painting = rows("a red dog"), rows("a red cat"), rows("an oil painting of flowers")
    replaced = build(("a red dog", "a red cat"), alignment="replaced words")
    assert relative(p_of(replaced), formula(source, cat, 0.1)) <= 1e-6
    whole = build(("a red dog", "an oil painting of flowers"), alignment="whole prompt")
    here = [0, *range(4, 77)]
    there = [0, *(min(6 + k, 76) for k in range(73))]
    assert relative(p_of(whole), formula(source[here], painting[there], 0.1)) <= 1e-6


def test_brackets_decide_the_alignment():
    leftmost, marked = build(("a dog", "a big a dog")), build(("a dog", "[a big] a dog"))
    assert (
        relative(p_of(leftmost), formula(rows("a dog"), rows("a big a dog")[[0, 1, 4, *range(5, 77), 76, 76]][:77], 0.1))
        <= 1e-6
    )
    assert (
        relative(p_of(marked), formula(rows("a dog"), rows("a big a dog")[[0, 3, 4, *range(5, 77), 76, 76]][:77], 0.1)) <= 1e-6
    )


def test_prompts_of_two_chunks():
    """The end and padding of the source's one chunk become those of the destination's second."""
    source, destination = "big red dog " * 20, "big red furry dog " * 20
    edit = build((source, destination))
    assert rows(destination).shape == (154, 768)
    here, there = rows(source), rows(destination)
    words = [place + (2 if place > 75 else 0) for place in (1 + 4 * (k // 3) + (k % 3) + (k % 3 == 2) for k in range(60))]
    end = words[-1] + 1
    places = [77, *words, end, *(min(end + 1 + k, 153) for k in range(15))]
    assert relative(p_of(edit), formula(here, there[places], 0.1)) <= 1e-6


def test_a_width_full_of_rows():
    """Three pairs with augmentations have more rows than the text is wide."""
    pairs = (ROSES, ("a dog", "a green dog"), ("a house", "a tall house"))
    edit = build(*pairs, augmentations=BEGINNINGS)
    assert edit.diagnostics.rows == 924
    assert edit.diagnostics.rank <= 768
    assert edit.diagnostics.fit_by_pair == ()
    assert [tracks[0].inserted for tracks in edit.alignments] == [("blue",), ("green",), ("tall",)]

    texts = [pair for old, new in pairs for pair in zip(augment(old, BEGINNINGS), augment(new, BEGINNINGS), strict=True)]
    source = torch.cat([rows(old) for old, _ in texts])
    gathered = []
    for old, new in texts:
        inserted = next(
            i for i, (a, b) in enumerate(zip(old.lower().split() + [""], new.lower().split(), strict=True)) if a != b
        )
        gathered.append(rows(new)[[*range(inserted + 1), *range(inserted + 2, 77), 76]])
    assert relative(p_of(edit), formula(source, torch.cat(gathered), 0.1)) <= 1e-6
    assert edit.diagnostics.fit_residual == pytest.approx(
        solve.fit_residual(source, torch.cat(gathered), edit.left.double(), edit.right.double()), rel=1e-4
    )


def test_steps_are_counted_and_can_stop():
    pairs = Pair(*ROSES), Pair("a dog", "a red dog")
    request = Request(pairs, (Kept("a cat"),), Settings(augmentations=BEGINNINGS))
    calls = []
    build_edit(TextReader(tiny.clip()), request, step=lambda: calls.append(None))
    assert len(calls) == steps(request) == 18

    class Stop(BaseException):
        pass

    def stop():
        raise Stop

    with pytest.raises(Stop):
        build_edit(TextReader(tiny.clip()), request, step=stop)


@pytest.mark.parametrize(
    ("pairs", "settings", "message"),
    [
        ((("a dog", "a cat"),), {}, "'a dog' -> 'a cat': destination has no place for the word 'dog'"),
        ((("otherworldly roses", "red roses"),), {}, "no place for the word 'otherworldly'"),
        ((ROSES, ("a dog", "a cat")), {}, "'a dog' -> 'a cat'"),
        ((("a dog", "A Dog"),), {}, "'a dog' and destination 'A Dog' mean the same"),
        ((ROSES, ("a dog", "A Dog")), {}, "'a dog' and destination 'A Dog' mean the same"),
        ((("a dog", "the dog and a dog"),), {"tokens": "last word", "lamb": -1.0}, "lambda is -1.0"),
        ((("a (red:1.2) dog", "a big red dog"),), {}, r"'a \(red:1.2\) dog' weights words"),
        ((ROSES,), {"preserve": ("a (red) cat",)}, r"'a \(red\) cat' weights words"),
        ((ROSES,), {"preserve": ("a dog", "a pack of ROSES")}, "preserve lists 'a pack of ROSES'"),
        ((ROSES,), {"augmentations": BEGINNINGS, "preserve": ("an image of a pack of roses",)}, "preserve lists"),
        ((("a dog", "a [red do]g"),), {}, "must stand around whole words|is not source"),
        ((ROSES,), {"lamb": 0.0}, "lambda is 0.0"),
        ((ROSES,), {"lamb": float("nan")}, "lambda is nan"),
    ],
)
def test_what_cannot_be_edited_is_named(pairs, settings, message):
    with pytest.raises(ValueError, match=message):
        build(*pairs, **settings)
