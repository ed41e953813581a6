"""Who does the tasks: this process, several processes, running servers, or (ray_pool.py) a cluster.

A pool is a context manager with `results(tasks)`, which yields (task id, result) in the order in which tasks are finished.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from queue import SimpleQueue

from .measurement import Task
from .worker import Worker


class LostWorker(Exception):
    """A worker process is gone; what it had finished is stored."""


class InProcess:
    """One worker, in this process."""

    def __init__(self, make_worker: Callable[[], Worker]):
        self.worker = make_worker()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def results(self, tasks: Sequence[Task]) -> Iterator[tuple[str, dict]]:
        for task in tasks:
            yield self.worker.do(task)


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
        futures = [self.pool.submit(_do, task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool:
            raise LostWorker(
                "A worker process ended by itself, perhaps for lack of memory (fewer --workers need less)."
            ) from None
        finally:
            for future in futures:
                future.cancel()


_worker: list[Worker] = []


def _become(make_worker: Callable[[], Worker]) -> None:
    _worker.append(make_worker())


def _do(task: Task) -> tuple[str, dict]:
    return _worker[0].do(task)


class Threads:
    """One worker a running server; the server does the work, so a thread is enough to wait for it."""

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
        for future in as_completed([self.pool.submit(self._do, task) for task in tasks]):
            yield future.result()

    def _do(self, task: Task) -> tuple[str, dict]:
        worker = self.idle.get()
        try:
            return worker.do(task)
        finally:
            self.idle.put(worker)
