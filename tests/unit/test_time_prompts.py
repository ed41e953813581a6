"""What people type into the text fields."""

import pytest
from time_diffedit.time_core.prompts import augment, parse_lines, parse_pairs


def test_pairs_by_line():
    assert parse_pairs("A rose \n a dog\n\n", "A blue rose\na red dog") == (
        ("A rose", "A blue rose"),
        ("a dog", "a red dog"),
    )


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
