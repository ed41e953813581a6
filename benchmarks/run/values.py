"""What goes through a run: tasks, their outcomes, and the results of all tasks by id."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

Results = Mapping[str, dict]
"""By task id. A result with the key "error" is a task that could not be done: a bad row, in words."""


@dataclass(frozen=True)
class Task:
    """`id` is unique, stays the same from run to run, and can be a file name; "/" makes folders. `payload` is JSON.

    `pictures`: how many it makes, for the progress bar.
    """

    id: str
    payload: dict
    pictures: int


@dataclass(frozen=True)
class Outcome:
    """`result` is JSON. `pictures` by name, uint8 (H, W, 3), are stored for contact sheets; see `Store.picture_name`."""

    result: dict
    pictures: Mapping[str, np.ndarray] = field(default_factory=dict)


def chunks(items: Sequence, size: int) -> Iterator[Sequence]:
    """`items` in order, `size` at a time; fewer in the last."""
    return (items[i : i + size] for i in range(0, len(items), size))


def folder_name(text: str) -> str:
    """`text` as a part of a task's id."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")


def pixels_digest(picture: np.ndarray) -> str:
    """Of a picture's bytes: equal digests are equal pictures."""
    return hashlib.sha256(picture.tobytes()).hexdigest()[:16]
