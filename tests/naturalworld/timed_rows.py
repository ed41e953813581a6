"""Edits of the natural world as rows of TIMED: `python -m naturalworld.timed_rows` writes the files in benchmarks/data.

natural_timed.csv has 60 pairs, natural_timed_validation.csv 30 others, on which settings are chosen: a thing and another
colour than its own, drawn by a seed, no pair in both. Related prompts: the thing in other words, on a ground, several of it,
beside another thing, and in a sentence that begins with the ground. Unrelated ones: a thing of the same kind and one of the
same natural colour; the thing itself in a colour that the prompt names; two other things; and any thing on a ground.

natural_timed_together.csv has 48 pairs to be edited on one model: no thing is in two of them, and the others that their prompts
name are 15 that none edits.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.data.tables import csv_of
from tools.comfyui.environment import ROOT

from .captions import with_article
from .colours import COLOURS
from .grounds import GROUNDS, PLAIN
from .scenes import one_of
from .things import COLOURED, Thing, plural

FOLDER = ROOT / "benchmarks" / "data"
SEED = 2026
FILES = {"natural_timed_validation.csv": 30, "natural_timed.csv": 60}
TOGETHER, SEVERAL = "natural_timed_together.csv", 48
PREFIXES = ("a photo of", "a picture of", "a drawing of", "there is", "look,")
BESIDE = ("next to", "beside", "and", "with")


def rows(count: int, rng: np.random.RandomState, taken: set[tuple[str, str]]) -> Iterator[dict[str, str]]:
    """`taken`: pairs of noun and colour that are not drawn; those that are drawn are added."""
    while count:
        thing = one_of(rng, COLOURED)
        colour = one_of(rng, [name for name in COLOURS if name != thing.colour])
        if (thing.noun, colour) not in taken:
            taken.add((thing.noun, colour))
            count -= 1
            yield row(rng, thing, colour)


def together(rng: np.random.RandomState) -> list[dict[str, str]]:
    things = [COLOURED[i] for i in rng.permutation(len(COLOURED))]
    edited, free = things[:SEVERAL], things[SEVERAL:]
    pairs = [(thing, one_of(rng, [name for name in COLOURS if name != thing.colour])) for thing in edited]
    return [row(rng, *pair, free) for pair in pairs]


def row(rng: np.random.RandomState, thing: Thing, colour: str, others: Sequence[Thing] = COLOURED) -> dict[str, str]:
    """`others`: what prompts may name besides."""
    where = [one_of(rng, [words for ground in GROUNDS if ground.kind != PLAIN for words in ground.words]) for _ in range(3)]
    # Things that have the destination's colour by nature cannot show that an edit reached them.
    others = [other for other in others if other.noun != thing.noun and other.colour != colour]
    same_kind = one_of(rng, [other for other in others if other.kind == thing.kind] or others)
    same_colour = one_of(rng, [other for other in others if other.colour == thing.colour and other != same_kind] or others)
    third, fourth, fifth, sixth = (others[i] for i in rng.permutation(len(others))[:4])
    named = one_of(rng, [name for name in COLOURS if name not in (thing.colour, colour)])
    said = thing.synonyms[0] if thing.synonyms else thing.noun
    prefix, number, beside = one_of(rng, PREFIXES), one_of(rng, ("two", "three")), one_of(rng, BESIDE)

    def a(one: str | Thing, in_colour: str = "") -> str:
        noun = one if isinstance(one, str) else one.noun
        return with_article(f"{in_colour} {noun}".strip())

    def both(template: str) -> tuple[str, str]:
        """The prompt, and the one with the destination's colour; `{}` is the thing with its article, `{s}` several of it."""
        several = {c: f"{number} {c} {plural(thing.noun)}".replace("  ", " ") for c in ("", colour)}
        return template.format(a(thing), s=several[""]), template.format(a(thing, colour), s=several[colour])

    related = [
        (f"{prefix} {a(said)}", f"{prefix} {a(said, colour)}"),
        both(f"{{}} {where[0]}"),
        both("{s}"),
        both(f"{{}} {beside} {a(third)}"),
        both(f"{where[1]} there is {{}}"),
    ]
    unrelated = [
        (a(same_kind), a(same_kind, colour)),
        (a(same_colour), a(same_colour, colour)),
        (a(thing, named), a(thing, colour)),
        (f"{a(fourth)} {beside} {a(fifth)}", f"{a(fourth, colour)} {beside} {a(fifth, colour)}"),
        (f"{a(sixth)} {where[2]}", f"{a(sixth, colour)} {where[2]}"),
    ]
    cells = {"old": a(thing), "new": a(thing, colour)}
    for names, pairs in ((("positive", "gt"), related), (("negative", "gn"), unrelated)):
        for i, pair in enumerate(pairs, 1):
            cells |= {f"{name}{i}": words for name, words in zip(names, pair, strict=True)}
    return cells


def files() -> dict[str, list[dict[str, str]]]:
    """By file, its rows; the same at every call."""
    rng, taken = np.random.RandomState(SEED), set()
    found = {name: list(rows(count, rng, taken)) for name, count in FILES.items()}
    return found | {TOGETHER: together(rng)}


def main() -> None:
    for name, found in files().items():
        (FOLDER / name).write_bytes(csv_of(found))


if __name__ == "__main__":
    main()
