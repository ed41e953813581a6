"""A whole run: what is missing is made, what is there is kept, and the report is written."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from tqdm import tqdm

from ..report.report import Report
from .machine import describe_machine
from .measurement import Measurement
from .store import Store, canonical


def conduct(measurement: Measurement, store: Store, open_pool: Callable, command: str) -> Report:
    """Run until no task is left. `open_pool` is called only if there is work to do."""
    results = store.results()
    started, before = time.monotonic(), len(results)
    missing = _missing(measurement, results)
    if missing:
        with open_pool() as pool:
            while missing:
                _do(pool, missing, results, measurement.name)
                missing = _missing(measurement, results)
    name = datetime.now(UTC).strftime("runs/%Y-%m-%d %H.%M.%S.%f.json")
    facts = {"command": command, "machine": describe_machine(), "seconds": round(time.monotonic() - started, 1)}
    store.write(name, canonical(facts | {"tasks found": before, "tasks done": len(results) - before}))
    return measurement.report(in_order(measurement, results))


def _missing(measurement: Measurement, results: dict[str, dict]) -> list:
    return [task for task in measurement.next_tasks(results) if task.id not in results]


def _do(pool, tasks: list, results: dict[str, dict], title: str) -> None:
    pictures = {task.id: task.pictures for task in tasks}
    with tqdm(total=sum(pictures.values()), desc=title, unit="picture", smoothing=0.05, mininterval=1) as bar:
        for task_id, result in pool.results(tasks):
            results[task_id] = result
            bar.update(pictures[task_id])


def in_order(measurement: Measurement, results: Mapping[str, dict]) -> dict[str, dict]:
    """The results of this measurement's tasks in the order of its tasks, whatever order they were finished in."""
    return {task.id: results[task.id] for task in measurement.next_tasks(results)}
