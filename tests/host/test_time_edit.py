"""Prompts to an edit, on a real text encoder with random weights."""

import dataclasses

import pytest
import torch
from host import tiny
from time_diffedit.time_core import solve, text
from time_diffedit.time_core.edit import build_edit
from time_diffedit.time_core.prompts import augment

ROSES = ("A pack of roses", "A pack of blue roses")
BEGINNINGS = ("A photo of", "An image of", "A picture of")


@pytest.fixture(scope="module")
def roses():
    return build_edit(tiny.clip(), (ROSES,), 0.1, BEGINNINGS)


def test_equals_the_formula_on_the_encoder_s_rows(roses):
    """308 rows: four prompts of 77, the destination's gathered along the alignment."""
    clip = tiny.clip()
    positions = [0, 1, 2, 3, 5, 6, *range(7, 77), 76]
    source, destination = text.encode(clip, ROSES[0]), text.encode(clip, ROSES[1])[positions]
    for beginning in BEGINNINGS:
        old, new = (f"{beginning} a{prompt[1:]}" for prompt in ROSES)
        positions = [*range(7), 8, 9, *range(10, 77), 76]
        source = torch.cat([source, text.encode(clip, old)])
        destination = torch.cat([destination, text.encode(clip, new)[positions]])
    expected = (destination - source).T @ torch.linalg.solve(
        source @ source.T + 0.1 * torch.eye(308, dtype=torch.float64), source
    )
    p = roses.left.double() @ roses.right.double().T
    assert (p - expected).norm() / expected.norm() <= 1e-6


def test_what_the_edit_carries(roses):
    assert roses.left.shape == roses.right.shape == (768, 283)
    assert roses.left.dtype == torch.float32 and roses.left.device.type == "cpu"
    assert (roses.pairs, roses.lamb, roses.augmentations, roses.preserve) == ((ROSES,), 0.1, BEGINNINGS, ())
    assert roses.text_width == 768
    assert len(roses.alignments) == 4
    assert roses.inserted == ("blue",)
    with pytest.raises(dataclasses.FrozenInstanceError):
        roses.lamb = 1.0


def test_diagnostics(roses):
    """25 of the 308 rows come before the insertion and do not change: the encoder is causal."""
    d = roses.diagnostics
    assert (d.rows, d.changed_rows, d.rank) == (308, 283, 283)
    assert 0 < d.fit_residual < 0.1
    assert d.condition > 1e5
    p = roses.left.double() @ roses.right.double().T
    assert d.edit_size == pytest.approx(p.norm().item() / 768**0.5, rel=1e-9)
    empty = text.encode(tiny.clip(), "")
    assert d.empty_leak == pytest.approx(((empty @ p.T).norm() / empty.norm()).item(), rel=1e-9)
    assert 0.01 < d.empty_leak < 2


def test_begin_stays(roses):
    begin = text.encode(tiny.clip(), "")[:1]
    assert solve.leak(begin, roses.left.double(), roses.right.double()) < 1e-3


def test_summary_names_what_was_done(roses):
    summary = roses.summary()
    assert "A pack of roses -> A pack of blue roses (adds: blue)" in summary
    assert "lambda 0.1, 283 of 308 token rows change" in summary
    assert f"leak on the empty prompt {roses.diagnostics.empty_leak:.3g}" in summary
    assert "kept: a pack of tulips" in build_edit(tiny.clip(), (ROSES,), 0.1, (), ("a pack of tulips",)).summary()


def test_the_same_prompts_give_the_same_edit(roses):
    again = build_edit(tiny.clip(), (ROSES,), 0.1, BEGINNINGS)
    assert torch.equal(again.left, roses.left) and torch.equal(again.right, roses.right)


def test_pairs_are_solved_jointly():
    """Two edits in one system both hold; one after the other, the second breaks the first."""
    clip = tiny.clip()
    pairs = (("a rose", "a blue rose"), ("a dog", "a green dog"))
    joint = build_edit(clip, pairs, 0.1)
    first, second = (build_edit(clip, (pair,), 0.1) for pair in pairs)
    assert joint.diagnostics.rows == 154

    source = text.encode(clip, pairs[0][0])
    destination = text.encode(clip, pairs[0][1])[list(joint.alignments[0].positions)]
    together = solve.fit_residual(source, destination, joint.left.double(), joint.right.double())
    p1, p2 = (edit.left.double() @ edit.right.double().T for edit in (first, second))
    chained = source + source @ (p1 + p2 + p1 @ p2).T
    changed = solve.changed_rows(source, destination)
    apart = ((chained - destination)[changed].norm() / (destination - source)[changed].norm()).item()
    assert together < 0.1 < apart


def test_preserve_keeps_a_prompt():
    clip = tiny.clip()
    kept = text.encode(clip, "a pack of tulips")
    free = build_edit(clip, (ROSES,), 0.1)
    held = build_edit(clip, (ROSES,), 0.1, (), ("a pack of tulips",))
    assert solve.leak(kept, free.left.double(), free.right.double()) > 0.2
    assert solve.leak(kept, held.left.double(), held.right.double()) < 0.05
    assert held.diagnostics.changed_rows == free.diagnostics.changed_rows


def test_a_width_full_of_rows():
    """Three pairs with augmentations have more rows than the text is wide."""
    pairs = (ROSES, ("a dog", "a green dog"), ("a house", "a tall house"))
    edit = build_edit(tiny.clip(), pairs, 0.1, BEGINNINGS)
    assert edit.diagnostics.rows == 924
    assert edit.diagnostics.rank <= 768
    assert len(edit.alignments) == 12
    assert edit.inserted == ("blue", "green", "tall")

    clip = tiny.clip()
    texts = [pair for old, new in pairs for pair in zip(augment(old, BEGINNINGS), augment(new, BEGINNINGS), strict=True)]
    source = torch.cat([text.encode(clip, old) for old, _ in texts])
    destination = torch.cat(
        [text.encode(clip, new)[list(a.positions)] for (_, new), a in zip(texts, edit.alignments, strict=True)]
    )
    system = source.T @ source + 0.1 * torch.eye(768, dtype=torch.float64)
    expected = torch.linalg.solve(system, (destination - source).T @ source, left=False)
    p = edit.left.double() @ edit.right.double().T
    assert (p - expected).norm() / expected.norm() <= 1e-6


@pytest.mark.parametrize(
    ("pairs", "settings", "message"),
    [
        ((("a dog", "a cat"),), {}, "'a dog' -> 'a cat': destination has no place for the word 'dog'"),
        ((("otherworldly roses", "red roses"),), {}, "no place for the word 'otherworldly'"),
        ((ROSES, ("a dog", "a cat")), {}, "'a dog' -> 'a cat'"),
        ((("a dog", "A Dog"),), {}, "'a dog' and destination 'A Dog' mean the same"),
        ((ROSES, ("a dog", "A Dog")), {}, "'a dog' and destination 'A Dog' mean the same"),
        ((("a (red:1.2) dog", "a big red dog"),), {}, r"'a \(red:1.2\) dog' weights words"),
        ((ROSES,), {"preserve": ("a (red) cat",)}, r"'a \(red\) cat' weights words"),
        ((ROSES,), {"preserve": ("a dog", "a pack of ROSES")}, "preserve lists 'a pack of ROSES'"),
        ((ROSES,), {"augmentations": BEGINNINGS, "preserve": ("an image of a pack of roses",)}, "preserve lists"),
        ((ROSES,), {"lamb": 0.0}, "lambda is 0.0"),
        ((ROSES,), {"lamb": -1.0}, "lambda is -1.0"),
        ((ROSES,), {"lamb": float("nan")}, "lambda is nan"),
        ((("a dog", "a red dog"),), {"augmentations": ("word " * 75,)}, "more than 75 tokens"),
    ],
)
def test_what_cannot_be_edited_is_named(pairs, settings, message):
    with pytest.raises(ValueError, match=message):
        build_edit(tiny.clip(), pairs, **{"lamb": 0.1, **settings})
