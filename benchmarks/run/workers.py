"""Who does the tasks: this process, several processes, running servers, or a Ray cluster.

A pool has `results(tasks)`, which yields (task id, result) in the order in which tasks are finished, and `close()`.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

import torch

from tools.comfyui.environment import ROOT

from .measurement import Measurement, Outcome, Task, Workplace
from .store import Store

STARTS = 100  # of one actor, before the run gives up: a machine that kills its workers again and again is an error


class LostWorker(Exception):
    """A worker process is gone; what it had finished is stored."""


class Worker(Workplace):
    """Loads host and judge once.

    Made where it works, from what can be pickled: `url` of the store, calls that open both, and the number of torch's
    `threads` on a CPU; 0 leaves it to torch.
    """

    def __init__(self, measurement: Measurement, url: str, open_judge: Callable, threads: int, open_host: Callable):
        super().__init__()
        self.measurement, self.store = measurement, Store(url)
        self._open_host, self._open_judge, self._threads = open_host, open_judge, threads

    def do(self, task: Task) -> tuple[str, dict]:
        """Do a task and store its outcome; its id and result."""
        if self.judge is None:
            self._open()
        try:
            outcome = self.measurement.work(self, task)
        except ValueError as error:
            outcome = Outcome({"error": str(error)})
        self.store.save(task, outcome)
        return task.id, outcome.result

    def _open(self) -> None:
        """All that work needs, before it begins: a wrong model file ends the run and is not taken for a bad row."""
        self.host = self._open_host()
        import comfy.utils  # the host is not on the path before the pack is loaded

        comfy.utils.set_progress_bar_enabled(False)
        torch.set_grad_enabled(False)
        if self._threads:
            torch.set_num_threads(self._threads)
        self.judge = self._open_judge()
        self.measurement.prepare(self)


class Pool:
    """One of the standard library's executors, of which each process or thread has become a worker."""

    def __init__(self, executor: Executor):
        self.executor = executor

    def close(self) -> None:
        self.executor.shutdown(cancel_futures=True)

    def results(self, tasks: Sequence[Task]) -> Iterator[tuple[str, dict]]:
        """As they come; what has not begun is dropped with the iterator, or when a task fails."""
        futures = [self.executor.submit(_do, task) for task in tasks]
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


def processes(make_worker: Callable[[], Worker], count: int) -> Pool:
    """On this machine, each with a host of its own."""
    context = multiprocessing.get_context("spawn")
    return Pool(ProcessPoolExecutor(count, context, initializer=_become, initargs=(make_worker,)))


def threads(make_workers: Sequence[Callable[[], Worker]]) -> Pool:
    """Of this process: one that does the work itself, or one a server that does it."""
    makers = iter(make_workers)  # the threads start one by one
    return Pool(ThreadPoolExecutor(len(make_workers), initializer=lambda: _become(next(makers))))


_here = threading.local()


def _become(make_worker: Callable[[], Worker]) -> None:
    _here.worker = make_worker()


def _do(task: Task) -> tuple[str, dict]:
    return _here.worker.do(task)


class RayPool:
    """An actor a worker. Ray gives tasks to actors that are free, starts a lost actor anew, and repeats the task that it had.

    `address` None starts a cluster on this machine with `count` workers; else `count` None means one a GPU of the cluster,
    or one a core where there is no GPU.
    """

    def __init__(self, make_worker: Callable[[], Worker], address: str | None, count: int | None, threads: int):
        import ray  # which takes seconds, is needed only here
        from ray.util import ActorPool

        # A worker's Python must find the benchmarks, and the host's `nodes` before ours.
        environment = {"PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT}", "PYTHONSAFEPATH": "1"}
        if threads:
            environment["OMP_NUM_THREADS"] = str(threads)
        local = {"num_cpus": count or os.cpu_count(), "include_dashboard": False} if address is None else {}
        ray.init(address=address, runtime_env={"env_vars": environment}, log_to_driver=False, **local)
        resources = ray.cluster_resources()
        gpus = int(resources.get("GPU", 0))
        options = {"num_gpus": 1} if gpus else {"num_cpus": 1}
        actor = ray.remote(max_restarts=STARTS, max_task_retries=STARTS, **options)(_Actor)
        self.close = ray.shutdown
        self.actors = ActorPool([actor.remote(make_worker) for _ in range(count or gpus or int(resources["CPU"]))])

    def results(self, tasks: Sequence[Task]) -> Iterator[tuple[str, dict]]:
        yield from self.actors.map_unordered(lambda actor, task: actor.do.remote(task), tasks)


class _Actor:
    def __init__(self, make_worker: Callable[[], Worker]):
        self.worker = make_worker()

    def do(self, task: Task) -> tuple[str, dict]:
        return self.worker.do(task)
