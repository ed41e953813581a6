"""A Ray cluster as the pool: an actor a worker, with the host and the checkpoint loaded once.

Ray gives tasks to actors that are free, starts a lost actor anew, and repeats the task that it had.
"""

import os
from collections.abc import Callable, Iterator, Sequence

import ray
from ray.util import ActorPool

from tools.comfyui.environment import ROOT

from .values import Task
from .worker import Worker

STARTS = 100  # of one actor, before the run gives up: a machine that kills its workers again and again is an error


class RayPool:
    """`address` None starts a cluster on this machine with `count` workers; else `count` None means one a GPU of the cluster,
    or one a core where there is no GPU."""

    def __init__(self, make_worker: Callable[[], Worker], address: str | None, count: int | None, threads: int):
        # A worker's Python must find the benchmarks, and the host's `nodes` before ours.
        environment = {"PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT}", "PYTHONSAFEPATH": "1"}
        if threads:
            environment["OMP_NUM_THREADS"] = str(threads)
        local = {"num_cpus": count or os.cpu_count(), "include_dashboard": False} if address is None else {}
        ray.init(address=address, runtime_env={"env_vars": environment}, log_to_driver=False, **local)
        resources = ray.cluster_resources()
        gpus = int(resources.get("GPU", 0))
        count = count or gpus or int(resources["CPU"])
        options = {"num_gpus": 1} if gpus else {"num_cpus": 1}
        actor = ray.remote(max_restarts=STARTS, max_task_retries=STARTS, **options)(_Actor)
        self.actors = [actor.remote(make_worker) for _ in range(count)]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        ray.shutdown()

    def results(self, tasks: Sequence[Task]) -> Iterator[tuple[str, dict]]:
        yield from ActorPool(self.actors).map_unordered(lambda actor, task: actor.do.remote(task), tasks)


class _Actor:
    def __init__(self, make_worker: Callable[[], Worker]):
        self.worker = make_worker()

    def do(self, task: Task) -> tuple[str, dict]:
        return self.worker.do(task)
