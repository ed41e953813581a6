"""Words as a prompt has them: what it is about, and where a word stands in it, in any inflection.

By rules of English spelling, without a dictionary; other languages match by the words as they are written.
"""

import re
from itertools import pairwise

EMBEDDING = re.compile(r"(?<!\S)\(*embedding:\S+")
WORD = re.compile(r"\w+(?:['\u2019]\w+)*")
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")  # scripts that put no blanks between words


def words_of(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that name nothing by themselves.
FUNCTION_WORDS = words_of("""
a an the this that these those some any every each no my your his her its our their and or but nor of in on at by with without
from to into onto over under above below beside between behind before after near through for as is are was were be been being
has have having do does it he she they we i you who which what very one two three four five many several few
""")
# What stands before "of" and says how something is shown or counted: "an oil painting of", "a pack of".
FRAMES = words_of("""
photo photograph picture image painting drawing sketch illustration rendering render portrait poster closeup pack pair bunch
bouquet group set piece lot kind type sort bowl cup glass plate basket box bottle
""")
IRREGULAR = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "people": "person",
    "mice": "mouse",
    "geese": "goose",
    "feet": "foot",
    "teeth": "tooth",
    "oxen": "ox",
    "dice": "die",
    "cacti": "cactus",
    "fungi": "fungus",
}
UNINFLECTED = frozenset({"news"})
VOWEL = re.compile("[aeiouy]")
SHORTEST = 3  # letters that a base form keeps


def without_embeddings(text: str) -> str:
    """`text` without "embedding:name", whose name says nothing."""
    return EMBEDDING.sub(" ", text)


def content_words(source: str) -> tuple[str, ...]:
    """The words of a prompt that say what it is about, at least one if it has any words, in lower case."""
    words = [match.group().lower() for match in WORD.finditer(source)]
    subject = words
    for place, (word, after) in enumerate(pairwise(words)):
        if after == "of" and base_forms(word) & FRAMES:
            subject = words[place + 2 :]
    named = [[word for word in some if word not in FUNCTION_WORDS] for some in (subject, words)]
    return tuple(dict.fromkeys(named[0] or named[1] or words))


def written(text: str, phrase: str) -> str:
    """Where `phrase` stands in `text`, in any inflection and with nothing between its words; "" if it does not."""
    if UNSPACED.search(phrase):
        return phrase if phrase.lower() in text.lower() else ""
    wanted = [base_forms(match.group()) for match in WORD.finditer(phrase)]
    there = list(WORD.finditer(text))
    for start in range(len(there) - len(wanted) + 1 if wanted else 0):
        run = there[start : start + len(wanted)]
        if all(base_forms(match.group()) & forms for match, forms in zip(run, wanted, strict=True)):
            return text[run[0].start() : run[-1].end()]
    return ""


def base_forms(word: str) -> frozenset[str]:
    """What `word` may be an inflection of, itself included: two words of a common form count as the same."""
    word = re.sub(r"['\u2019]s?$", "", word.lower().replace("\u2019", "'"))
    forms = {word, IRREGULAR.get(word, word)}
    if word in UNINFLECTED:
        return frozenset(forms)
    for ending, others in (
        ("ies", ("y", "ie")),
        ("ves", ("f", "fe", "ve")),
        ("es", ("", "e")),
        ("s", ("",)),
        ("ing", ("", "e")),
        ("ed", ("", "e")),
    ):
        if word.endswith(ending) and not word.endswith(("ss", "us")):
            stem = word.removesuffix(ending)
            if ending in ("ing", "ed") and not _may_be_a_verb(stem, ending):
                continue
            forms |= {stem + other for other in others if len(stem + other) >= SHORTEST}
            if ending in ("ing", "ed") and len(stem) > SHORTEST and stem[-1] == stem[-2]:
                forms.add(stem[:-1])  # running
    return frozenset(form for form in forms if form == word or form not in FUNCTION_WORDS)


def _may_be_a_verb(stem: str, ending: str) -> bool:
    """Neither "thing" nor "shed", whose stems have no vowel, nor "seed", whose first vowels are the ending's."""
    before = stem.removesuffix("e") if ending == "ed" else stem
    return VOWEL.search(before) is not None
