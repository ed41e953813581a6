"""Whether a text encoder is the model's own, as far as the host can tell.

Rows of the right width fit a model whoever made them. Nothing in a model says which weights made those that it was trained
with, only of which kind they were, and where the host has loaded it from.
"""

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ..prompts.text import TextReader


def doubt(model: Any, encoder: str, clip: Any = None) -> str:
    """A sentence for the user if text by this encoder may mean nothing to a MODEL; "" where there is no reason for one.

    `encoder` is as in Fingerprint; `clip` is the host's CLIP where there is one.
    """
    own = _encoders_of(model)
    if own and not set(own) & set(encoder.split("+")):
        return (
            f"Warning: the text encoder is {encoder}, and a {type(model.model).__name__} was trained with {'+'.join(own)}. "
            "Their rows are of one width, and mean different things; connect the clip that belongs to the model."
        )
    here, there = _checkpoint(model), _checkpoint(getattr(clip, "patcher", None))
    if here and there and here != there:
        return (
            f"Note: model is from {Path(here).name}, and clip from {Path(there).name}; the edit holds if the model was trained "
            "with this text encoder."
        )
    return ""


def _encoders_of(model: Any) -> tuple[str, ...]:
    """The names of the encoders that the host loads with a checkpoint of this kind; none if it does not know."""
    try:
        return _names(model.model.model_config.clip_target(state_dict={}).tokenizer)
    except Exception:  # every family has a way of its own to say it, some of them only by weights that are not here
        return ()


@cache
def _names(tokenizer: type) -> tuple[str, ...]:
    made = tokenizer()
    return tuple(track.encoder for track in TextReader(SimpleNamespace(tokenize=made.tokenize_with_weights)).tracks(""))


def _checkpoint(patcher: Any) -> str:
    """The file that a patcher comes from, if it is a whole checkpoint."""
    load, (path, *_), *_ = getattr(patcher, "cached_patcher_init", None) or (None, ("",))
    return str(path) if getattr(load, "__name__", "").startswith("load_checkpoint") else ""
