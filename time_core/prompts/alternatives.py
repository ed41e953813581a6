"""What a prompt says itself where an edit would assume something: "a yellow rose", for an edit of roses to blue ones.

An edit changes what is assumed of a thing; what is said of it needs no assuming. So this looks for words of the same kind as
those that the destination inserts, and only where they belong to the source's own thing: before it in its noun phrase, or
after it as in "in yellow" and "that is yellow". Rules of English order of words, no grammar and no model.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from .pairs import Pair
from .parsing import plain
from .words import FUNCTION_WORDS, WORD, base_forms, content_words, without_embeddings, words_of

# Words of one kind. Those of a line say the same, so that none of them contradicts another. Words that are things at least as
# often (rose, lime, cream) are left out.
KINDS = {
    "colours": """
red
orange
yellow
green
blue
purple
violet
pink
brown
black
white
gray grey
beige
turquoise
teal
cyan
magenta
maroon
navy
indigo
crimson
scarlet
gold golden
silver silvery
colorful colourful multicolored multicoloured
rainbow
""",
    "genders": """
woman female girl lady
man male boy gentleman
""",
    "ages": """
young baby child teenage adolescent
adult
old elderly aged ancient
new modern futuristic
""",
    "materials": """
wood wooden
metal metallic steel iron
stone marble granite
glass crystal
plastic
paper cardboard
gold golden
silver
bronze copper brass
brick
concrete
leather
ceramic porcelain clay
cloth fabric felt
wool woolen woollen
straw
bamboo
rubber
ice icy
sand
""",
    "sizes": """
big large huge giant enormous gigantic massive
small little tiny miniature mini
""",
}
REACH = 8  # words, to each side of the thing

PIECE = re.compile(r"\w+(?:['\u2019-]\w+)*|[^\w\s()\[\]{}\"'\u2019-]|\n")
WEIGHT = re.compile(r":\s*-?[\d.]+\s*(?=[)\]])")
GENITIVE = re.compile(r"['\u2019]s?$")
# No words of a noun phrase's middle, besides FUNCTION_WORDS.
OUTSIDE = (FUNCTION_WORDS - {"very"}) | words_of("""
against along among around across inside outside within toward towards like than then while during via versus vs plus minus
holding wearing carrying riding eating
""")
OF_A_PART = words_of(
    "eyed haired headed faced nosed legged footed tailed winged skinned bearded lipped"
)  # blue-eyed, blue eyed
COLOURED = words_of("colored coloured painted dyed tinted")
COPULAS = words_of("is are was were")
RELATIVES = words_of("that which who")
NEGATIONS = words_of("not never non no")


@dataclass(frozen=True)
class Claim:
    """`things`: base forms of the words for what an edit is of. `others`: base forms of what may be said of it instead."""

    things: frozenset[str]
    others: frozenset[str]


def said_instead(text: str, pair: Pair, names: Iterable[str] = (), further: Iterable[str] = ()) -> str:
    """The word of a prompt that says of the source's own thing what `pair` would assume otherwise; "" if none does.

    That is another word of the kind (KINDS) of a word that the destination inserts, or one of `further`; neither the
    destination's words nor the source's own, nor those that say the same. If one of several such things has its word, this
    is told. `names` are other words for the thing. Takes a time that grows as the length of `text`.
    """
    pieces = PIECE.findall(WEIGHT.sub("", without_embeddings(text)))
    forms = [base_forms(_last_part(piece)) for piece in pieces]
    for claim in dict.fromkeys(_claims(pair, names, further)):
        for place, form in enumerate(forms):
            if form & claim.things:
                for found in (*_before(pieces, place), *_after(pieces, place)):
                    if _is_one_of(pieces[found], claim.others):
                        return pieces[found]
    return ""


def _claims(pair: Pair, names: Iterable[str], further: Iterable[str]) -> Iterator[Claim]:
    """One for every word that the destination inserts and that is of a known kind, and one for what the user lists."""
    source = [match.group().lower() for match in WORD.finditer(pair.source)]
    destination = [match.group().lower() for match in WORD.finditer(plain(pair.destination))]
    kept = _kept(source, destination)
    own = _forms(source) | _forms(destination)
    called = _forms(name.split()[-1] for name in names if name.split())
    for place, word in enumerate(destination):
        others = frozenset[str]() if kept[place] else _others(word, own)
        things = _forms(_things(destination, kept, place)) if others else frozenset[str]()
        if things:
            yield Claim(things | called, others - things)
    listed = _forms(further) - own
    if listed:
        yield Claim(_forms(content_words(pair.source)) | called, listed)


def _kept(source: Sequence[str], destination: Sequence[str]) -> list[bool]:
    """Which words of the destination are the source's, from left to right."""
    kept, after = [], 0
    for word in destination:
        there = word in source[after:]
        kept.append(there)
        after = source.index(word, after) + 1 if there else after
    return kept


def _others(word: str, own: frozenset[str]) -> frozenset[str]:
    """Base forms of what is of a kind with `word` and does not say the same as it, or as another of the edit's `own` words."""
    same, others = set(own), set()
    for lines in _kinds():
        if any(base_forms(word) & line for line in lines):
            others |= frozenset().union(*lines)
            same |= frozenset().union(*(line for line in lines if line & own))
    return frozenset(others - same)


@cache
def _kinds() -> tuple[tuple[frozenset[str], ...], ...]:
    return tuple(tuple(_forms(line.split()) for line in kind.split("\n")) for kind in KINDS.values())


def _things(words: Sequence[str], kept: Sequence[bool], place: int) -> list[str]:
    """The source's words for the thing of which the inserted word at `place` is said; none in "a bride with a red dress"."""
    end = place + 1
    while end < len(words) and words[end] not in OUTSIDE:
        end += 1
    behind = [words[i] for i in range(place + 1, end) if kept[i]]
    if behind or end > place + 1:
        return behind
    last = place
    while last >= 0 and not (kept[last] and words[last] not in OUTSIDE):
        last -= 1
    first = last
    while first >= 0 and words[first] not in OUTSIDE:
        first -= 1
    return [words[i] for i in range(first + 1, last + 1) if kept[i]]


def _before(pieces: Sequence[str], place: int) -> Iterator[int]:
    """Where the words stand that are before the thing in its own noun phrase."""
    for i in range(place - 1, max(place - 1 - REACH, -1), -1):
        if _ends(pieces[i]) or GENITIVE.search(pieces[i]):
            return
        if pieces[i + 1].lower() not in OF_A_PART:
            yield i


def _after(pieces: Sequence[str], place: int) -> Iterator[int]:
    """Where the words stand that are said of the thing behind it: "in yellow", "that is old and yellow", "made of glass"."""
    words = [piece.lower() for piece in pieces[place + 1 : place + 1 + REACH]]
    first = place + 1
    if words and re.sub(r"['\u2019]s$", "", words[0]) in RELATIVES:
        is_short = words[0] not in RELATIVES  # who's
        words, first = words[1:], first + 1
        if is_short:
            yield from _predicates(words, first)
            return
    if words and words[0] in COPULAS:
        yield from _predicates(words[1:], first + 1)
    elif words and words[0] in ("in", "of", "made", *COLOURED):
        start = 2 if words[0] not in ("in", "of") and words[1:2] and words[1] in ("in", "of", "from") else 1
        end = _end(words, start)
        if end > start:
            yield first + end - 1


def _predicates(words: Sequence[str], first: int) -> Iterator[int]:
    """The last word of each of the parts that "and" joins; none where it is denied."""
    start = 0
    while start < len(words):
        while start < len(words) and words[start] in ("a", "an", "the", "all", "very"):
            start += 1
        end = _end(words, start)
        if end == start or NEGATIONS & set(words[start:end]):
            return
        yield first + end - 1
        if words[end : end + 1] != ["and"]:
            return
        start = end + 1


def _end(words: Sequence[str], start: int) -> int:
    while start < len(words) and not _ends(words[start]):
        start += 1
    return start


def _ends(piece: str) -> bool:
    """Whether it ends a noun phrase: punctuation, articles, prepositions, conjunctions."""
    return piece.lower() in OUTSIDE or not WORD.match(piece)


def _is_one_of(piece: str, forms: frozenset[str]) -> bool:
    parts = piece.lower().split("-")
    said = parts[-2] if parts[-1] in COLOURED and len(parts) > 1 else parts[-1]
    return not NEGATIONS & set(parts) and bool(base_forms(said) & forms)


def _last_part(piece: str) -> str:
    return piece.rpartition("-")[2]


def _forms(words: Iterable[str]) -> frozenset[str]:
    return frozenset().union(*(base_forms(word) for word in words))
