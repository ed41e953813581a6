"""Which prompts an edit is for: those in which its source's own words occur, and which do not say otherwise themselves.

An edit of the text that is only made where these words stand is silent everywhere else by construction, as methods that change
a word's own embedding are (EmbEdit, arXiv 2412.03400). Words are compared by what may be their base forms, by rules of English
spelling without a dictionary; other languages match by the words as they are written.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..prompts.alternatives import said_instead
from ..prompts.pairs import Pair
from ..prompts.words import content_words, without_embeddings, written

RULES = ("all source words", "any source word", "always")


@dataclass(frozen=True)
class WordGate:
    """When an edit wakes.

    Attributes:
        rule: one of RULES: all content words of one of the sources occur, or any, or it is always awake.
        synonyms: words or phrases that wake it as well.
        alternatives: words that put it to sleep where the prompt says them of the source's own thing, besides those of the
            kinds in `prompts.alternatives`; None: nothing that a prompt says does.
    """

    rule: str = RULES[0]
    synonyms: tuple[str, ...] = ()
    alternatives: tuple[str, ...] | None = ()

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ValueError(f"wake is {self.rule!r}; it must be one of {', '.join(RULES)}.")

    def woken_by(self, text: str, sources: Sequence[str]) -> tuple[str, ...]:
        """The words of `text`, as they are written there, that wake an edit of `sources`; () if none do.

        Under the rule "always" these may be none too; ask `woken`.
        """
        text = without_embeddings(text)
        found: dict[str, None] = {}
        for source in sources:
            words = content_words(source)
            matches = [written(text, word) for word in words]
            if all(matches) or self.rule == RULES[1]:
                found |= dict.fromkeys(match for match in matches if match)
        for phrase in self.synonyms:
            if match := written(text, phrase):
                found[match] = None
        return tuple(found)

    def put_to_sleep_by(self, text: str, pairs: Sequence[Pair]) -> str:
        """The word by which `text` says itself what one of `pairs` would assume otherwise; "" if none does."""
        if self.alternatives is None:
            return ""
        said = (said_instead(text, pair, self.synonyms, self.alternatives) for pair in pairs)
        return next(filter(None, said), "")

    def woken(self, text: str, pairs: Sequence[Pair]) -> tuple[Pair, ...]:
        """Those of `pairs` that `text` is about; a synonym wakes all."""
        return tuple(pair for pair in pairs if self.rule == RULES[2] or self.woken_by(text, [pair.source]))

    def awake(self, text: str, pairs: Sequence[Pair]) -> tuple[Pair, ...]:
        """Those of `pairs` that act on `text`: it wakes them, and does not say otherwise itself."""
        return tuple(pair for pair in self.woken(text, pairs) if not self.put_to_sleep_by(text, [pair]))


def parse_synonyms(text: str) -> tuple[str, ...]:
    """Words and phrases, separated by commas or lines."""
    return tuple(dict.fromkeys(part.strip() for part in re.split(r"[,\n\u3001\uff0c]", text) if part.strip()))


def parse_words(text: str) -> tuple[str, ...]:
    """Words, separated by commas, blanks or lines."""
    return tuple(dict.fromkeys(filter(None, re.split(r"[\s,\u3001\uff0c]+", text))))
