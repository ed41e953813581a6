"""A run: the configurations in order, in the time that there is, one at a time; what is known is kept at once."""

import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from .bounds import exceeded
from .configurations import CPU, DYNAMIC, STATIC, Configuration, Effort
from .worker import ENDED, FAILED, MACHINE, Answer, Checkpoint, Measured, Reference, serve

NO_TIME = "time was up"
GRACE = 3.0  # seconds


class Failed(Exception):
    """What was asked for could not be had; its text says why."""


class Colleague(Protocol):
    """Whoever does an order; see WorkerProcess."""

    def answers(self, order: Checkpoint | None, until: float) -> Iterator[Answer]:
        """Raises Failed if it ends by itself, or when it is `until` (of time.monotonic)."""
        ...

    def stop(self) -> None: ...


class WorkerProcess:
    """A process with a host of its own, which begins to start at once."""

    def __init__(self, start: str):
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, start), daemon=True)
        self.process.start()
        theirs.close()

    def answers(self, order: Checkpoint | None, until: float) -> Iterator[Answer]:
        """`order` None: what it says of itself when it has started."""
        try:
            if order is not None:
                self.connection.send(order)
            while True:
                if not self.connection.poll(max(0.0, until - time.monotonic())):
                    raise Failed(NO_TIME)
                part, values = self.connection.recv()
                if part == ENDED:
                    return
                yield part, values
        except (EOFError, ConnectionError):
            self.process.join(5)
            raise Failed(f"the process ended by itself, with exit status {self.process.exitcode}") from None

    def stop(self) -> None:
        """At once if it is at work, else when it has cleaned up."""
        self.connection.close()
        self.process.join(GRACE)
        self.process.kill()
        self.process.join()


class Crew:
    """A colleague for each way to start the host. One that fails is replaced when it is needed again.

    Nothing is done after `until` (of time.monotonic), and no order takes longer than `each` seconds.
    """

    def __init__(self, starts: Iterable[str], hire: Callable[[str], Colleague], until: float, each: float):
        self.hire, self.until, self.each = hire, until, each
        self.there = {start: hire(start) for start in starts}
        self.started: set[str] = set()
        self.unable: dict[str, str] = {}  # how the host does not start here, and why
        self.machine: dict[str, str] = {}

    def answers(self, start: str, order: Checkpoint) -> Iterator[Answer]:
        """Raises Failed, also if time is up or the host does not start in this way."""
        if time.monotonic() >= self.until:
            raise Failed(NO_TIME)
        if start in self.unable:
            raise Failed(self.unable[start])
        until = min(self.until, time.monotonic() + self.each)
        try:
            colleague = self.there.get(start) or self.there.setdefault(start, self.hire(start))
            if start not in self.started:
                self._hear(colleague, start, until)
                self.started.add(start)
            yield from colleague.answers(order, until)
        except Failed as error:
            self.dismiss(start)
            if str(error) == NO_TIME and time.monotonic() < self.until:
                raise Failed(f"it took more than {self.each:g} seconds") from None
            raise

    def _hear(self, colleague: Colleague, start: str, until: float) -> None:
        for part, values in colleague.answers(None, until):
            if part == MACHINE and FAILED in values:
                self.unable[start] = values[FAILED]
                raise Failed(values[FAILED])
            self.machine |= values

    def dismiss(self, start: str) -> None:
        if start in self.there:
            self.there.pop(start).stop()
            self.started.discard(start)

    def dismiss_all(self) -> None:
        for start in list(self.there):
            self.dismiss(start)


def conduct(
    configurations: list[Configuration],
    effort: Effort,
    crew: Crew,
    folder: Path,
    keep: Callable[[dict], None],
) -> dict:
    """All results; `keep` is handed them whenever there are more.

    A checkpoint is written, on the card where there is one, then the CPU's answers to it are made; without these a
    configuration is measured all the same.
    """
    results = {"machine": crew.machine, "effort": asdict(effort), "configurations": []}
    prepared: dict[str, str] = {}  # model: why it is not, or nothing
    for configuration in configurations:
        row = {"name": configuration.name, **asdict(configuration), "parts": {}, "problems": []}
        results["configurations"].append(row)
        model, start = configuration.model, configuration.start
        try:
            if model not in prepared:
                # With dynamic VRAM the host's classes hold no weights whose shapes could be read.
                _all(crew, STATIC if start == DYNAMIC else start, Checkpoint(model, folder))
                prepared[model] = ""
                try:
                    _all(crew, CPU, Reference(model, folder, effort))
                except Failed as error:
                    prepared[model] = f"the CPU's answers: {error}"
            if prepared[model]:
                row["problems"].append(prepared[model])
            for part, values in crew.answers(start, Measured(model, folder, effort, configuration)):
                if not values:
                    continue
                if FAILED in values:
                    row["problems"].append(f"{part}: {values[FAILED]}")
                else:
                    row["parts"][part] = values
                    row["problems"] += exceeded(part, values, configuration.dtype)
                keep(results)
        except Failed as error:
            row["problems"].append(str(error))
        keep(results)
    return results


def _all(crew: Crew, start: str, order: Checkpoint) -> None:
    """Raises Failed if a part of the order failed."""
    for part, values in crew.answers(start, order):
        if FAILED in values:
            raise Failed(f"{part}: {values[FAILED]}")
