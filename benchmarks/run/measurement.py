"""What a measurement is: tasks, the work of one task, and a report of all results.

A task is a batch of pictures, seconds of work. Its result is a function of the measurement's settings and the task alone, so
that one process, several, and a cluster give the same bytes, and a run that was killed goes on where it was.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from ..hosts.sampling import Sampling
from ..report.report import Report
from .manifest import fingerprint
from .values import Outcome, Results, Task

NOT_DECISIVE = {"decides": False}
"""Metadata of a dataclass's field that no result depends on."""


class Workplace(Protocol):
    """Where a task is done: `host` makes pictures (see benchmarks/hosts), `judge` scores them (see benchmarks/judges)."""

    host: Any
    judge: Any

    def cache(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` returned for this key, made once in this process."""


class Measurement:
    """The base of all: a frozen dataclass, built from the command line and sent to every worker, so it must be picklable.

    Attributes:
        name: of the command.
        sampling: None if the command line says how pictures are made; else how the toy world's are.
        threads: of a worker on a CPU; 0 is torch's choice.
    """

    name: ClassVar[str]
    sampling: ClassVar[Sampling | None] = None
    threads: ClassVar[int] = 1

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        """Its own options, beside those of every run."""

    @classmethod
    def from_arguments(cls, args: Namespace) -> Self:
        """Raises ValueError for what cannot be measured."""
        raise NotImplementedError

    def settings(self) -> dict:
        """All that decides the results, as JSON. A run that goes on must have the same."""
        return plain(self)

    def next_tasks(self, results: Results) -> list[Task]:
        """All tasks that can be done now, done ones included; more may follow from their results. A function of `results`."""
        raise NotImplementedError

    def prepare(self, worker: Workplace) -> None:
        """Open what the work needs beside host and judge, once a worker. A ValueError ends the run."""

    def work(self, worker: Workplace, task: Task) -> Outcome:
        """Make and judge the pictures of one task. A ValueError says what is wrong with the row and becomes its result."""
        raise NotImplementedError

    def report(self, results: Results) -> Report:
        """Tables, plots and contact sheets of all results."""
        raise NotImplementedError


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
