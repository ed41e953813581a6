"""Who does the tasks: this process, several processes, running servers, or (ray_pool.py) a cluster.

A pool is a context manager with `results(tasks)`, which yields (task id, result) in the order in which tasks are finished.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from queue import SimpleQueue

from .values import Task
from .worker import Worker


class LostWorker(Exception):
    """A worker process is gone; what it had finished is stored."""


class Processes:
    """Several worker processes on this machine, each with a host of its own."""

    def __init__(self, make_worker: Callable[[], Worker], count: int):
        context = multiprocessing.get_context("spawn")
        self.pool = ProcessPoolExecutor(count, context, initializer=_become, initargs=(make_worker,))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.pool.shutdown(cancel_futures=True)

    def results(self, tasks: Sequence[Task]) -> Iterator[tuple[str, dict]]:
        try:
            yield from _finished([self.pool.submit(_do, task) for task in tasks])
        except BrokenProcessPool:
            raise LostWorker(
                "A worker process ended by itself, perhaps for lack of memory (fewer --workers need less)."
            ) from None


def _finished(futures: list[Future]) -> Iterator[tuple[str, dict]]:
    """Results as they come; what has not begun is dropped with the iterator, or when a task fails."""
    try:
        for future in as_completed(futures):
            yield future.result()
    finally:
        for future in futures:
            future.cancel()


_worker: list[Worker] = []


def _become(make_worker: Callable[[], Worker]) -> None:
    _worker.append(make_worker())


def _do(task: Task) -> tuple[str, dict]:
    return _worker[0].do(task)


class Threads:
    """Workers of this process, each in a thread: one that does the work itself, or one a server that does it."""

    def __init__(self, make_workers: Sequence[Callable[[], Worker]]):
        self.idle: SimpleQueue[Worker] = SimpleQueue()
        for make in make_workers:
            self.idle.put(make())
        self.pool = ThreadPoolExecutor(len(make_workers))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.pool.shutdown(cancel_futures=True)

    def results(self, tasks: Sequence[Task]) -> Iterator[tuple[str, dict]]:
        return _finished([self.pool.submit(self._do, task) for task in tasks])

    def _do(self, task: Task) -> tuple[str, dict]:
        worker = self.idle.get()
        try:
            return worker.do(task)
        finally:
            self.idle.put(worker)
