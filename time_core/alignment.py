"""Which position of the destination prompt says what a position of the source prompt says.

The source's tokens must occur in the destination in their order, with others inserted between them. Where they fit in
several ways, the placement torn into the fewest pieces is taken, and among equals the leftmost. Wherever a prompt can
be placed in one way only, that is the authors' greedy placement (Orgad et al., ICCV 2023, arXiv 2303.08084).
"""

from collections.abc import Sequence
from dataclasses import dataclass

IMPOSSIBLE = 10**6


@dataclass(frozen=True)
class Alignment:
    """Token ids include begin and end, not the padding.

    `positions[i]` is the destination row that source row i is to become, for every row of the text encoder's output;
    `inserted` are the destination positions that no source token is placed on.
    """

    source_tokens: tuple[int, ...]
    destination_tokens: tuple[int, ...]
    positions: tuple[int, ...]
    inserted: tuple[int, ...]


def align(
    source_tokens: Sequence[int],
    destination_tokens: Sequence[int],
    source_words: Sequence[str],
    articles: tuple[int, int],
    length: int = 77,
) -> Alignment:
    """Align two prompts for an encoder of `length` rows.

    Args:
        source_tokens, destination_tokens: ids with begin and end, without padding; at most `length`.
        source_words: for every source token the word that it is part of, for the error message.
        articles: the ids of "a" and "an", which count as one word ("an attendant" -> "a female attendant").

    Raises ValueError naming the first source word that has no place in the destination.
    """
    source = _one_article(source_tokens, articles)
    destination = _one_article(destination_tokens, articles)
    unmatched = _first_unmatched(source, destination)
    if unmatched is not None:
        raise ValueError(
            f"destination has no place for the word {source_words[unmatched]!r} of source; "
            "destination must hold the source's words in their order, with others inserted."
        )
    placed = _fewest_pieces(source, destination)
    end = placed[-1] + 1
    # Behind the end token the padding follows in order; the shorter source's last rows share the last destination row.
    positions = (placed + list(range(end, length)) + [length - 1] * length)[:length]
    return Alignment(
        source_tokens=tuple(source_tokens),
        destination_tokens=tuple(destination_tokens),
        positions=tuple(positions),
        inserted=tuple(sorted(set(range(end)) - set(placed))),
    )


def _one_article(tokens: Sequence[int], articles: tuple[int, int]) -> list[int]:
    a, an = articles
    return [a if token == an else token for token in tokens]


def _first_unmatched(source: list[int], destination: list[int]) -> int | None:
    start = 0
    for i, token in enumerate(source):
        if token not in destination[start:]:
            return i
        start = destination.index(token, start) + 1
    return None


def _fewest_pieces(source: list[int], destination: list[int]) -> list[int]:
    """Positions of `source` as a subsequence of `destination` with the fewest breaks, leftmost among equals."""
    columns = len(destination)
    # breaks[i][j]: the fewest breaks in placing source[i:] if source[i] stands on j; filled from the end.
    breaks = [[IMPOSSIBLE] * (columns + 1) for _ in source]
    for i in reversed(range(len(source))):
        cheapest_later = IMPOSSIBLE  # over every place of source[i + 1] to the right of j + 1
        for j in reversed(range(columns)):
            if i + 1 == len(source):
                rest = 0
            else:
                rest = min(breaks[i + 1][j + 1], cheapest_later + 1)
                cheapest_later = min(cheapest_later, breaks[i + 1][j + 1])
            if source[i] == destination[j]:
                breaks[i][j] = rest
    positions: list[int] = []
    for row in breaks:
        start = positions[-1] + 1 if positions else 0
        costs = {j: row[j] + (j != start) for j in range(start, columns)}
        positions.append(min(costs, key=costs.get))
    return positions
