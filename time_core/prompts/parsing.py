"""The text fields of the TIME nodes as prompts.

A line may end in `| weight`. In a destination `[words in brackets]` are marked as inserted; `\\[`, `\\]` and `\\|` are the
characters themselves.
"""

import math
import re

from .pairs import Kept, Pair

WEIGHT = re.compile(r"(?<!\\)\|(?P<weight>[^|]*)$")
BRACKETS = re.compile(r"(?<!\\)\[(?P<inserted>[^\[\]]*)(?<!\\)\]")
ESCAPED = re.compile(r"\\([\[\]|])")


def parse_lines(text: str) -> tuple[str, ...]:
    """The non-empty lines of `text`, without surrounding blanks."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def parse_pairs(source: str, destination: str) -> tuple[Pair, ...]:
    """Pair line i of `source` with line i of `destination`; blank lines at the end are ignored.

    Raises ValueError if the numbers of lines differ, a line is empty, a weight is no positive number, a pair says the same
    twice, or one source has two destinations.
    """
    sources = [line.strip() for line in source.rstrip().splitlines()]
    destinations = [line.strip() for line in destination.rstrip().splitlines()]
    for name, lines in (("source", sources), ("destination", destinations)):
        if not lines:
            raise ValueError(f"{name} is empty; write one prompt a line.")
        if "" in lines:
            raise ValueError(f"{name}: line {lines.index('') + 1} is empty; write a prompt there or remove the line.")
    if len(sources) != len(destinations):
        raise ValueError(
            f"source has {len(sources)} lines and destination has {len(destinations)}; "
            "line i of one belongs to line i of the other, so both need the same number."
        )
    pairs = []
    first: dict[str, tuple[int, str]] = {}  # source -> the line that has it first, and its destination
    for number, (old, line) in enumerate(zip(sources, destinations, strict=True), start=1):
        new, weight = _weighted(line, f"destination: line {number}")
        old = ESCAPED.sub(r"\1", old)
        if old == plain(new):
            raise ValueError(
                f"source and destination are equal in line {number} ({old!r}), so there is nothing to edit; "
                "to keep a prompt as it is, put it into preserve."
            )
        earlier, other = first.setdefault(old, (number, plain(new)))
        if other != plain(new):
            raise ValueError(
                f"source is {old!r} in line {earlier} and in line {number}, but destination is {other!r} and {plain(new)!r}; "
                "no edit can be both, so leave one of the lines out."
            )
        pairs.append(Pair(old, new, weight))
    return tuple(pairs)


def parse_preserve(preserve: str) -> tuple[Kept, ...]:
    """The non-empty lines of `preserve` as preserved prompts, each with its weight. Raises ValueError for a bad weight."""
    kept = (_weighted(line, f"preserve: {line!r}") for line in parse_lines(preserve))
    return tuple(Kept(ESCAPED.sub(r"\1", prompt), weight) for prompt, weight in kept)


def plain(destination: str) -> str:
    """The destination as the model reads it: without the brackets around what is inserted."""
    return ESCAPED.sub(r"\1", BRACKETS.sub(r"\g<inserted>", destination))


def segments(destination: str) -> tuple[tuple[str, bool], ...] | None:
    """The destination in pieces, (text, whether it is marked as inserted); None if nothing is marked."""
    if not BRACKETS.search(destination):
        return None
    pieces, start = [], 0
    for match in BRACKETS.finditer(destination):
        pieces += [(destination[start : match.start()], False), (match["inserted"], True)]
        start = match.end()
    pieces.append((destination[start:], False))
    return tuple((ESCAPED.sub(r"\1", text).strip(), inserted) for text, inserted in pieces if text.strip())


def augment(prompt: str, augmentations: tuple[str, ...]) -> list[str]:
    """The prompt itself, then the prompt after each beginning ("A photo of" + "a pack of roses").

    A leading capital "A" is lower-cased behind a beginning, as in the authors' code; brackets stay where they are.
    """
    return [prompt] + [f"{beginning.strip()} {_behind(prompt)}" for beginning in augmentations]


def _behind(prompt: str) -> str:
    return re.sub(r"^(\[?)A", r"\1a", prompt)


def _weighted(line: str, where: str) -> tuple[str, float]:
    match = WEIGHT.search(line)
    if match is None:
        return line, 1.0
    try:
        weight = float(match["weight"])
    except ValueError:
        weight = math.nan
    if not (math.isfinite(weight) and weight > 0):
        raise ValueError(
            f"{where} ends in the weight {match['weight'].strip()!r}; behind the | write a positive number, such as 2."
        )
    prompt = line[: match.start()].strip()
    if not prompt:
        raise ValueError(f"{where} has a weight and no prompt; write the prompt before the |.")
    return prompt, weight
