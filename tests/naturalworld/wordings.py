"""The natural world's judge for the benchmarks: does a picture show what a wording says, and what of a prompt did it keep?"""

from collections.abc import Mapping, Sequence

import numpy as np

from .colours import COLOURS
from .judge import Found, Verdict, load_judge
from .reading import Named, read
from .things import BY_NOUN


class NaturalJudge:
    """A wording fits a picture (1, else 0) if what it names is there in the colour, or as the woman or man, that it names;
    where it names none, in the natural colour. A third colour fits neither of two wordings: an edit that only spoils the
    picture does not count.

    Between wordings of the same things those that the picture lacks are passed over, and where it lacks all of them its largest
    object is judged: whether things are there at all is what `kept` tells.
    """

    cosines = False
    structure = None
    colours = tuple(COLOURS)

    def __init__(self):
        self.judge = load_judge()

    def scores(self, pictures: np.ndarray, wordings: Sequence[str]) -> np.ndarray:
        """(pictures, wordings) of uint8 (n, H, W, 3). Raises ValueError for a wording that names nothing of this world."""
        named = [read(wording.lower()) for wording in wordings]
        for wording, one in zip(wordings, named, strict=True):
            if not one.nouns:
                raise ValueError(f"{wording!r} names nothing of the natural world, so its judge cannot tell; use --judge clip.")
        lenient = len({one.nouns for one in named}) == 1
        verdicts = self.judge(np.float32(pictures) / 255)
        return np.array([[float(fits(verdict, one, lenient)) for one in named] for verdict in verdicts])

    def kept(self, pictures: np.ndarray, prompt: str) -> dict[str, list[float]]:
        """By what the prompt names (see `what_is_kept`), for each picture whether it is there (1, else 0)."""
        named = read(prompt.lower())
        found: dict[str, list[float]] = {}
        for verdict in self.judge(np.float32(pictures) / 255):
            for what, there in what_is_kept(verdict, named).items():
                found.setdefault(what, []).append(float(there))
        return found


def fits(verdict: Verdict, named: Named, lenient: bool) -> bool:
    """`lenient`: things that are not there are passed over, and if none is, the largest object is taken for the first."""
    pairs = [(verdict.of(noun), wanted) for noun, wanted in zip(named.nouns, described(named), strict=True)]
    if lenient:
        pairs = [pair for pair in pairs if pair[0] is not None] or [(verdict.largest, pairs[0][1])]
    return all(found is not None and matches(found, wanted) for found, wanted in pairs)


def described(named: Named) -> list[Mapping[str, str]]:
    """For each noun what is said of it, or what it has by nature. One colour is of the first thing that can have one, two
    colours are of both."""
    wanted: list[dict[str, str]] = []
    colours, genders = list(named.colours), list(named.genders)
    for noun in named.nouns:
        if noun in BY_NOUN:
            natural = BY_NOUN[noun].colour
            wanted.append({} if natural is None else {"colour": colours.pop(0) if colours else natural})
        else:
            wanted.append({"gender": genders.pop(0)} if genders else {})
    return wanted


def matches(found: Found, wanted: Mapping[str, str]) -> bool:
    return all(getattr(found, name) == value for name, value in wanted.items())


def what_is_kept(verdict: Verdict, named: Named) -> dict[str, bool]:
    there = {"its kind": verdict.has(named.nouns[0])}
    if len(named.nouns) > 1:
        there["the second thing"] = verdict.has(named.nouns[1])
    if named.colours:
        found = verdict.of(named.nouns[0]) or verdict.largest
        there["a named colour"] = found is not None and found.colour == named.colours[0]
    if named.grounds:
        there["the ground"] = verdict.ground == named.grounds[0]
    return there
