"""Scenes: what is in a picture and what its caption says of it, drawn at random by a seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from .colours import COLOURS
from .grounds import BY_KIND, GROUNDS, PLAIN
from .pictures import STYLES
from .professions import GENDERS, PROFESSIONS, SHARE_OF_NEUTRAL, SHARE_OF_SKIN_TONES, SKIN_TONES, Profession
from .things import THINGS, Thing

T = TypeVar("T")

KINDS = ("one", "two", "several")  # one thing; two different ones; two to four of one
SHARE_OF_KINDS = (0.55, 0.3, 0.15)
SHARE_OF_PEOPLE = 0.2
SHARE_OF_NAMED_COLOURS = 0.4
SHARE_OF_OTHER_COLOURS = 0.03  # of things whose colour is not named: these have another colour than their natural one
SHARE_OF_NAMED_GENDERS = 0.35
SHARE_OF_NAMED_SKIN = 0.1
SHARE_OF_SYNONYMS = 0.25
SHARE_OF_PLAIN = 0.45
SHARE_OF_NAMED_PLAIN = 0.1  # of plain grounds
SHARE_OF_NAMED_GROUNDS = 0.95  # of the others
SHARE_OF_STYLES = (0.6, 0.4)
MOST = 4  # of one thing

# Scenes of different splits never share a seed.
SPLITS = {"train": 0, "validation": 1_000_000_000, "test": 2_000_000_000}
SEEDS_IN_A_SPLIT = 1_000_000_000


@dataclass(frozen=True)
class Subject:
    """A thing or a person; `says_...`: whether the caption tells it. `word` is 0 for the noun, n for the nth synonym.

    A thing has `colour`, which is None where the world does not turn it; a person has `gender` and `skin_tone`.
    """

    of: Thing | Profession
    colour: str | None = None
    says_colour: bool = False
    gender: str | None = None
    says_gender: bool = False
    skin_tone: str | None = None
    says_skin: bool = False
    word: int = 0
    style: str = STYLES[0]

    @property
    def noun(self) -> str:
        return self.of.noun

    @property
    def called(self) -> str:
        return self.of.synonyms[self.word - 1] if self.word else self.of.noun


@dataclass(frozen=True)
class Scene:
    """`subjects`: one, or two that stand left and right of one another; `count` of the only one.

    `wording` seeds the choice of the caption's pattern among those that fit.
    """

    subjects: tuple[Subject, ...]
    count: int = 1
    ground: str = PLAIN
    source: str = "drawn"
    says_ground: bool = False
    ground_word: int = 0
    wording: int = 0

    def __post_init__(self):
        if len(self.subjects) not in (1, 2) or not 1 <= self.count <= MOST or (len(self.subjects) == 2 and self.count > 1):
            raise ValueError(f"A scene has one subject, up to {MOST} of one, or two different ones.")


def seed_of(split: str, index: int) -> int:
    """The seed of a split's scene number `index`.

    Raises:
        ValueError: there is no such split, or the index leaves it.
    """
    if split not in SPLITS or not 0 <= index < SEEDS_IN_A_SPLIT:
        raise ValueError(f"Splits are {', '.join(SPLITS)}, with indices from 0 to {SEEDS_IN_A_SPLIT - 1}.")
    return SPLITS[split] + index


def one_of(rng: np.random.RandomState, several: Sequence[T]) -> T:
    return several[rng.randint(len(several))]


def random_thing(rng: np.random.RandomState) -> Subject:
    thing = one_of(rng, THINGS)
    names = rng.rand() < SHARE_OF_NAMED_COLOURS
    other = names or rng.rand() < SHARE_OF_OTHER_COLOURS
    any_colour = one_of(rng, list(COLOURS))
    word = _word(rng, thing.synonyms)
    style = STYLES[rng.choice(len(STYLES), p=SHARE_OF_STYLES)]
    if thing.colour is None:
        return Subject(thing, word=word, style=style)
    return Subject(thing, any_colour if other else thing.colour, names, word=word, style=style)


def random_person(rng: np.random.RandomState) -> Subject:
    """Woman and man are told equally often; where neither is, the profession's share decides who is drawn."""
    profession = one_of(rng, PROFESSIONS)
    says_gender = rng.rand() < SHARE_OF_NAMED_GENDERS
    neutral = not says_gender and rng.rand() < SHARE_OF_NEUTRAL
    woman = rng.rand() < (0.5 if says_gender else profession.women)
    gender = GENDERS[2 if neutral else 0 if woman else 1]
    says_skin = rng.rand() < SHARE_OF_NAMED_SKIN
    tone = SKIN_TONES[rng.choice(len(SKIN_TONES), p=SHARE_OF_SKIN_TONES)]
    word = _word(rng, profession.synonyms)
    style = STYLES[rng.choice(len(STYLES), p=SHARE_OF_STYLES)]
    return Subject(
        profession, gender=gender, says_gender=says_gender, skin_tone=tone, says_skin=says_skin, word=word, style=style
    )


def random_scene(rng: np.random.RandomState) -> Scene:
    """A scene from the distribution that is learned."""
    kind = KINDS[rng.choice(len(KINDS), p=SHARE_OF_KINDS)]
    subjects = [_random_subject(rng)]
    while kind == "two" and len(subjects) < 2:
        other = _random_subject(rng)
        if other.noun != subjects[0].noun:
            subjects.append(other)
    count = 2 + rng.randint(MOST - 1) if kind == "several" else 1
    is_plain = rng.rand() < SHARE_OF_PLAIN
    ground = GROUNDS[0] if is_plain else one_of(rng, GROUNDS[1:])
    source = one_of(rng, ground.sources)
    says = rng.rand() < (SHARE_OF_NAMED_PLAIN if is_plain else SHARE_OF_NAMED_GROUNDS)
    return Scene(
        tuple(subjects), count, ground.kind, source, says, rng.randint(len(BY_KIND[ground.kind].words)), rng.randint(2**31 - 1)
    )


def _random_subject(rng: np.random.RandomState) -> Subject:
    return random_person(rng) if rng.rand() < SHARE_OF_PEOPLE else random_thing(rng)


def _word(rng: np.random.RandomState, synonyms: tuple[str, ...]) -> int:
    return 1 + rng.randint(len(synonyms)) if synonyms and rng.rand() < SHARE_OF_SYNONYMS else 0
