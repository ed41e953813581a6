"""What a prompt says itself of the thing that an edit is of."""

import time

import pytest
from time_diffedit.time_core.prompts.alternatives import said_instead
from time_diffedit.time_core.prompts.pairs import Pair

ROSE = Pair("a rose", "a blue rose")
DOCTOR = Pair("a doctor", "a female doctor")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a yellow rose", "yellow"),
        ("two Yellow roses", "Yellow"),
        ("a red rose", "red"),
        ("the yellow old rose", "yellow"),
        ("a (yellow:1.3) rose", "yellow"),
        ("((yellow rose:1.2)) on sand", "yellow"),
        ("a yellow\u2019s rose", ""),
        ("a dark-red rose", "dark-red"),
        ("a yellow-coloured rose", "yellow-coloured"),
        ("a blue-eyed girl with a rose", ""),
        ("a yellow tailed rose", ""),
        ("black and white roses", "white"),
        ("a blue and yellow rose", "yellow"),
        ("a non-yellow rose", ""),
        ("a yellow very old rose", "yellow"),
        ("a photo of a gray rose in a vase", "gray"),
        ("a rose and a yellow rose", "yellow"),
        ("a rainbow rose", "rainbow"),
        ("a rose that is yellow", "yellow"),
        ("a rose that's yellow", "yellow"),
        ("the roses are old and yellow.", "yellow"),
        ("the rose is all yellow", "yellow"),
        ("a rose that is not yellow", ""),
        ("a rose in yellow", "yellow"),
        ("a rose in bright yellow on a table", "yellow"),
        ("a rose painted yellow", "yellow"),
        ("a rose painted in yellow", "yellow"),
        ("a rose made of gold", "gold"),
        ("a rose", ""),
        ("a blue rose", ""),
        ("a light blue rose", ""),
        ("a rose that is blue", ""),
        ("a rose next to a yellow car", ""),
        ("a yellow car next to a rose", ""),
        ("a rose in a yellow vase", ""),
        ("a rose in yellow light", ""),
        ("a rose is in a yellow car", ""),
        ("yellow grass, a rose", ""),
        ("yellow grass\na rose", ""),
        ("yellow grass and roses", ""),
        ("yellow grass | roses", ""),
        ("a woman in yellow holding roses", ""),
        ("the yellow woman's roses", ""),
        ("a yellow car", ""),
        ("a yellow prose poem", ""),
        ("embedding:yellow rose", ""),
        ("a house with yellow", ""),
        ("yellow", ""),
        ("", ""),
        ("\u4e00\u675f\u9ec4\u73ab\u7470", ""),
    ],
)
def test_colours_of_roses(text, said):
    assert said_instead(text, ROSE) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a male doctor", "male"),
        ("three men doctors", "men"),
        ("a doctor who is a man", "man"),
        ("a doctor who is an old man", "man"),
        ("a doctor who's a man", "man"),
        ("a boy and a doctor", ""),
        ("a doctor with a man", ""),
        ("a woman doctor", ""),
        ("a doctor who is a lady", ""),
        ("an old doctor", ""),
    ],
)
def test_genders_of_doctors(text, said):
    assert said_instead(text, DOCTOR) == said


@pytest.mark.parametrize(
    ("pair", "text", "said"),
    [
        (("a house", "a wooden house"), "a glass house", "glass"),
        (("a house", "a wooden house"), "a house made of stone", "stone"),
        (("a house", "a wooden house"), "a wood house", ""),
        (("a house", "a house made of wood"), "a stone house", "stone"),
        (("a whale", "a tiny whale"), "a huge whale", "huge"),
        (("a phone", "an old phone"), "a modern phone", "modern"),
        (("a rose", "a rose in blue"), "a yellow rose", "yellow"),
        (("a rose", "a rose that is blue"), "a yellow rose", "yellow"),
        (("A pack of roses", "A pack of blue roses"), "a yellow pack of roses", ""),
        (("A pack of roses", "A pack of blue roses"), "yellow roses", "yellow"),
        (("a dog on grass", "a red dog on grass"), "a dog on green grass", ""),
        (("a dog running", "a red dog running"), "a black dog runs", "black"),
        (("a dog and a car", "a red dog and a green car"), "a black car", "black"),
        (("ice cream", "blue ice cream"), "yellow ice cream", "yellow"),
        (("an orange", "a blue orange"), "an orange", ""),
        (("an orange", "a blue orange"), "a green orange", "green"),
        (("a red car", "a blue car"), "a red car", ""),
        (("a red car", "a blue car"), "a yellow car", "yellow"),
        (("a rose", "a [blue] rose"), "a yellow rose", "yellow"),
        (("a bride", "a bride with a red dress"), "a black bride", ""),
        (("a dog", "a Poodle dog"), "a Rottweiler dog", ""),
        (("a dog", "a cat"), "a black dog", ""),
        (("a man", "a woman"), "a male man", ""),
    ],
)
def test_of_which_thing_and_which_kind_an_edit_is(pair, text, said):
    assert said_instead(text, Pair(*pair)) == said


def test_what_the_user_lists():
    poodle = Pair("a dog", "a Poodle dog")
    assert said_instead("a big Rottweiler dog", poodle, further=("rottweiler", "pug")) == "Rottweiler"
    assert said_instead("a pug beside a dog", poodle, further=("rottweiler", "pug")) == ""
    assert said_instead("a poodle dog", poodle, further=("poodle", "dog")) == ""
    assert (
        said_instead("three striped puppies", Pair("a dog", "a red dog"), names=("puppy",), further=("striped",)) == "striped"
    )
    assert said_instead("three black puppies", Pair("a dog", "a red dog"), names=("a small puppy",)) == "black"


def test_long_prompts_take_no_longer_than_they_are():
    """Far below what a quadratic search would take: 40,000 words, an edit that inserts a hundred."""
    pair = Pair(" ".join(["rose"] * 300), " ".join(["rose blue"] * 300))
    begin = time.process_time()
    assert said_instead("rose car " * 20_000, pair, further=["word"] * 100) == ""
    assert time.process_time() - begin < 5
