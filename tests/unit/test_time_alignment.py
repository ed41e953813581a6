"""The alignment on the real CLIP tokenizer, against the authors' greedy rule written afresh."""

import csv
import functools
from itertools import combinations
from pathlib import Path

import pytest
from comfy.sd1_clip import SD1Tokenizer
from time_diffedit.time_core.alignment import align

TIMED = Path(__file__).resolve().parents[3] / "shared" / "timed"
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
def tokenizer() -> SD1Tokenizer:
    return SD1Tokenizer()


def tokens(prompt: str) -> list[int]:
    """With begin and end, without padding; untruncated."""
    return tokenizer().clip_l.tokenizer(prompt)["input_ids"]


A, AN = tokens("a")[1], tokens("an")[1]


def published(source: str, destination: str) -> tuple[int, ...]:
    """The alignment of apply_time.py (github.com/bahjat-kawar/time-diffusion, 1d6784a)."""
    decode = tokenizer().decode
    a = [A if decode([token]).strip() == "an" else token for token in tokens(source)]
    b = [A if decode([token]).strip() == "an" else token for token in tokens(destination)]
    positions, j = [], 0
    for token in a:
        while b[j] != token:
            j += 1
        positions.append(j)
        j += 1
    positions += range(j, 77)
    return tuple(positions + [76] * (77 - len(positions)))


def ours(source: str, destination: str):
    ids = tokens(source)
    return align(ids, tokens(destination), tokenizer().decode(ids).split(), (A, AN))


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
        alignment = ours(source, destination)
        assert alignment.positions == published(source, destination), (source, destination)
        assert len(alignment.inserted) == len(tokens(destination)) - len(tokens(source))


def test_positions_by_hand():
    alignment = ours("A pack of roses", "A pack of blue roses")
    assert alignment.positions == (0, 1, 2, 3, 5, 6, *range(7, 77), 76)
    assert alignment.inserted == (4,)
    assert [tokenizer().decode([alignment.destination_tokens[4]]).strip()] == ["blue"]
    assert ours("Pikachu", "A pink Pikachu").inserted == (1, 2)
    assert ours("an attendant", "a female attendant").positions[:4] == (0, 1, 3, 4)


def test_end_meets_end_and_padding_follows():
    for source, destination in OWN_PAIRS:
        alignment = ours(source, destination)
        end = len(tokens(source)) - 1
        assert alignment.destination_tokens[alignment.positions[end]] == tokens("")[-1]
        assert len(alignment.positions) == 77
        assert alignment.positions[-1] == 76
        assert list(alignment.positions) == sorted(alignment.positions)


def test_full_prompts():
    """75 words fill the encoder: no padding is left on either side, and nothing runs over the last row."""
    source, destination = "dog " * 74, "red " + "dog " * 74
    assert len(tokens(destination)) == 77
    assert ours(source, destination).positions == (0, *range(2, 77), 76)


def breaks(positions) -> int:
    return sum(later != earlier + 1 for earlier, later in zip(positions, positions[1:], strict=False))


def test_fewest_pieces_against_every_placement():
    """Ids are given by letters: begin "<", end ">"."""
    for source, destination in [
        ("<abc>", "<axbyabc>"),
        ("<ad>", "<abad>"),
        ("<aba>", "<abxabaaba>"),
        ("<wiadr>", "<wiahniardr>"),
        ("<aaa>", "<aabaaabaa>"),
    ]:
        a, b = [ord(c) for c in source], [ord(c) for c in destination]
        best = min((p for p in combinations(range(len(b)), len(a)) if [b[j] for j in p] == a), key=lambda p: (breaks(p), p))
        assert align(a, b, source, (0, 1), length=20).positions[: len(a)] == best, (source, destination)


def test_ambiguous_prompts():
    # One break either way, so the authors' leftmost placement stays.
    assert ours("a dog", "a big a dog").positions[:4] == (0, 1, 4, 5)
    assert ours("a red dog", "a cat and a red dog").positions[:5] == (0, 1, 5, 6, 7)
    # "in a" stays with the hat: "in a" of the dress clause would tear the prompt once more.
    assert ours("A woman in a dress", "A woman in a hat and in a red dress").positions[:7] == (0, 1, 2, 3, 4, 10, 11)
    # In one piece at the end, where the authors' rule tears it over the sentence.
    source, destination = "big red dog", "a big cat and red wine and big red dog"
    assert published(source, destination)[:5] == (0, 2, 5, 10, 11)
    assert ours(source, destination).positions[:5] == (0, 8, 9, 10, 11)


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
    words = ["", *source.lower().split(), ""]
    with pytest.raises(ValueError, match=f"no place for the word '{word}' of source.*with others inserted"):
        align(tokens(source), tokens(destination), words, (A, AN))
