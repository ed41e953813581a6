"""A process, or an actor of a cluster, that does tasks: the host with its models and the judge are loaded once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .measurement import Measurement
from .store import Store
from .values import Outcome, Task


@dataclass(frozen=True)
class Setup:
    """How a worker gets its host and its judge; calls that take `threads` seriously on a CPU. Picklable."""

    open_host: Callable[[], Any]
    open_judge: Callable[[], Any]
    threads: int = 1


class Worker:
    """`host` makes pictures (see benchmarks/hosts), `judge` scores them (see benchmarks/judges)."""

    def __init__(self, measurement: Measurement, setup: Setup, url: str):
        self.measurement, self.setup, self.store = measurement, setup, Store(url)
        self.host = self.judge = None
        self._is_open = False
        self._cache: dict[Any, Any] = {}

    def cache(self, key, make: Callable[[], Any]):
        """What `make` returned for this key, made once in this process."""
        if key not in self._cache:
            self._cache[key] = make()
        return self._cache[key]

    def do(self, task: Task) -> tuple[str, dict]:
        """Do a task and store its outcome; its id and result."""
        if not self._is_open:
            self._open()
        try:
            outcome = self.measurement.work(self, task)
        except ValueError as error:
            outcome = Outcome({"error": str(error)})
        self.store.save(task, outcome)
        return task.id, outcome.result

    def _open(self) -> None:
        """Everything before the first task, so that a wrong model file ends the run and is not taken for a bad row."""
        self.host = self.setup.open_host()
        from .machine import quiet_threads  # needs the host on Python's path

        quiet_threads(self.setup.threads)
        self.judge = self.setup.open_judge()
        self.measurement.prepare(self)
        self._is_open = True
