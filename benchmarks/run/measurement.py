"""What a measurement is: its options, its tasks, the work of one task, and a report of all results.

A task is a batch of pictures, seconds of work. Its result is a function of the measurement's settings and the task alone, so
that one process, several, and a cluster give the same bytes, and a run that was killed goes on where it was.
"""

import hashlib
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from ..hosts.library import Sampling
from ..report.report import Report

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


class Workplace:
    """Where a task is done: `host` makes pictures (see benchmarks/hosts), `judge` scores them (see benchmarks/judges)."""

    host: Any = None
    judge: Any = None

    def __init__(self):
        self._cache: dict[Any, Any] = {}

    def cache(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` returned for this key, made once in this process."""
        if key not in self._cache:
            self._cache[key] = make()
        return self._cache[key]


def option(text: str, default: Any = MISSING, decides: bool = True, **how) -> Any:
    """A field that the command line gives as --name; without a default by its place.

    Args:
        text: of --help, to which the default is added.
        default: False makes a switch; () is of what may be given several times.
        decides: do results depend on it?
        how: of `add_argument`, such as `type` where the default does not tell.
    """
    return field(default=default, metadata={"help": text, "how": how, "decides": decides})


def add_options(parser: ArgumentParser, kind: type) -> None:
    for one in _options(kind):
        how, default, text = dict(one.metadata["how"]), one.default, one.metadata["help"].replace("%", "%%")
        if default is MISSING:
            parser.add_argument(one.name, help=text, **how)
            continue
        if default is False:
            how["action"] = "store_true"
        elif default not in (None, (), ""):
            how = {"type": type(default)} | how
            text += f" ({' '.join(map(str, default if isinstance(default, tuple) else [default]))})"
        default = [] if how.get("action") == "append" else default
        parser.add_argument(f"--{one.name.replace('_', '-')}", default=default, help=text, **how)


def _options(kind: type) -> list[Field]:
    return [one for one in fields(kind) if "help" in one.metadata]


class Measurement:
    """The base of all: a frozen dataclass, whose options are the command's. It is sent to every worker with what it has read,
    so it must be picklable.

    Attributes:
        name: of the command.
        sampling: None if the command line says how pictures are made; else how the toy world's are.
        from_noise: are pictures sampled from noise, or edited by nodes with samplers of their own?
        threads: of a worker on a CPU; 0 is torch's choice.
    """

    name: ClassVar[str]
    sampling: ClassVar[Sampling | None] = None
    from_noise: ClassVar[bool] = True
    threads: ClassVar[int] = 1

    @classmethod
    def from_arguments(cls, args: Namespace) -> Self:
        """Raises ValueError for what cannot be measured; files are read here, before any work begins."""
        given = {one.name: getattr(args, one.name) for one in _options(cls)}
        made = cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})
        made.next_tasks({})
        return made

    def settings(self) -> dict:
        """All that decides the results, as JSON. A run that goes on must have the same."""
        return plain(self)

    def next_tasks(self, results: Results) -> list[Task]:
        """All tasks that can be done now, done ones included; more may follow from their results. A function of `results`."""
        raise NotImplementedError

    def prepare(self, worker: Workplace) -> Any:
        """Open what the work needs beside host and judge, once a worker. An error ends the run."""

    def work(self, worker: Workplace, task: Task) -> Outcome:
        """Make and judge the pictures of one task. A ValueError says what is wrong with the row and becomes its result."""
        raise NotImplementedError

    def report(self, results: Results) -> Report:
        """Tables, plots and contact sheets of all results."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class PaperMeasurement(Measurement):
    """The base of what follows a paper, on any checkpoint."""

    rows: int | None = option("measure the first N rows only", None, type=int, metavar="N")
    pictures_per_task: int = option("pictures in one task, which is done again if killed", 8)


def plain(value: Any) -> Any:
    """Dataclasses as dicts of the fields that decide, files as name, size and SHA-256; else as JSON has it."""
    if is_dataclass(value):
        decisive = [field.name for field in fields(value) if field.metadata.get("decides", True)]
        return {name: plain(getattr(value, name)) for name in decisive}
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    return fingerprint(value) if isinstance(value, Path) else value


def fingerprint(file: Path) -> dict:
    """Name, size and SHA-256 of a file; its folder may be another one on another machine."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"name": file.name, "bytes": file.stat().st_size, "sha256": digest}


def chunks(items: Sequence, size: int) -> Iterator[Sequence]:
    """`items` in order, `size` at a time; fewer in the last."""
    return (items[i : i + size] for i in range(0, len(items), size))


def folder_name(text: str) -> str:
    """`text` as a part of a task's id."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")
