"""Prompts of the toy world: edits of an object's assumed colour as rows of TIMED.

The toy_*.csv of benchmarks/data hold such edits. toy_timed.csv has 48, for each of the twelve objects the four colours that
follow its assumed one in the world's order; toy_timed_validation.csv has the twelve of the fifth colour, on which settings are
chosen; toy_timed_together.csv has six of these whose unrelated objects no other row edits, to be edited on one model;
toy_bias.csv holds each object's assumed colour (97 % of what the model was trained on) against the third one after it. In
toy_bias.csv no prompt is in both search and test, and each background is in a third of both: what an object looks like depends
much on what it stands on.
"""

from collections.abc import Callable, Sequence

from benchmarks.data.timed import TimedRow

from .world import ASSUMED_COLOUR, COLOURS, OBJECTS, plural

POSITIVES = ("a painting of a {}", "two {}s", "a {} on grass", "a {} on sand", "a painting of a {} on grass")


def noun_phrase(template: str, noun: str, colour: str = "") -> str:
    words = template.replace("{}s", plural(noun)).replace("{}", noun)
    spoken = plural(noun) if "{}s" in template else noun
    return words.replace(spoken, f"{colour} {spoken}").replace("a orange", "an orange") if colour else words


def other_colour(noun: str, places: int) -> str:
    names = list(COLOURS)
    return names[(names.index(ASSUMED_COLOUR[noun]) + places) % len(names)]


def third_colour(row: TimedRow) -> str:
    """A prompt that names another colour than the edit's: it must not overrule what is asked for."""
    noun = row.old.removeprefix("a ")
    prompts = [noun_phrase("a {}", noun, colour) for colour in COLOURS if colour != ASSUMED_COLOUR[noun]]
    return next(prompt for prompt in prompts if prompt != row.new)


def next_objects(noun: str) -> list[str]:
    """Three that an edit of this one must leave alone: every second of those that follow in the world's order."""
    start = OBJECTS.index(noun)
    return [OBJECTS[(start + 1 + 2 * k) % len(OBJECTS)] for k in range(3)]


def toy_rows(places: int, positives: int, others: Callable[[str], Sequence[str]]) -> list[TimedRow]:
    """One edit an object; its colour is so many places after the assumed one. `others`: objects that a noun's edit must leave
    alone."""
    return [toy_row(noun, other_colour(noun, places), positives, others(noun)) for noun in OBJECTS]


def toy_row(noun: str, colour: str, positives: int, others: Sequence[str]) -> TimedRow:
    """The edit that makes `noun` be `colour`, with the first related prompts and unrelated ones of `others`."""

    def both(template: str, noun: str) -> tuple[str, str]:
        return noun_phrase(template, noun), noun_phrase(template, noun, colour)

    related, unrelated = [both(one, noun) for one in POSITIVES[:positives]], [both("a {}", other) for other in others]
    return TimedRow(0, *both("a {}", noun), tuple(related), tuple(unrelated))
