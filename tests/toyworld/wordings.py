"""The toy world's judges: the largest object and its colour, read from the pixels; and its own CLIP."""

import re
from collections.abc import Sequence

import numpy as np

from benchmarks.judges.clip import ClipJudge
from tools.comfyui.library import comfyui_path

from .judge import judge
from .world import ASSUMED_COLOUR, COLOURS, OBJECTS, plural


class ToyJudge:
    """A wording fits a picture (1, else 0) if the object has the colour that it names, or else the one the object is known for.

    Between wordings of different objects it must be the named object, too. A third colour or object fits neither of two
    wordings, so that an edit that only spoils the picture does not count: stricter than the two-way test of CLIP.
    """

    cosines = False
    structure = None
    colours = tuple(COLOURS)

    def scores(self, pictures: np.ndarray, wordings: Sequence[str]) -> np.ndarray:
        """(pictures, wordings) of uint8 (n, H, W, 3). Raises ValueError for a wording that says nothing about a colour."""
        colours = [colour_of(wording) for wording in wordings]
        objects = [object_of(wording) for wording in wordings]
        if len(set(objects)) == 1:
            objects = [None] * len(objects)
        seen = [judge(picture.astype(np.float32) / 255) for picture in pictures]
        wanted = list(zip(colours, objects, strict=True))
        return np.array([[float(v.colour == colour and noun in (None, v.noun)) for colour, noun in wanted] for v in seen])


def toy_clip_judge() -> ClipJudge:
    """The toy world's CLIP in its narrow form, a hundred times as fast."""
    from .clip_host import narrow_text_half, narrow_vision_half

    return ClipJudge(narrow_text_half(comfyui_path() / "models"), narrow_vision_half(), patches=False)


def colour_of(wording: str) -> str:
    """The colour that a wording names or implies, in the toy world."""
    named = [word for word in _words(wording) if word in COLOURS]
    if named:
        return named[0]
    noun = object_of(wording)
    if noun:
        return ASSUMED_COLOUR[noun]
    raise ValueError(f"{wording!r} names no colour and no object of the toy world, so its judge cannot tell; use --judge clip.")


def object_of(wording: str) -> str | None:
    """The object that a wording names, in the toy world."""
    words = _words(wording)
    return next((noun for noun in OBJECTS if noun in words or plural(noun) in words), None)


def _words(wording: str) -> list[str]:
    return re.findall(r"[a-z]+", wording.lower())
