"""Which prompts wake an edit."""

import pytest
from time_diffedit.time_core.application.word_gate import RULES, WordGate, parse_synonyms, parse_words
from time_diffedit.time_core.prompts.pairs import Pair
from time_diffedit.time_core.prompts.words import content_words

ROSES = ("A pack of roses",)
BLUE = (Pair("A pack of roses", "A pack of blue roses"),)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("A pack of roses", ("roses",)),
        ("a photo of an old dog", ("old", "dog")),
        ("A painting", ("painting",)),
        ("An oil painting of a painting of two cats", ("cats",)),
        ("a cup of tea and a glass house", ("tea", "glass", "house")),
        ("A pair of jeans", ("jeans",)),
        ("Shaquille O'Neal", ("shaquille", "o'neal")),
        ("Kareem Abdul-Jabbar", ("kareem", "abdul", "jabbar")),
        ("the", ("the",)),
        ("", ()),
    ],
)
def test_what_a_source_is_about(source, words):
    assert content_words(source) == words


@pytest.mark.parametrize(
    ("source", "text", "woken_by"),
    [
        ("A pack of roses", "A bouquet of Roses, oil painting", ("Roses",)),
        ("A pack of roses", "one ROSE", ("ROSE",)),
        ("A pack of roses", "a rose's petals", ("rose's",)),
        ("A pack of roses", "(roses:1.3) in a vase", ("roses",)),
        ("A pack of roses", "a pack of tulips", ()),
        ("A pack of roses", "a prose poem about primroses", ()),
        ("A pack of roses", "a house embedding:roses", ()),
        ("a city", "two cities", ("cities",)),
        ("a box", "boxes", ("boxes",)),
        ("a wolf", "wolves", ("wolves",)),
        ("a knife", "knives", ("knives",)),
        ("a chili", "two chilis", ("chilis",)),
        ("a taxi", "his taxis", ("taxis",)),
        ("a glove", "gloves", ("gloves",)),
        ("a woman", "three women", ("women",)),
        ("a dog running", "a dog runs", ("dog", "runs")),
        ("a bus", "a bu", ()),
        ("A shed", "a woman, she is smiling", ()),
        ("A thing", "the cat", ()),
        ("A seed", "you can see the sea", ()),
        ("A weed", "a wee dog", ()),
        ("The news", "a new car", ()),
        ("A string", "a stre", ()),
        ("a dyed sheep", "dyeing sheep", ("dyeing", "sheep")),
        ("men who agreed", "they agree, men", ("men", "agree")),
        ("a shed", "two sheds", ("sheds",)),
        ("a glass house", "a house", ()),
        ("Harry Potter", "Harry Potter and a cat", ("Harry", "Potter")),
        ("Harry Potter", "Prince Harry", ()),
        ("un café", "deux cafés", ()),
        ("un café", "le café", ()),
        ("ein Auto", "ein Auto", ("ein", "Auto")),
        ("玫瑰", "一束红玫瑰", ("玫瑰",)),
    ],
)
def test_words_in_their_inflections(source, text, woken_by):
    assert WordGate().woken_by(text, (source,)) == woken_by


def test_any_source_word_is_enough_if_asked_for():
    assert WordGate(RULES[1]).woken_by("Prince Harry", ("Harry Potter",)) == ("Harry",)
    assert WordGate(RULES[1]).woken_by("a cat", ("Harry Potter",)) == ()


def test_one_of_several_sources_wakes():
    sources = ("a dog", "a red car")
    assert WordGate().woken_by("two dogs", sources) == ("dogs",)
    assert WordGate().woken_by("a car that is red, and a dog", sources) == ("dog", "red", "car")
    assert WordGate().woken_by("a car", sources) == ()


def test_synonyms_wake_as_words_and_phrases():
    gate = WordGate(synonyms=parse_synonyms("puppy, hot dog\nhound,,"))
    assert gate.synonyms == ("puppy", "hot dog", "hound")
    assert gate.woken_by("three puppies", ("a cat",)) == ("puppies",)
    assert gate.woken_by("Hot dogs and a hound", ("a cat",)) == ("Hot dogs", "hound")
    assert gate.woken_by("a dog that is hot", ("a cat",)) == ()


def test_always():
    gate = WordGate(RULES[2])
    assert gate.awake("", BLUE) == gate.awake("a house", BLUE) == BLUE
    assert gate.awake("a yellow rose", BLUE) == ()
    assert gate.woken_by("a house", ROSES) == ()


def test_what_a_prompt_says_itself_puts_to_sleep():
    assert WordGate().put_to_sleep_by("a yellow rose", BLUE) == "yellow"
    assert WordGate().awake("a yellow rose", BLUE) == ()
    assert WordGate(alternatives=None).awake("a yellow rose", BLUE) == BLUE
    assert WordGate(alternatives=parse_words("striped spotted")).awake("a spotted rose", BLUE) == ()
    assert WordGate(synonyms=("bouquet",)).awake("a yellow bouquet", BLUE) == ()


def test_of_several_pairs_those_are_awake_that_the_prompt_is_about():
    pairs = rose, car = (*BLUE, Pair("a car", "a green car"))
    for text, awake in (
        ("a house", ()),
        ("two roses", (rose,)),
        ("a rose and a green car", pairs),
        ("a rose and a yellow car", (rose,)),
        ("a yellow rose and a yellow car", ()),
    ):
        assert WordGate().awake(text, pairs) == awake, text
    assert WordGate().woken("a rose and a yellow car", pairs) == pairs
    assert WordGate(synonyms=("bouquet",)).awake("a bouquet on a yellow car", pairs) == (rose,)
    assert WordGate(RULES[2]).awake("a house", pairs) == pairs


def test_lists_of_words():
    assert parse_words(" pug,bulldog  terrier\npug\u3001\u9ec4 ") == ("pug", "bulldog", "terrier", "\u9ec4")
    assert parse_words(" ,\n") == ()


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="wake is 'sometimes'; it must be one of all source words, any source word, always"):
        WordGate("sometimes")
