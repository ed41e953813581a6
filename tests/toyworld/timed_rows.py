"""Edits of the toy world as rows of TIMED: `python -m toyworld.timed_rows` writes the toy_timed*.csv of benchmarks/data.

Every pair of an object and another colour than its own stands in one of two files, in the order of a seed: 24 in
toy_timed_validation.csv, on which settings are chosen, 48 in toy_timed.csv. Unrelated prompts are two other objects, the object
itself in a colour that the prompt names, and others on grass and on sand. toy_timed_together.csv has six of the 48, whose
unrelated objects no row edits, to be edited on one model.

toy_bias.csv, written by hand, holds each object's assumed colour (97 % of what the model was trained on) against the third one
after it. No prompt is in both search and test, and each background is in a third of both: what an object looks like depends
much on what it stands on.
"""

from collections.abc import Sequence

import numpy as np

from benchmarks.data.tables import csv_of
from benchmarks.data.timed import TimedRow
from tools.comfyui.environment import ROOT

from .world import ASSUMED_COLOUR, COLOURS, OBJECTS, plural

FOLDER = ROOT / "benchmarks" / "data"
SEED = 2026
VALIDATION, JUDGED, TOGETHER = "toy_timed_validation.csv", "toy_timed.csv", "toy_timed_together.csv"
CHOSEN_ON = 24
SEVERAL = 6
POSITIVES = ("a painting of a {}", "two {}s", "a {} on grass", "a {} on sand", "a painting of a {} on grass")


def noun_phrase(template: str, noun: str, colour: str = "") -> str:
    words = template.replace("{}s", plural(noun)).replace("{}", noun)
    spoken = plural(noun) if "{}s" in template else noun
    return words.replace(spoken, f"{colour} {spoken}").replace("a orange", "an orange") if colour else words


def edit_of(noun: str, colour: str) -> TimedRow:
    """The pair alone."""
    return TimedRow(0, noun_phrase("a {}", noun), noun_phrase("a {}", noun, colour), (), ())


def row(rng: np.random.RandomState, noun: str, colour: str, others: Sequence[str] = OBJECTS) -> dict[str, str]:
    """`others`: objects that unrelated prompts may name. None has the destination's colour by nature, which could not show that
    an edit reached it."""
    others = [other for other in others if other != noun and ASSUMED_COLOUR[other] != colour]
    named = rng.choice([one for one in COLOURS if one not in (colour, ASSUMED_COLOUR[noun])])
    templates = ("a {}", "a {}", "a {} on grass", "a {} on sand")

    def both(template: str, noun: str) -> tuple[str, str]:
        return noun_phrase(template, noun), noun_phrase(template, noun, colour)

    unrelated = [both(template, other) for template, other in zip(templates, rng.permutation(others), strict=False)]
    unrelated.insert(2, (noun_phrase("a {}", noun, named), noun_phrase("a {}", noun, colour)))
    cells = dict(zip(("old", "new"), both("a {}", noun), strict=True))
    for names, pairs in ((("positive", "gt"), [both(one, noun) for one in POSITIVES]), (("negative", "gn"), unrelated)):
        for i, pair in enumerate(pairs, 1):
            cells |= {f"{name}{i}": words for name, words in zip(names, pair, strict=True)}
    return cells


def files() -> dict[str, list[dict[str, str]]]:
    """By file, its rows; the same at every call."""
    rng = np.random.RandomState(SEED)
    pairs = [(noun, colour) for noun in OBJECTS for colour in COLOURS if colour != ASSUMED_COLOUR[noun]]
    pairs = [pairs[i] for i in rng.permutation(len(pairs))]
    judged = pairs[CHOSEN_ON:]
    several = list(dict(judged).items())[:SEVERAL]  # one an object
    free = [noun for noun in OBJECTS if noun not in dict(several)]
    return {
        VALIDATION: [row(rng, *pair) for pair in pairs[:CHOSEN_ON]],
        JUDGED: [row(rng, *pair) for pair in judged],
        TOGETHER: [row(rng, *pair, free) for pair in several],
    }


def main() -> None:
    for name, found in files().items():
        (FOLDER / name).write_bytes(csv_of(found))


if __name__ == "__main__":
    main()
