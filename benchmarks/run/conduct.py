"""A whole run: what is missing is made, what is there is kept, and the report is written."""

import os
import platform
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import torch
from tqdm import tqdm

from ..report.report import Report
from .measurement import Measurement
from .store import Store, canonical


def conduct(measurement: Measurement, store: Store, open_pool: Callable, command: str) -> Report:
    """Run until no task is left. `open_pool` is called only if there is work to do."""
    results = store.results()
    started, before = time.monotonic(), len(results)

    def missing() -> list:
        return [task for task in measurement.next_tasks(results) if task.id not in results]

    if missing():
        with closing(open_pool()) as pool:
            while tasks := missing():
                pictures = {task.id: task.pictures for task in tasks}
                how = {"desc": measurement.name, "unit": "picture", "smoothing": 0.05, "mininterval": 1}
                with tqdm(total=sum(pictures.values()), **how) as bar:
                    for task_id, result in pool.results(tasks):
                        results[task_id] = result
                        bar.update(pictures[task_id])
    name = datetime.now(UTC).strftime("runs/%Y-%m-%d %H.%M.%S.%f.json")
    facts = {"command": command, "machine": describe_machine(), "seconds": round(time.monotonic() - started, 1)}
    store.write(name, canonical(facts | {"tasks found": before, "tasks done": len(results) - before}))
    # In the order of the tasks, whatever order they were finished in.
    return measurement.report({task.id: results[task.id] for task in measurement.next_tasks(results)})


def describe_machine() -> str:
    """Date, processor, cores, threads and versions, on one line."""
    cpu, info = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = [*names, cpu][0]
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    cores = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads"
    return f"{date.today().isoformat()}, {cpu}, {cores}, {device}, torch {torch.__version__}"
