"""What people type into the text fields."""

import pytest
from time_diffedit.time_core.prompts.pairs import Kept, Pair
from time_diffedit.time_core.prompts.parsing import augment, parse_lines, parse_pairs, parse_preserve, plain, segments


def test_pairs_by_line():
    assert parse_pairs("A rose \n a dog\n\n", "A blue rose\na red dog") == (
        Pair("A rose", "A blue rose"),
        Pair("a dog", "a red dog"),
    )


def test_weights_behind_a_bar():
    assert parse_pairs("a\nb", "x a | 2.5\nx b|0.1") == (Pair("a", "x a", 2.5), Pair("b", "x b", 0.1))
    assert parse_preserve("a cat | 3\n\na dog") == (Kept("a cat", 3.0), Kept("a dog"))
    assert parse_pairs(r"a", r"x a \| 2") == (Pair("a", r"x a \| 2"),)
    assert plain(r"x a \| 2") == "x a | 2"


@pytest.mark.parametrize("weight", ["0", "-1", "nan", "inf", "two", ""])
def test_a_weight_must_be_a_positive_number(weight):
    with pytest.raises(ValueError, match=f"destination: line 2 ends in the weight '{weight}'.*positive number"):
        parse_pairs("a\nb", f"x a\nx b | {weight}")
    with pytest.raises(ValueError, match="preserve: 'a cat .* ends in the weight"):
        parse_preserve(f"a cat | {weight}")
    with pytest.raises(ValueError, match="has a weight and no prompt"):
        parse_preserve("| 2")


def test_brackets_mark_what_is_inserted():
    destination = r"A woman [in a hat and] in a [red] dress \[sic\]"
    assert plain(destination) == "A woman in a hat and in a red dress [sic]"
    assert segments(destination) == (
        ("A woman", False),
        ("in a hat and", True),
        ("in a", False),
        ("red", True),
        ("dress [sic]", False),
    )
    assert segments(r"a dog \[red\]") is None
    assert segments("a blue rose") is None
    assert plain("[A pink] Pikachu") == "A pink Pikachu"
    with pytest.raises(ValueError, match="equal in line 1"):
        parse_pairs("a dog", "a [dog]")


@pytest.mark.parametrize(
    ("source", "destination", "message"),
    [
        ("", "A blue rose", "source is empty"),
        ("A rose", " \n", "destination is empty"),
        ("a\n\nb", "x a\ny\nx b", "source: line 2 is empty"),
        ("a\nb\nc", "x a\n\nx c", "destination: line 2 is empty"),
        ("\na", "x\nx a", "source: line 1 is empty"),
        ("a\nb", "x a", "source has 2 lines and destination has 1"),
        ("a rose\na dog", "a red rose\na dog", "equal in line 2 \\('a dog'\\)"),
        (
            "a rose\na dog\na rose",
            "a red rose\na red dog\na [blue] rose",
            "'a rose' in line 1 and in line 3, .* 'a red rose' and 'a blue",
        ),
    ],
)
def test_unpaired_texts_are_named(source, destination, message):
    with pytest.raises(ValueError, match=message):
        parse_pairs(source, destination)


def test_published_augmentation():
    beginnings = parse_lines("A photo of \n\nAn image of \nA picture of ")
    assert augment("A pack of roses", beginnings) == [
        "A pack of roses",
        "A photo of a pack of roses",
        "An image of a pack of roses",
        "A picture of a pack of roses",
    ]
    assert augment("The CEO", beginnings)[1] == "A photo of The CEO"
    assert augment("a dog", ()) == ["a dog"]
    assert augment("[A pink] Pikachu", ("A photo of",))[1] == "A photo of [a pink] Pikachu"
