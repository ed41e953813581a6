"""What a measurement is: tasks, the work of one task, and a report of all results.

A task is a batch of pictures, seconds of work. Its result is a function of the measurement's settings and the task alone, so
that one process, several, and a cluster give the same bytes, and a run that was killed goes on where it was.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..bootstrap import Estimate

if TYPE_CHECKING:
    from .worker import Worker

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


def show(value, percent: bool = False) -> str:
    """A cell in words: numbers short, shares in percent, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, Estimate):
        numbers = [_number(x, percent) for x in astuple(value) if x is not None]
        mean, *spread = numbers
        around = " ± {} [{}, {}]".format(*spread) if spread else ""
        return mean + around + (" %" if percent else "")
    if isinstance(value, float):
        return _number(value, percent) + " %" if percent else _number(value)
    return str(value)


def _number(value: float, percent: bool = False) -> str:
    return f"{100 * value:.2f}" if percent else f"{value:.4g}"


@dataclass(frozen=True)
class Table:
    """`rows` of a `title`; every row is a dict of cells by column.

    With `percent` fractional numbers are shares and shown in percent, but for the columns in `plain`.
    """

    title: str
    rows: Sequence[Mapping[str, object]]
    note: str = ""
    percent: bool = False
    plain: Sequence[str] = ()

    def cell(self, row: Mapping[str, object], column: str) -> str:
        """A cell in words, for a reader."""
        return show(row.get(column), self.percent and column not in self.plain)


@dataclass(frozen=True)
class Plot:
    """Curves by name, (x values, y values) each."""

    title: str
    x_label: str
    y_label: str
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    log_x: bool = False


@dataclass(frozen=True)
class Sheet:
    """Stored pictures in rows; a cell is the picture's (task id, name) or None, `columns` are the headings."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[tuple[str, str] | None]]]


@dataclass(frozen=True)
class Report:
    """What is written at the end: `records` one a picture, `tables` of them, and what a reader wants to see."""

    title: str
    summary: Sequence[str]
    tables: Sequence[Table]
    records: Sequence[Mapping[str, object]] = ()
    plots: Sequence[Plot] = ()
    sheets: Sequence[Sheet] = ()
    problems: Sequence[str] = ()


class Measurement(Protocol):
    """Built from the command line; sent to every worker, so it must be picklable."""

    name: str

    def settings(self) -> dict:
        """All that decides the results, as JSON. A run that goes on must have the same."""

    def next_tasks(self, results: Results) -> list[Task]:
        """All tasks that can be done now, done ones included; more may follow from their results. A function of `results`."""

    def prepare(self, worker: Worker) -> None:
        """Open what the work needs beside host and judge, once a worker. A ValueError ends the run."""

    def work(self, worker: Worker, task: Task) -> Outcome:
        """Make and judge the pictures of one task. A ValueError says what is wrong with the row and becomes its result."""

    def report(self, results: Results) -> Report:
        """Tables, plots and contact sheets of all results."""
