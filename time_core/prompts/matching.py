"""Words of one prompt found in another: which of two lists of keys stands on which.

What two lists of words are compared by grows with the product of their repeated words, so every comparison is counted: long
prompts can be interrupted, and those that would take minutes are refused.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

IMPOSSIBLE = (10**6, 0)  # breaks, ways

MOST_COMPARISONS = 1_000_000
"""Of one pair of prompts: a second, of which no call of the standard library's takes more than a tenth. A thousand words that
are all the same, on as many others, are as many; so are three thousand words of a story."""

BETWEEN_STEPS = 5_000
"""Comparisons between two calls of `step`: a few milliseconds."""


class Comparisons:
    """Counts comparisons; calls `step`, for interrupts, every few milliseconds of them."""

    def __init__(self, step: Callable[[], None] = lambda: None, most: int = MOST_COMPARISONS):
        self.step, self._left, self._unheard = step, most, 0

    def add(self, count: int) -> None:
        """To be called before `count` comparisons are made. Raises ValueError where they would be too many."""
        self._left -= count
        self._unheard += count
        if self._left < 0:
            raise ValueError(
                "source and destination are too long and repeat their words too often to be placed on one another; shorten "
                'them, mark the inserted words by [brackets], or set alignment to "whole prompt".'
            )
        if self._unheard >= BETWEEN_STEPS:
            self.step()
            self._unheard = 0


class Row(NamedTuple):
    """Where one word of the source can stand: its places in the destination, ascending, and for each of them the fewest
    breaks from there to the end and in how many ways."""

    places: list[int]
    breaks: list[int]
    ways: list[int]


def first_places(source: Sequence[Hashable], destination: Sequence[Hashable]) -> list[int]:
    """The leftmost places of `source` as a subsequence of `destination`, up to the first word that has none."""
    rest = iter(enumerate(destination))
    places = []
    for word in source:
        place = next((j for j, other in rest if other == word), None)
        if place is None:
            break
        places.append(place)
    return places


def fewest_displaced(
    source: Sequence[Hashable], destination: Sequence[Hashable], comparisons: Comparisons
) -> tuple[list[int], int]:
    """Places of `source` as a subsequence of `destination` with the fewest breaks, leftmost, and the number of others.

    A break is a place where the next word does not follow directly; the prompts' begins and ends count as words.
    `source` must be a subsequence.
    """
    end = len(destination)
    earliest = first_places(source, destination)
    latest = [end - 1 - place for place in reversed(first_places(source[::-1], destination[::-1]))]
    found: dict[Hashable, list[int]] = defaultdict(list)
    for j, word in enumerate(destination):
        found[word].append(j)
    rows = [Row([end], [0], [1])]  # of the words from the last to the first, behind the prompt's end
    for word, first, last in zip(reversed(source), reversed(earliest), reversed(latest), strict=True):
        places = found[word]
        places = places[bisect_left(places, first) : bisect_right(places, last)]
        comparisons.add(len(places))
        rows.append(_row(places, rows[-1]))
    positions: list[int] = []
    ways = 1
    for row in reversed(rows[1:]):
        start = positions[-1] + 1 if positions else 0
        reachable = range(bisect_left(row.places, start), len(row.places))
        costs = {k: row.breaks[k] + (row.places[k] != start) for k in reachable}
        best = min(costs, key=costs.__getitem__)
        if not positions:
            ways = sum(row.ways[k] for k, cost in costs.items() if cost == costs[best])
        positions.append(row.places[best])
    return positions, ways - 1


def replaced(source: Sequence[Hashable], destination: Sequence[Hashable], comparisons: Comparisons) -> list[tuple[int, int]]:
    """Equal runs on one another; of a replaced run the last words pair up, and earlier ones fall on the run's first."""
    words: list[tuple[int, int]] = []
    for kind, i1, i2, j1, j2 in _CountedMatcher(source, destination, comparisons).get_opcodes():
        if kind == "equal":
            words += zip(range(i1, i2), range(j1, j2), strict=True)
        elif kind == "replace":
            words += [(i, max(j2 - (i2 - i), j1)) for i in range(i1, i2)]
    return words


def _row(places: list[int], after: Row) -> Row:
    """The row of a word that can stand on `places`, the next word's being `after`."""
    row = Row(places, [0] * len(places), [0] * len(places))
    later = IMPOSSIBLE  # over all places of the next word that do not follow directly
    k = len(after.places) - 1
    for number in reversed(range(len(places))):
        follows = places[number] + 1
        while k >= 0 and after.places[k] > follows:
            later = _cheaper(later, (after.breaks[k], after.ways[k]))
            k -= 1
        directly = (after.breaks[k], after.ways[k]) if k >= 0 and after.places[k] == follows else IMPOSSIBLE
        row.breaks[number], row.ways[number] = _cheaper(directly, (later[0] + 1, later[1]))
    return row


def _cheaper(first: tuple[int, int], second: tuple[int, int]) -> tuple[int, int]:
    if first[0] == second[0]:
        return first[0], first[1] + second[1]
    return min(first, second)


class _CountedMatcher(SequenceMatcher):
    def __init__(self, source: Sequence[Hashable], destination: Sequence[Hashable], comparisons: Comparisons):
        self._source, self._found, self._comparisons = source, Counter(destination), comparisons
        super().__init__(None, source, destination, autojunk=False)

    def find_longest_match(self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None):
        """What all the others are made of; it looks at every place in the destination of each word between `alo` and `ahi`."""
        self._comparisons.add(sum(1 + self._found[word] for word in self._source[alo:ahi]))
        return super().find_longest_match(alo, ahi, blo, bhi)
