"""Everyday captions of this world for TIME Prior: they name no thing whose colour can be edited, and no colour."""

import numpy as np

from .captions import caption
from .reading import read
from .scenes import random_scene, seed_of
from .things import COLOURED

TESTED = {thing.noun for thing in COLOURED}


def everyday(count: int = 500) -> tuple[str, ...]:
    """`count` different captions of the pictures that the model was trained on, those of things that no edit asks about."""
    found: dict[str, None] = {}
    index = 0
    while len(found) < count:
        text = caption(random_scene(np.random.RandomState(seed_of("train", index))))
        named = read(text)
        if not named.colours and TESTED.isdisjoint(named.nouns):
            found[text] = None
        index += 1
    return tuple(found)
