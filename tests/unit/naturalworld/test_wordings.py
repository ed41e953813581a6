"""The natural world's judge of wordings, on drawn pictures: it tells an edit from none, and what was kept."""

import numpy as np
import pytest
from naturalworld.draw import draw
from naturalworld.professions import PROFESSIONS
from naturalworld.reading import read
from naturalworld.scenes import Scene, Subject
from naturalworld.things import BY_NOUN
from naturalworld.wordings import NaturalJudge, described

NURSE = next(one for one in PROFESSIONS if one.noun == "nurse")


def drawn(*subjects: Subject, ground: str = "plain", seed: int = 0) -> np.ndarray:
    pixels = draw(np.random.RandomState(seed), Scene(subjects, ground=ground)).pixels
    return (pixels * 255).astype(np.uint8)


def thing(noun: str, colour: str | None = None) -> Subject:
    return Subject(BY_NOUN[noun], colour or BY_NOUN[noun].colour, says_colour=colour is not None)


@pytest.fixture(scope="module")
def judge() -> NaturalJudge:
    return NaturalJudge()


def test_an_edit_is_told_from_none_and_a_third_colour_is_neither(judge):
    pictures = np.stack([drawn(thing("rose")), drawn(thing("rose", "blue")), drawn(thing("rose", "yellow"))])
    scores = judge.scores(pictures, ["a rose on grass", "a blue rose on grass"])
    assert scores.tolist() == [[1, 0], [0, 1], [0, 0]]


def test_a_woman_from_a_man(judge):
    people = [Subject(NURSE, gender=gender, skin_tone="light") for gender in ("woman", "man")]
    scores = judge.scores(np.stack([drawn(one) for one in people]), ["a woman nurse", "a man nurse"])
    assert scores.tolist() == [[1, 0], [0, 1]]


def test_two_things_must_both_be_as_they_are_named(judge):
    both, one = drawn(thing("rose"), thing("bucket")), drawn(thing("rose", "green"), thing("bucket"))
    wordings = ["a rose next to a bucket", "a green rose next to a green bucket"]
    assert judge.scores(np.stack([both, one]), wordings).tolist() == [[1, 0], [0, 0]]


def test_what_is_kept(judge):
    pictures = np.stack([drawn(thing("rose", "yellow"), thing("dog"), ground="grass"), drawn(thing("rose"))])
    kept = judge.kept(pictures, "a yellow rose beside a dog on the grass")
    assert kept == {"its kind": [1, 1], "the second thing": [1, 0], "a named colour": [1, 0], "the ground": [1, 0]}
    assert judge.kept(pictures, "a rose") == {"its kind": [1, 1]}


def test_colours_go_to_the_things_that_can_have_one():
    assert described(read("a dog and a green car")) == [{}, {"colour": "green"}]
    assert described(read("a blue rose and a car")) == [{"colour": "blue"}, {"colour": "red"}]


def test_a_wording_of_nothing_known_is_refused(judge):
    with pytest.raises(ValueError, match="names nothing of the natural world"):
        judge.scores(drawn(thing("rose"))[None], ["a thing"])
