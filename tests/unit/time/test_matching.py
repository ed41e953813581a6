"""Words found in words, against the plain ways to find them; and that neither can run away."""

import random
import time
from difflib import SequenceMatcher

import pytest
from time_diffedit.time_core.prompts.matching import BETWEEN_STEPS, Comparisons, fewest_displaced, first_places, replaced

IMPOSSIBLE = 10**6


def every_cell(source: str, destination: str) -> tuple[list[int], int]:
    """`fewest_displaced` over the whole table of words and places, from the end to the beginning."""

    def cheaper(first, second):
        return (first[0], first[1] + second[1]) if first[0] == second[0] else min(first, second)

    columns = len(destination)
    best = [[(IMPOSSIBLE, 0)] * (columns + 1) for _ in source] + [[(IMPOSSIBLE, 0)] * columns + [(0, 1)]]
    for i in reversed(range(len(source))):
        later = (IMPOSSIBLE, 0)
        for j in reversed(range(columns)):
            direct = best[i + 1][j + 1]
            if source[i] == destination[j]:
                best[i][j] = cheaper(direct, (later[0] + 1, later[1]))
            later = cheaper(later, direct)
    positions, ways = [], 1
    for i, row in enumerate(best[:-1]):
        start = positions[-1] + 1 if positions else 0
        costs = {j: row[j][0] + (j != start) for j in range(start, columns)}
        positions.append(min(costs, key=costs.__getitem__))
        if i == 0:
            ways = sum(row[j][1] for j, cost in costs.items() if cost == costs[positions[0]])
    return positions, ways - 1


def texts(letters: int):
    """Sources with longer destinations that hold them, of few different letters, so that they fit in many ways."""
    drawn = random.Random(letters)
    for _ in range(1500):
        source = "".join(drawn.choices("abcd"[:letters], k=drawn.randint(0, 9)))
        destination = list(source)
        for _ in range(drawn.randint(0, 12)):
            destination.insert(drawn.randint(0, len(destination)), drawn.choice("abcd"[:letters]))
        yield source, "".join(destination)


@pytest.mark.parametrize("letters", [1, 2, 3, 4])
def test_fewest_displaced_is_that_of_the_whole_table(letters):
    for source, destination in texts(letters):
        assert fewest_displaced(source, destination, Comparisons()) == every_cell(source, destination), (source, destination)


@pytest.mark.parametrize("letters", [1, 2, 3, 4])
def test_replaced_words_are_those_of_difflib(letters):
    for source, destination in texts(letters):
        for a, b in ((source, destination), (destination, source), (source, destination[::-1])):
            equal = [
                (block.a + i, block.b + i)
                for block in SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks()
                for i in range(block.size)
            ]
            assert set(equal) <= set(replaced(a, b, Comparisons()))


def test_first_places_end_at_the_first_word_without_one():
    assert first_places("abc", "xaxbxc") == [1, 3, 5]
    assert first_places("abc", "xabxa") == [1, 2]
    assert first_places("ba", "ab") == [1]


@pytest.mark.parametrize("search", [fewest_displaced, replaced])
@pytest.mark.parametrize(
    ("source", "destination"),
    [("a" * 1000, "a" * 2000), ("a" * 2500, "a" * 5000), ("ab" * 1000, "ba" * 2000)],
)
def test_what_would_take_long_is_refused_at_once(search, source, destination):
    started = time.thread_time()
    with pytest.raises(ValueError, match="repeat their words too often.*shorten them.*brackets.*whole prompt"):
        search(source, destination, Comparisons())
    assert time.thread_time() - started < 2


@pytest.mark.parametrize("search", [fewest_displaced, replaced])
def test_prompts_of_any_sensible_length_are_placed(search):
    """Two and a half thousand words, as often as words are in English (Zipf's law); and hundreds that are all the same."""
    drawn = random.Random(0)
    often = [1 / (rank + 2.7) for rank in range(5000)]
    source = drawn.choices(range(5000), often, k=2500)
    destination = list(source)
    for word in drawn.choices(range(5000), often, k=500):
        destination.insert(drawn.randint(0, len(destination)), word)
    search(source, destination, Comparisons())
    search("a" * 500, "a" * 900, Comparisons())


@pytest.mark.parametrize("search", [fewest_displaced, replaced])
def test_somebody_may_interrupt(search):
    """Between two calls of `step` there are at most 0.1 s, and of comparisons few enough for a slow machine."""
    times = [time.thread_time()]

    def step():
        times.append(time.thread_time())

    search("a" * 690, "a" * 700, Comparisons(step))
    times.append(time.thread_time())
    assert max(later - earlier for earlier, later in zip(times, times[1:], strict=False)) < 0.1
    assert BETWEEN_STEPS <= 10_000

    class Interrupted(Exception):
        pass

    def interrupt():
        raise Interrupted

    with pytest.raises(Interrupted):
        search("a" * 690, "a" * 700, Comparisons(interrupt))
