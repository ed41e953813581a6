"""The world's words as CLIP tokens, which the text encoder has embeddings for."""

import re

from smallmodel.tokens import END, token_ids

from . import captions
from .captions import with_article
from .colours import COLOURS
from .grounds import GROUNDS
from .professions import PROFESSIONS
from .things import THINGS, plural

BEGIN = 49406


def phrases() -> list[str]:
    """Texts that hold every word of the grammar, each beside what may stand beside it."""
    patterns = (
        *captions.WITH_GROUND,
        *captions.WITHOUT_GROUND,
        *captions.COLOURED,
        *captions.WOMEN,
        *captions.MEN,
        *captions.TWO,
        *(pattern for counted in captions.COUNTS.values() for pattern in counted),
    )
    fixed = [re.sub(r"\{\w+\}", " ", pattern) for pattern in patterns]
    named = [word for one in (*THINGS, *PROFESSIONS) for word in (one.noun, *one.synonyms)]
    grounds = [words for ground in GROUNDS for words in ground.words]
    return [
        *fixed,
        *("is are women men who are women",),
        *COLOURS,
        *grounds,
        *captions.SKIN.values(),
        *map(with_article, named),
        *map(plural, named),
    ]


def vocabulary() -> list[int]:
    """The ids of all tokens in the world's captions: begin and end first, then in order of appearance."""
    ids = [BEGIN, END]
    for text in phrases():
        ids += [token for token in token_ids(" ".join(text.split()))[1:] if token not in ids]
    return list(dict.fromkeys(ids))
