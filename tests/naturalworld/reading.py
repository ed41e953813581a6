"""Reading a caption back: what it names. For tests, and for whatever has to know what a prompt asks for."""

import re
from dataclasses import dataclass
from functools import cache

from .captions import COUNTS, SKIN
from .colours import COLOURS
from .grounds import GROUNDS
from .professions import PROFESSIONS
from .things import THINGS, plural

GENDER_WORDS = {
    "woman": "woman", "women": "woman", "female": "woman", "man": "man", "men": "man", "male": "man",
}  # fmt: skip


@dataclass(frozen=True)
class Named:
    """What a caption names, in the order of its words; `numbers` are its words for more than one."""

    nouns: tuple[str, ...]
    colours: tuple[str, ...]
    genders: tuple[str, ...]
    skin_tones: tuple[str, ...]
    grounds: tuple[str, ...]
    numbers: tuple[str, ...]


@cache
def _meanings() -> dict[str, tuple[str, str]]:
    """{words: (field of Named, what they name)}."""
    found = {}
    for one in (*THINGS, *PROFESSIONS):
        for words in (one.noun, *one.synonyms):
            found[words] = found[plural(words)] = ("nouns", one.noun)
    found |= {colour: ("colours", colour) for colour in COLOURS}
    found |= {word: ("genders", gender) for word, gender in GENDER_WORDS.items()}
    found |= {words: ("skin_tones", tone) for tone, words in SKIN.items()}
    found |= {words: ("grounds", ground.kind) for ground in GROUNDS for words in ground.words}
    numbers = {pattern.replace(" {many}", "") for patterns in COUNTS.values() for pattern in patterns}
    return found | {words: ("numbers", words) for words in numbers}


@cache
def _longest_first() -> re.Pattern:
    words = sorted(_meanings(), key=len, reverse=True)
    return re.compile(r"(?<![\w-])(" + "|".join(map(re.escape, words)) + r")(?![\w-])")


def read(caption: str) -> Named:
    """What a caption names; where one name lies in another one, the longer is meant ("teddy bear" names no bear)."""
    found: dict[str, list[str]] = {field: [] for field in Named.__dataclass_fields__}
    for match in _longest_first().finditer(caption):
        field, meant = _meanings()[match[1]]
        found[field].append(meant)
    return Named(**{field: tuple(names) for field, names in found.items()})
