"""TIME Text Encode on the host's own text encoders: bit for bit CLIP Text Encode wherever the edit sleeps."""

import pytest
import torch
from host.models import tiny
from time_diffedit.nodes.time.time_compute_edit import TIMEComputeEdit
from time_diffedit.nodes.time.time_edit_conditioning import TIMEEditConditioning
from time_diffedit.nodes.time.time_prior import TIMEPrior
from time_diffedit.nodes.time.time_text_encode import TIMETextEncode
from time_diffedit.time_core.equations.time_edit import TimeEdit

import nodes


def compute(**changes) -> TimeEdit:
    given = {i.id: i.default for i in TIMEComputeEdit.define_schema().inputs if getattr(i, "default", None) is not None}
    return TIMEComputeEdit.execute(**{**given, "clip": tiny.clip(), **changes}).args[0]


@pytest.fixture(scope="module")
def roses() -> TimeEdit:
    return compute()


def encode(text: str, edit: TimeEdit, **changes):
    given = {"clip": tiny.clip(), "wake": "all source words", "synonyms": "", **changes}
    return TIMETextEncode.execute(text=text, time_edit=edit, **given)


def plain(text: str):
    return nodes.CLIPTextEncode().encode(tiny.clip(), text)[0]


def same(first, second) -> bool:
    (rows, extras), (others, other_extras) = first[0], second[0]
    assert set(extras) == set(other_extras)
    return torch.equal(rows, others) and all(
        torch.equal(extras[name], other_extras[name]) if torch.is_tensor(extras[name]) else extras[name] == other_extras[name]
        for name in extras
    )


@pytest.mark.parametrize("text", ["a pack of tulips", "", "a prose poem", "(a house:1.3) at night", "word " * 100])
def test_without_the_words_it_is_clip_text_encode_to_the_last_bit(roses, text):
    output = encode(text, roses)
    assert same(output.args[0], plain(text))
    assert output.ui.as_dict()["text"] == ("asleep: as CLIP Text Encode",)


@pytest.mark.parametrize(("text", "words"), [("a bouquet of Roses", "Roses"), ("one (rose:1.2)", "rose")])
def test_with_the_words_it_is_the_edited_conditioning(roses, text, words):
    output = encode(text, roses)
    assert same(output.args[0], TIMEEditConditioning.execute(plain(text), roses, 1.0).args[0])
    assert not same(output.args[0], plain(text))
    assert output.ui.as_dict()["text"] == (f"awake by: {words}",)


def test_synonyms_and_always(roses):
    assert encode("a wild bouquet", roses, synonyms="bouquet\ngarden flower").ui.as_dict()["text"] == ("awake by: bouquet",)
    output = encode("a house", roses, wake="always")
    assert same(output.args[0], TIMEEditConditioning.execute(plain("a house"), roses, 1.0).args[0])
    assert output.ui.as_dict()["text"] == ("awake by: nothing, it always is",)


@pytest.mark.parametrize(("text", "said"), [("a yellow rose", "yellow"), ("Two roses that are Red", "Red")])
@pytest.mark.parametrize("wake", ["all source words", "any source word", "always"])
def test_what_the_prompt_says_itself_is_left_alone_to_the_last_bit(roses, wake, text, said):
    output = encode(text, roses, wake=wake)
    assert same(output.args[0], plain(text))
    assert output.ui.as_dict()["text"] == (f'asleep: the prompt says "{said}" itself',)
    overruled = encode(text, roses, wake=wake, prompt_wins=False).args[0]
    assert same(overruled, TIMEEditConditioning.execute(plain(text), roses, 1.0).args[0])
    assert not same(overruled, plain(text))


def test_words_of_something_else_or_of_no_known_kind_change_nothing(roses):
    for text in ("a rose next to a yellow car", "a blue rose", "a spotted rose"):
        assert same(encode(text, roses).args[0], encode(text, roses, prompt_wins=False).args[0])
        assert not same(encode(text, roses).args[0], plain(text))
    output = encode("a spotted rose", roses, alternatives="striped, spotted")
    assert same(output.args[0], plain("a spotted rose"))
    assert output.ui.as_dict()["text"] == ('asleep: the prompt says "spotted" itself',)
    assert not same(encode("a spotted rose", roses, alternatives="spotted", prompt_wins=False).args[0], plain("a spotted rose"))


def test_strength(roses):
    half = encode("a rose", roses, strength=0.5).args[0]
    assert same(half, TIMEEditConditioning.execute(plain("a rose"), roses, 0.5).args[0])


DOG, CAR = ("a dog", "a red dog"), ("an old car", "an old green car")


def joint(*pairs: tuple[str, str], **changes) -> TimeEdit:
    source, destination = ("\n".join(lines) for lines in zip(*pairs, strict=True))
    return compute(source=source, destination=destination, **changes)


@pytest.mark.parametrize(
    ("text", "alone", "note"),
    [
        ("two dogs", DOG, "awake by: dogs (1 of 2 pairs)"),
        ("an old car", CAR, "awake by: old, car (1 of 2 pairs)"),
        ("a dog next to an old blue car", DOG, "awake by: dog (1 of 2 pairs)"),
    ],
)
def test_of_several_pairs_those_act_that_the_prompt_is_about_as_if_they_were_alone(text, alone, note):
    output = encode(text, joint(DOG, CAR))
    assert output.ui.as_dict()["text"] == (note,)
    assert same(output.args[0], TIMEEditConditioning.execute(plain(text), joint(alone), 1.0).args[0])
    assert not same(output.args[0], TIMEEditConditioning.execute(plain(text), joint(DOG, CAR), 1.0).args[0])


def test_all_pairs_together_are_the_joint_edit():
    text, edit = "a dog in an old car", joint(DOG, CAR)
    output = encode(text, edit)
    assert output.ui.as_dict()["text"] == ("awake by: dog, old, car (2 of 2 pairs)",)
    assert same(output.args[0], TIMEEditConditioning.execute(plain(text), edit, 1.0).args[0])
    assert encode("a car", edit).ui.as_dict()["text"] == ("asleep: as CLIP Text Encode",)
    assert encode("a car", edit, wake="any source word").ui.as_dict()["text"] == ("awake by: car (1 of 2 pairs)",)
    assert encode("a yellow dog in an old blue car", edit).ui.as_dict()["text"] == ('asleep: the prompt says "yellow" itself',)


def test_pairs_of_an_edit_with_a_prior_are_solved_with_it():
    prior, another = (TIMEPrior.execute(tiny.clip(), text).args[0] for text in ("a house\na tree", "a car"))
    settings = {"lamb": 0.07, "lambda_unit": "relative to the rows", "prior": prior, "rho": 2.0}
    edit = joint(DOG, CAR, **settings)
    output = encode("two dogs", edit, prior=prior)
    assert same(output.args[0], TIMEEditConditioning.execute(plain("two dogs"), joint(DOG, **settings), 1.0).args[0])
    for wrong, said in ((None, "prior is not connected"), (another, "but prior is 1 prompts")):
        for text in ("two dogs", "a house"):
            with pytest.raises(ValueError, match=said):
                encode(text, edit, prior=wrong)
    assert same(encode("a dog", joint(DOG, **settings)).args[0], encode("a dog", joint(DOG, **settings), prior=prior).args[0])


def test_bad_input(roses):
    with pytest.raises(ValueError, match="time_edit was computed with the text encoder.*but clip is"):
        encode("a rose", roses, clip=tiny.new_clip(5))
    with pytest.raises(ValueError, match="clip is empty"):
        encode("a rose", roses, clip=None)
    with pytest.raises(ValueError, match="wake is 'never'"):
        encode("a rose", roses, wake="never")
    with pytest.raises(ValueError, match="keys or values alone"):
        encode("a house", compute(edit_keys=False))
    with pytest.raises(ValueError, match="strength is nan"):
        encode("a house", roses, strength=float("nan"))
