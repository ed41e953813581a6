"""The toy world's judge: the colour of the largest object, read from the pixels."""

import re
from collections.abc import Sequence

import numpy as np


class ToyJudge:
    """A wording fits a picture (1, else 0) if the object has the colour that it names, or else the one the object is known for.

    A third colour fits neither of two wordings, so that an edit that only spoils the colour does not count: stricter than
    the two-way test of CLIP.
    """

    name = "toy world, colour of the pixels"

    def scores(self, pictures: np.ndarray, wordings: Sequence[str]) -> np.ndarray:
        """(pictures, wordings) of uint8 (n, H, W, 3). Raises ValueError for a wording that says nothing about a colour."""
        from toyworld.judge import judge

        wanted = [colour_of(wording) for wording in wordings]
        seen = [judge(picture.astype(np.float32) / 255).colour for picture in pictures]
        return np.array([[float(colour == one) for one in wanted] for colour in seen])


def colour_of(wording: str) -> str:
    """The colour that a wording names or implies, in the toy world."""
    from toyworld.world import ASSUMED_COLOUR, COLOURS, plural

    words = re.findall(r"[a-z]+", wording.lower())
    named = [word for word in words if word in COLOURS]
    if named:
        return named[0]
    for noun, colour in ASSUMED_COLOUR.items():
        if noun in words or plural(noun) in words:
            return colour
    raise ValueError(f"{wording!r} names no colour and no object of the toy world, so its judge cannot tell; use --judge clip.")
