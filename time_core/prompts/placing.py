"""The rows of two prompts placed on one another, for all of their text encoders."""

from collections.abc import Callable

from .alignment import (
    Alignment,
    Placement,
    Spelled,
    describe,
    last_word,
    no_place,
    place,
    restrict,
    wrong_brackets,
)
from .pairs import ALIGNMENTS, TOKENS, Pair, Settings
from .parsing import parse_pairs, plain, segments
from .spelling import first_missing
from .text import SIDE_BY_SIDE, TextReader, Track

Units = tuple[tuple[int, tuple[Track, ...]], ...]
Placed = list[tuple[int, int, tuple[Placement, ...]]]  # first row of source and of destination, one placement a track


LONGEST_SHOWN = 300  # characters of a prompt in a message


def place_units(
    reader: TextReader,
    sources: Units,
    destinations: Units,
    prompts: tuple[str, str],
    settings: Settings,
    step: Callable[[], None] = lambda: None,
) -> Placed:
    """Placements of every unit's tracks. Side by side they share rows, so they must agree.

    `step` is called every few milliseconds, for interrupts.
    """
    placed = []
    for (first, source_tracks), (onto, destination_tracks) in zip(sources, destinations, strict=True):
        placements = tuple(
            _place_track(reader, source, destination, prompts, settings, step)
            for source, destination in zip(source_tracks, destination_tracks, strict=True)
        )
        if len({placement.rows for placement in placements}) > 1:
            names = " and ".join(track.encoder for track in source_tracks)
            raise ValueError(
                f"The text encoders {names} place the words of {_shown(prompts[0])} in {_shown(prompts[1])} differently; mark "
                "the inserted words by [brackets]."
            )
        placed.append((first, onto, placements))
    return placed


def describe_units(reader: TextReader, sources: Units, destinations: Units, placed: Placed) -> tuple[Alignment, ...]:
    """What `place_units` made of a pair, to look at: one alignment a track."""
    return tuple(
        describe(placement, source, destination, reader.pieces(source), reader.pieces(destination))
        for (_, source_tracks), (_, destination_tracks), (_, _, placements) in zip(sources, destinations, placed, strict=True)
        for source, destination, placement in zip(source_tracks, destination_tracks, placements, strict=True)
    )


def align_tokens(
    reader: TextReader,
    pair: Pair,
    settings: Settings,
    carrying: tuple[str, ...] | None = None,
    step: Callable[[], None] = lambda: None,
) -> tuple[Alignment, ...]:
    """The alignment of a pair as an edit of it will report it, by its tokens alone, without any embedding.

    `carrying` names the encoders whose tokens the embedding's rows stand for; None for all. `step` as in `place_units`.

    Raises ValueError as `place_units` and the reader do.
    """
    prompts = (("source", pair.source), ("destination", plain(pair.destination)))
    source, destination = (_units_of_tokens(reader.tracks_of(prompt, name), carrying) for name, prompt in prompts)
    placed = place_units(reader, source, destination, (pair.source, pair.destination), settings, step)
    return describe_units(reader, source, destination, placed)


def require_words(source: str, destination: str, alignment: str = ALIGNMENTS[0], tokens: str = TOKENS[0]) -> None:
    """Refuse pairs that no text encoder could place on one another, as far as their spelling tells, without any.

    Raises ValueError as parse_pairs, and as `place_units` for words that are not there.
    """
    if alignment != ALIGNMENTS[0] or tokens == TOKENS[2]:
        return
    for pair in parse_pairs(source, destination):
        marked = segments(pair.destination)
        kept = plain(pair.destination) if marked is None else " ".join(text for text, inserted in marked if not inserted)
        # Parentheses weigh words, and then what is in them is not read as it is spelled.
        if not set("()") & set(pair.source + kept) and (missing := first_missing(pair.source, kept)):
            error = no_place(missing) if marked is None else wrong_brackets()
            raise ValueError(f"{_shown(pair.source)} -> {_shown(pair.destination)}: {error}")


def _units_of_tokens(tracks: tuple[Track, ...], carrying: tuple[str, ...] | None) -> Units:
    """As `text.arrange` gives them where every track has rows; all start at row 0, for nothing is gathered by them."""
    tracks = tuple(track for track in tracks if carrying is None or track.encoder in carrying)
    clips = tuple(track for track in tracks if track.encoder in SIDE_BY_SIDE)
    return tuple((0, unit) for unit in ([clips] if clips else []) + [(track,) for track in tracks if track not in clips])


def _place_track(
    reader: TextReader,
    source: Track,
    destination: Track,
    prompts: tuple[str, str],
    settings: Settings,
    step: Callable[[], None],
) -> Placement:
    step()
    try:
        if not (source.word_rows and destination.word_rows):
            raise ValueError("source or destination has no words; write prompts.")
        if settings.tokens == "last word":
            return last_word(source, destination)
        before, after = (Spelled(track, reader.keys(track), reader.words(track)) for track in (source, destination))
        placement = place(before, after, settings.alignment, _inserted(reader, destination, prompts[1], step), step)
    except ValueError as error:
        raise ValueError(f"{_shown(prompts[0])} -> {_shown(prompts[1])}: {error}") from None
    return restrict(placement, source, settings.tokens)


def _inserted(reader: TextReader, destination: Track, prompt: str, step: Callable[[], None]) -> list[bool] | None:
    """Which word tokens of the destination stand in [brackets]; None if there are no brackets."""
    marked = segments(prompt)
    if marked is None:
        return None
    flags = []
    for text, inserted in marked:
        step()
        track = next(track for track in reader.tracks(text) if track.encoder == destination.encoder)
        flags += [inserted] * len(track.word_rows)
    if len(flags) != len(destination.word_rows):
        raise ValueError("the [brackets] in destination must stand around whole words, with blanks outside.")
    return flags


def _shown(prompt: str) -> str:
    return repr(prompt if len(prompt) <= LONGEST_SHOWN else f"{prompt[:LONGEST_SHOWN]} ...")
