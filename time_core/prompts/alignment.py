"""Which row of the destination prompt a row of the source prompt is to become.

- "inserted words" (the paper's): the source's words occur in the destination in their order, with others inserted.
  Where they fit in several ways, the placement that displaces the fewest words is taken: a word is displaced if it no
  longer follows the word that it follows in the source. Among equals the leftmost is taken. Wherever a prompt can be
  placed in one way only, that is the authors' greedy placement (Orgad et al., ICCV 2023, arXiv 2303.08084).
- "replaced words": words that both prompts share are placed on one another, and what stands between them instead: "a
  dog" -> "a cat" places dog on cat. Where the destination has nothing instead, the row stays out of the equations.
- "whole prompt": no word is placed; end and padding, which sum the prompt up, carry the change, as in ReFACT's
  comparison for prompts without common words (arXiv 2306.00738, appendix).

Begin falls on begin and end on end; behind the end the padding follows in order, and the last row repeats where the
destination's padding is shorter. In prompts of several chunks each chunk's begin, end and padding fall on that chunk's,
the last chunk's on the last chunk's.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from .matching import Comparisons, fewest_displaced, first_places, replaced
from .text import Chunk, Track


@dataclass(frozen=True)
class Alignment:
    """An alignment to look at: begin, words and end of both prompts, without the padding.

    `source` and `destination` are the tokens as text, `source_kinds` and `destination_kinds` say "word" or "special",
    `pairs` are positions (source, destination) in these. `alternatives` counts the other placements that are as good.
    `padding` are the rows of padding that were left out, of source and destination.
    """

    encoder: str
    source: tuple[str, ...]
    destination: tuple[str, ...]
    source_kinds: tuple[str, ...]
    destination_kinds: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...]
    alternatives: int = 0
    padding: tuple[int, int] = (0, 0)

    @property
    def inserted(self) -> tuple[str, ...]:
        """The destination's words that no word of the source is placed on."""
        return _unpaired(self.destination, self.destination_kinds, {there for _, there in self.pairs})

    @property
    def dropped(self) -> tuple[str, ...]:
        """The source's words that are placed on no word of the destination."""
        return _unpaired(self.source, self.source_kinds, {here for here, _ in self.pairs})


@dataclass(frozen=True)
class Placement:
    """`rows` are pairs (source row, destination row) of two tracks; `alternatives` as in `Alignment`."""

    rows: tuple[tuple[int, int], ...]
    alternatives: int = 0


@dataclass(frozen=True)
class Spelled:
    """A track and what its tokens spell.

    `keys` has one for every word token; tokens of equal keys are the same word. `words` has for every row the word that
    it is part of, for messages.
    """

    track: Track
    keys: Sequence[Hashable]
    words: Sequence[str]


def place(
    source: Spelled,
    destination: Spelled,
    mode: str = "inserted words",
    inserted: Sequence[bool] | None = None,
    step: Callable[[], None] = lambda: None,
) -> Placement:
    """Place the rows of `source` on rows of `destination`; `mode` is one of the module's three.

    Args:
        inserted: for every word token of the destination whether the user marked it as inserted; the placement is then
            given and not searched for.
        step: called every few milliseconds, for interrupts.

    Raises ValueError naming the first source word that has no place in the destination, and for prompts that repeat so
    many words that the search would take long.
    """
    here, there = source.track.word_rows, destination.track.word_rows
    alternatives = 0
    if mode == "whole prompt":
        words = []
    elif inserted is not None:
        words = _marked(source.keys, destination.keys, inserted)
    elif mode == "replaced words":
        words = replaced(source.keys, destination.keys, Comparisons(step))
    else:
        unmatched = len(first_places(source.keys, destination.keys))
        if unmatched < len(source.keys):
            raise no_place(source.words[here[unmatched]])
        places, alternatives = fewest_displaced(source.keys, destination.keys, Comparisons(step))
        words = list(enumerate(places))
    rows = [(here[i], there[j]) for i, j in words]
    chunks, others = source.track.chunks, destination.track.chunks
    for number, chunk in enumerate(chunks):
        last = number + 1 == len(chunks)
        rows += _frame(chunk, others[-1 if last else min(number, len(others) - 1)])
    return Placement(tuple(sorted(rows)), alternatives)


def no_place(word: str) -> ValueError:
    """What to say of a source word that the destination does not have after those before it."""
    return ValueError(
        f"destination has no place for the word {word!r} of source; destination must hold the source's words in their order, "
        'with others inserted. To replace words, set alignment to "replaced words"; for another text altogether, to "whole '
        'prompt".'
    )


def wrong_brackets() -> ValueError:
    """What to say where the destination's words outside of [brackets] are not the source's."""
    return ValueError(
        "destination without the words in [brackets] is not source; put exactly the inserted words into [brackets], or leave "
        "the brackets out to have the words placed by themselves."
    )


def last_word(source: Track, destination: Track) -> Placement:
    """The source's last token on the destination's, and nothing else, as UCE edits (arXiv 2308.14761)."""
    return Placement(((source.word_rows[-1], destination.word_rows[-1]),))


def restrict(placement: Placement, source: Track, tokens: str) -> Placement:
    """The rows that carry the edit if `tokens` is "all" or "without padding"."""
    if tokens == "all":
        return placement
    padding = {row for chunk in source.chunks for row in range(chunk.tail + 1, chunk.stop)}
    return Placement(tuple(pair for pair in placement.rows if pair[0] not in padding), placement.alternatives)


def describe(
    placement: Placement, source: Track, destination: Track, source_pieces: Sequence[str], destination_pieces: Sequence[str]
) -> Alignment:
    """The placement as an `Alignment`; the pieces are the tokens of all rows as text."""
    shown = [_without_padding(track) for track in (source, destination)]
    here, there = ({row: position for position, row in enumerate(rows)} for rows in shown)
    words = [set(track.word_rows) for track in (source, destination)]
    return Alignment(
        encoder=source.encoder,
        source=tuple(source_pieces[row] for row in shown[0]),
        destination=tuple(destination_pieces[row] for row in shown[1]),
        source_kinds=tuple("word" if row in words[0] else "special" for row in shown[0]),
        destination_kinds=tuple("word" if row in words[1] else "special" for row in shown[1]),
        pairs=tuple((here[i], there[j]) for i, j in placement.rows if i in here and j in there),
        alternatives=placement.alternatives,
        padding=(len(source.ids) - len(shown[0]), len(destination.ids) - len(shown[1])),
    )


def _without_padding(track: Track) -> list[int]:
    return [row for chunk in track.chunks for row in range(chunk.start, min(chunk.tail + 1, chunk.stop))]


def _unpaired(pieces: Sequence[str], kinds: Sequence[str], paired: set[int]) -> tuple[str, ...]:
    return tuple(piece for i, (piece, kind) in enumerate(zip(pieces, kinds, strict=True)) if kind == "word" and i not in paired)


def _frame(chunk: Chunk, onto: Chunk) -> list[tuple[int, int]]:
    """Begin on begin, counted from the words back, since padding may stand in front; end on end, and what follows it."""
    begin = [(row, max(onto.words - (chunk.words - row), onto.start)) for row in range(chunk.start, chunk.words)]
    end = [(row, min(onto.tail + row - chunk.tail, onto.stop - 1)) for row in range(chunk.tail, chunk.stop)]
    return begin + end


def _marked(source: Sequence[Hashable], destination: Sequence[Hashable], inserted: Sequence[bool]) -> list[tuple[int, int]]:
    places = [j for j, is_inserted in enumerate(inserted) if not is_inserted]
    if [destination[j] for j in places] != list(source):
        raise wrong_brackets()
    return list(enumerate(places))
