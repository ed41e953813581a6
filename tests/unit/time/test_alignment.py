"""The alignment on the real CLIP tokenizer, against the authors' greedy rule written afresh."""

import csv
import functools
from itertools import combinations
from pathlib import Path

import pytest
from comfy.sd import CLIP
from comfy.sd1_clip import SD1Tokenizer
from time_diffedit.time_core.prompts.alignment import Alignment, Placement, Spelled, describe, last_word, place, restrict
from time_diffedit.time_core.prompts.parsing import plain, segments
from time_diffedit.time_core.prompts.text import Chunk, TextReader, Track

TIMED = Path(__file__).resolve().parents[4] / "shared" / "timed"
TIMED_ROWS = {
    "TIMED_test_set.csv": 147,
    "TIMED_test_set_filtered_SD14.csv": 104,
    "TIMED_validation_set.csv": 8,
    "TIMED_gender_test_set.csv": 35,
}
OWN_PAIRS = [
    ("A pack of roses", "A pack of blue roses"),
    ("an attendant", "a female attendant"),
    ("a cat and a dog", "a cat and a black dog"),
    ("The CEO", "The female CEO"),
    ("Pikachu", "A pink Pikachu"),
]


@functools.cache
def reader() -> TextReader:
    """On the host's CLIP with the real tokenizer and no model."""
    clip = CLIP(no_init=True)
    clip.tokenizer = SD1Tokenizer()
    clip.tokenizer_options = {}
    return TextReader(clip)


def track(prompt: str) -> Track:
    (only,) = reader().tracks(prompt)
    return only


def tokens(prompt: str) -> list[int]:
    """With begin and end, without padding; untruncated."""
    return reader().clip.tokenizer.clip_l.tokenizer(prompt)["input_ids"]


A, AN = tokens("a")[1], tokens("an")[1]


def published(source: str, destination: str) -> list[tuple[int, int]]:
    """The alignment of apply_time.py (github.com/bahjat-kawar/time-diffusion, 1d6784a), as pairs of rows."""
    decode = reader().clip.tokenizer.decode
    a = [A if decode([token]).strip() == "an" else token for token in tokens(source)]
    b = [A if decode([token]).strip() == "an" else token for token in tokens(destination)]
    positions, j = [], 0
    for token in a:
        while b[j] != token:
            j += 1
        positions.append(j)
        j += 1
    positions += range(j, 77)
    return list(enumerate(positions + [76] * (77 - len(positions))))


def placed(source: str, destination: str, mode: str = "inserted words") -> Placement:
    a, b = track(source), track(plain(destination))
    marked = segments(destination)
    inserted = marked and [flag for text, flag in marked for _ in track(text).word_rows]
    spelled = (Spelled(of, reader().keys(of), reader().words(of)) for of in (a, b))
    return place(*spelled, mode, inserted)


def ours(source: str, destination: str, mode: str = "inserted words") -> list[int]:
    """The destination row of every source row, for placements that place all."""
    rows = placed(source, destination, mode).rows
    assert [i for i, _ in rows] == list(range(len(track(source).ids)))
    return [j for _, j in rows]


def shown(source: str, destination: str, mode: str = "inserted words") -> Alignment:
    a, b = track(source), track(plain(destination))
    return describe(placed(source, destination, mode), a, b, reader().pieces(a), reader().pieces(b))


@pytest.mark.parametrize("name", TIMED_ROWS)
def test_timed_equals_the_published_alignment(name):
    path = TIMED / name
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            pairs = [(row["old"], row["new"]) for row in csv.DictReader(file)]
        assert len(pairs) == TIMED_ROWS[name]
    else:
        pairs = OWN_PAIRS
    for source, destination in pairs:
        placement = placed(source, destination)
        assert list(placement.rows) == published(source, destination), (source, destination)
        assert placement.alternatives == 0
        assert len(shown(source, destination).inserted) == len(tokens(destination)) - len(tokens(source))


def test_positions_by_hand():
    assert ours("A pack of roses", "A pack of blue roses") == [0, 1, 2, 3, 5, 6, *range(7, 77), 76]
    assert ours("an attendant", "a female attendant")[:4] == [0, 1, 3, 4]


def test_what_is_shown():
    alignment = shown("an otherworldly rose", "a blue otherworldly rose")
    assert alignment.source == ("", "an", "other", "worldly", "rose", "")
    assert alignment.destination == ("", "a", "blue", "other", "worldly", "rose", "")
    assert alignment.source_kinds == ("special", "word", "word", "word", "word", "special")
    assert alignment.pairs == ((0, 0), (1, 1), (2, 3), (3, 4), (4, 5), (5, 6))
    assert (alignment.inserted, alignment.dropped, alignment.alternatives) == (("blue",), (), 0)
    assert shown("Pikachu", "A pink Pikachu").inserted == ("a", "pink")


def test_words_inserted_before_inside_and_after():
    assert ours("dog", "a big red dog")[:3] == [0, 4, 5]
    assert ours("a dog runs", "a dog and a cat runs")[:5] == [0, 1, 2, 6, 7]
    assert ours("a dog", "a dog on green grass")[:4] == [0, 1, 2, 6]


def test_end_meets_end_and_padding_follows():
    for source, destination in OWN_PAIRS:
        positions = ours(source, destination)
        assert positions[len(tokens(source)) - 1] == len(tokens(destination)) - 1
        assert len(positions) == 77
        assert positions[-1] == 76
        assert positions == sorted(positions)


def test_full_prompts():
    """75 words fill the encoder: no padding is left on either side, and nothing runs over the last row."""
    source, destination = "dog " * 74, "red " + "dog " * 74
    assert len(tokens(destination)) == 77
    assert ours(source, destination) == [0, *range(2, 77), 76]


def test_prompts_of_several_chunks():
    """Begin, end and padding fall on those of the same chunk, words where they are; the last chunk falls on the last."""
    source, destination = "big red dog " * 24, "big red furry dog " * 24
    a, b = track(source), track(destination)
    assert (len(a.chunks), len(b.chunks)) == (1, 2)
    rows = dict(placed(source, destination).rows)
    keys = reader().keys(b)
    assert all(keys[b.word_rows.index(rows[row])] == key for row, key in zip(a.word_rows, reader().keys(a), strict=True))
    assert rows[0] == b.chunks[1].start
    assert rows[a.chunks[0].tail] == b.chunks[1].tail

    longer = "big red dog " * 60
    a, b = track(longer), track("small " + longer)
    assert [chunk.start for chunk in a.chunks] == [0, 77, 154]
    rows = dict(placed(longer, "small " + longer).rows)
    assert len(rows) == 231
    assert [rows[77 * k] for k in range(3)] == [0, 77, 154]
    assert [rows[chunk.tail] for chunk in a.chunks] == [chunk.tail for chunk in b.chunks]
    assert rows[a.chunks[0].tail - 1] == b.chunks[1].words  # one word has moved into the next chunk


def breaks(positions) -> int:
    return sum(later != earlier + 1 for earlier, later in zip(positions, positions[1:], strict=False))


def test_fewest_displaced_against_every_placement():
    """Words are given by letters; "<" and ">" stand for begin and end."""
    for source, destination in [
        ("abc", "axbyabc"),
        ("ad", "abad"),
        ("aba", "abxabaaba"),
        ("wiadr", "wiahniardr"),
        ("aaa", "aabaaabaa"),
        ("ab", "xaxbaxb"),
    ]:
        places = [p for p in combinations(range(len(destination)), len(source)) if [destination[j] for j in p] == list(source)]
        cost = {p: breaks((-1, *p, len(destination))) for p in places}
        best = min(places, key=lambda p: (cost[p], p))
        a, b = (
            Spelled(Track("l", (0,) * 20, (Chunk(0, 1, 1 + len(text), 20),)), text, "<" + text + ">" * 20)
            for text in (source, destination)
        )
        placement = place(a, b)
        assert [j - 1 for _, j in placement.rows[1 : len(source) + 1]] == list(best), (source, destination)
        assert placement.alternatives == sum(cost[p] == cost[best] for p in places) - 1


def test_ambiguous_prompts():
    # One break either way, so the authors' leftmost placement stays, and the other is counted.
    assert ours("a dog", "a big a dog")[:4] == [0, 1, 4, 5]
    assert shown("a dog", "a big a dog").alternatives == 1
    assert ours("a red dog", "a cat and a red dog")[:5] == [0, 1, 5, 6, 7]
    # "in a" stays with the hat: "in a" of the dress clause would displace one word more.
    assert ours("A woman in a dress", "A woman in a hat and in a red dress")[:7] == [0, 1, 2, 3, 4, 10, 11]
    # In one piece at the end, where the authors' rule tears it over the sentence.
    source, destination = "big red dog", "a big cat and red wine and big red dog"
    assert [j for _, j in published(source, destination)[:5]] == [0, 2, 5, 10, 11]
    assert ours(source, destination)[:5] == [0, 8, 9, 10, 11]


def test_brackets_choose():
    assert ours("a dog", "[a big] a dog")[:4] == [0, 3, 4, 5]
    assert ours("A woman in a dress", "A woman [in a hat and] in a [red] dress")[:7] == [0, 1, 2, 7, 8, 10, 11]
    with pytest.raises(ValueError, match="without the words in .brackets. is not source"):
        ours("a dog", "[a] big a dog")


def test_replaced_words():
    """What both prompts share stays together; what stands between is placed from its end, where nouns are."""
    assert ours("a dog", "a cat", "replaced words")[:4] == [0, 1, 2, 3]
    assert ours("a dog runs", "a big black cat runs", "replaced words")[:5] == [0, 1, 4, 5, 6]
    assert ours("a big black dog runs", "a cat runs", "replaced words")[:7] == [0, 1, 2, 2, 2, 3, 4]
    assert ours("A pack of roses", "A pack of blue rose", "replaced words")[:6] == [0, 1, 2, 3, 5, 6]
    alignment = shown("a red dog", "a dog", "replaced words")
    assert (alignment.dropped, alignment.inserted) == (("red",), ())
    assert dict(placed("a red dog", "a dog", "replaced words").rows).keys().isdisjoint({2})
    assert ours("A pack of roses", "A pack of blue roses", "replaced words") == ours("A pack of roses", "A pack of blue roses")


def test_whole_prompts():
    """Begin, end and padding only: rows 0 and 4 of the source on, the destination's from its end on."""
    rows = placed("a red dog", "an apple", "whole prompt").rows
    assert rows[0] == (0, 0)
    assert rows[1:] == tuple((4 + k, min(3 + k, 76)) for k in range(73))
    alignment = shown("a red dog", "an apple", "whole prompt")
    assert (alignment.dropped, alignment.inserted) == (("a", "red", "dog"), ("an", "apple"))


def test_which_tokens_carry_the_edit():
    a, b = track("A pack of roses"), track("A pack of blue roses")
    placement = placed("A pack of roses", "A pack of blue roses")
    assert restrict(placement, a, "all") == placement
    assert restrict(placement, a, "without padding").rows == ((0, 0), (1, 1), (2, 2), (3, 3), (4, 5), (5, 6))
    assert last_word(a, b).rows == ((4, 5),)


@pytest.mark.parametrize(
    ("source", "destination", "word"),
    [
        ("A dog", "A cat", "dog"),
        ("A pack of roses", "A pack of blue rose", "roses"),
        ("A dog", "Dog that is red", "a"),
        ("roses", "blue flowers", "roses"),
        ("a dog", "a", "dog"),
    ],
)
def test_a_missing_word_is_named(source, destination, word):
    with pytest.raises(ValueError, match=f"no place for the word '{word}' of source.*with others inserted.*replaced words"):
        ours(source, destination)
