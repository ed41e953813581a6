"""`python -m benchmarks.data.toy_prompts`: the toy world's files in TIMED's formats, written to benchmarks/data/.

toy_timed.csv has 48 pairs, four colours for each of the twelve objects; toy_timed_validation.csv has twelve more, with
another colour, on which settings are chosen; toy_timed_together.csv has six whose unrelated objects no other row edits, to
be edited on one model; toy_bias.csv holds each object's assumed colour (97 % of what the model was trained on) against one
other. The prompts of search and test are others, of the same words.
"""

import csv
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from toyworld.world import ASSUMED_COLOUR, COLOURS, OBJECTS, plural

from .timed import TimedRow

FOLDER = Path(__file__).parent
POSITIVES = ("a painting of a {}", "two {}s", "a {} on grass", "a {} on sand", "a painting of a {} on grass")
TESTS = (
    "an image of a {}",
    "a picture of a {}",
    "a {} on grass",
    "a picture of a {} on grass",
    "a photo of a {} on sand",
    "a painting of a {} on sand",
)
VALIDATIONS = (
    "a {}",
    "a painting of a {}",
    "a photo of a {}",
    "a photo of a {} on grass",
    "an image of a {} on grass",
    "a painting of a {} on grass",
    "a {} on sand",
    "an image of a {} on sand",
    "a picture of a {} on sand",
)
"""No prompt in both, and each background in a third of both: what an object looks like depends much on what it stands on."""
NEGATIVES = 5
JUDGED, CHOSEN_ON, TOGETHER, BALANCED = (1, 2, 3, 4), (5,), 5, 3
"""How many places after an object's assumed colour, in the world's order, the colour stands that an edit asks for."""


def noun_phrase(template: str, noun: str, colour: str = "") -> str:
    words = template.replace("{}s", plural(noun)).replace("{}", noun)
    spoken = plural(noun) if "{}s" in template else noun
    return words.replace(spoken, f"{colour} {spoken}").replace("a orange", "an orange") if colour else words


def other_colour(noun: str, places: int) -> str:
    names = list(COLOURS)
    return names[(names.index(ASSUMED_COLOUR[noun]) + places) % len(names)]


def toy_row(noun: str, colour: str, positives: int, others: Sequence[str]) -> TimedRow:
    """The edit that makes `noun` be `colour`, with the first related prompts and unrelated ones of `others`."""

    def both(template: str, noun: str) -> tuple[str, str]:
        return noun_phrase(template, noun), noun_phrase(template, noun, colour)

    related, unrelated = [both(one, noun) for one in POSITIVES[:positives]], [both("a {}", other) for other in others]
    return TimedRow(0, *both("a {}", noun), tuple(related), tuple(unrelated))


def timed_row(noun: str, colour: str, unrelated: Collection[str] = OBJECTS) -> dict[str, str]:
    """The unrelated prompts are of other objects, of those in `unrelated`, that do not have the colour by themselves."""
    start = OBJECTS.index(noun)
    others = [OBJECTS[(start + k) % len(OBJECTS)] for k in range(1, len(OBJECTS))]
    others = [other for other in others if other in unrelated and ASSUMED_COLOUR[other] != colour][:NEGATIVES]
    made = toy_row(noun, colour, len(POSITIVES), others)
    row = {"old": made.old, "new": made.new}
    for names, pairs in ((("positive", "gt"), made.positives), (("negative", "gn"), made.negatives)):
        for i, pair in enumerate(pairs, 1):
            row |= {f"{name}{i}": wording for name, wording in zip(names, pair, strict=True)}
    return row


def bias_row(noun: str, colour: str) -> dict[str, str]:
    row = {"old": noun_phrase("a {}", noun), "new": noun_phrase("a {}", noun, colour)}
    row |= {f"validation{i}".removesuffix("1"): noun_phrase(template, noun) for i, template in enumerate(VALIDATIONS, 1)}
    row |= {f"ex{i}": noun_phrase(template, noun) for i, template in enumerate(TESTS, 1)}
    return row | {"opposite": noun_phrase("a {}", noun, ASSUMED_COLOUR[noun])}


def write(name: str, rows: list[dict[str, str]]) -> None:
    with (FOLDER / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> int:
    FOLDER.mkdir(exist_ok=True)
    write("toy_timed.csv", [timed_row(noun, other_colour(noun, places)) for places in JUDGED for noun in OBJECTS])
    write("toy_timed_validation.csv", [timed_row(noun, other_colour(noun, places)) for places in CHOSEN_ON for noun in OBJECTS])
    edited, unrelated = OBJECTS[::2], OBJECTS[1::2]
    write("toy_timed_together.csv", [timed_row(noun, other_colour(noun, TOGETHER), unrelated) for noun in edited])
    write("toy_bias.csv", [bias_row(noun, other_colour(noun, BALANCED)) for noun in OBJECTS])
    return 0


if __name__ == "__main__":
    sys.exit(main())
