"""The grammar: a scene in words. Each part is a tuple of patterns; the scene's `wording` chooses among those that fit."""

import numpy as np

from .grounds import BY_KIND
from .scenes import Scene, Subject, one_of
from .things import plural

# {it} is the phrase for what is there, {is} its verb, {where} the ground. The first pattern is the most frequent one.
WITH_GROUND = (
    "{it} {where}",
    "a photo of {it} {where}",
    "a picture of {it} {where}",
    "an image of {it} {where}",
    "a drawing of {it} {where}",
    "an illustration of {it} {where}",
    "there {is} {it} {where}",
    "{where} there {is} {it}",
    "{where}, {it}",
    "{where} you see {it}",
    "look, {it} {where}",
    "a picture that shows {it} {where}",
)
WITHOUT_GROUND = (
    "{it}",
    "a photo of {it}",
    "a picture of {it}",
    "an image of {it}",
    "a drawing of {it}",
    "an illustration of {it}",
    "there {is} {it}",
    "here {is} {it}",
    "you see {it}",
    "look, {it}",
    "a picture that shows {it}",
)
SHARE_OF_FIRST_SENTENCE = 0.3

COLOURED = ("{colour} {noun}", "{noun} in {colour}", "{noun} that {is} {colour}")
SHARE_OF_COLOURED = (0.76, 0.12, 0.12)

WOMEN = ("woman {noun}", "female {noun}", "{noun} who {is} a woman")
MEN = ("man {noun}", "male {noun}", "{noun} who {is} a man")
SKIN = {
    "light": "with light skin",
    "medium-light": "with rather light skin",
    "medium": "with tan skin",
    "medium-dark": "with rather dark skin",
    "dark": "with dark skin",
}

TWO = (  # in a picture, {left} is to the left of {right}
    "{left} and {right}",
    "{right} and {left}",
    "{left} next to {right}",
    "{right} next to {left}",
    "{left} beside {right}",
    "{right} beside {left}",
    "{left} with {right}",
    "{left} to the left of {right}",
    "{right} to the right of {left}",
)
COUNTS = {2: ("two {many}", "a pair of {many}"), 3: ("three {many}", "several {many}"), 4: ("four {many}", "several {many}")}
VOWELS = "aeiou"


def caption(scene: Scene) -> str:
    """The scene in words; the same scene always gets the same ones."""
    rng = np.random.RandomState(scene.wording)
    where = BY_KIND[scene.ground].words[scene.ground_word] if scene.says_ground else ""
    sentences = WITH_GROUND if where else WITHOUT_GROUND
    rest = len(sentences) - 1
    odds = [SHARE_OF_FIRST_SENTENCE, *[(1 - SHARE_OF_FIRST_SENTENCE) / rest] * rest]
    sentence = sentences[rng.choice(len(sentences), p=odds)]
    phrases = [phrase(rng, subject, scene.count) for subject in scene.subjects]
    it = phrases[0] if len(phrases) == 1 else one_of(rng, TWO).format(left=phrases[0], right=phrases[1])
    several = scene.count > 1 and not it.startswith("a ")
    return sentence.format(it=it, where=where, **{"is": "are" if several else "is"})


def phrase(rng: np.random.RandomState, subject: Subject, count: int = 1) -> str:
    """ "a blue rose", "three roses in blue", "a woman nurse with dark skin": with its article or number."""
    many = count > 1
    noun = plural(subject.called) if many else subject.called
    if subject.gender in ("woman", "man") and subject.says_gender:
        noun = gendered(rng, noun, subject.gender, many)
    verb = "are" if many else "is"
    if subject.says_colour:
        pattern = COLOURED[rng.choice(len(COLOURED), p=SHARE_OF_COLOURED)]
        noun = pattern.format(noun=noun, colour=subject.colour, **{"is": verb})
    if subject.says_skin:
        noun = f"{noun} {SKIN[subject.skin_tone]}"
    return one_of(rng, COUNTS[count]).format(many=noun) if many else with_article(noun)


def gendered(rng: np.random.RandomState, noun: str, gender: str, many: bool) -> str:
    pattern = one_of(rng, WOMEN if gender == "woman" else MEN)
    if many:
        pattern = pattern.replace("a woman", "women").replace("a man", "men")
        if pattern.startswith(("woman ", "man ")):
            pattern = pattern.replace("man ", "men ", 1)
    return pattern.format(noun=noun, **{"is": "are" if many else "is"})


def with_article(noun: str) -> str:
    starts_like_a_vowel = noun[0] in VOWELS and not noun.startswith("unicorn")
    return f"{'an' if starts_like_a_vowel else 'a'} {noun}"
