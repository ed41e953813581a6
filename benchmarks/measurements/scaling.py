"""Scaling: how long TIMED takes on a cluster, from costs measured on this machine; docs/scaling.md.

Measured: what Ray adds to a task, what storing a task costs, and one call of a U-Net of SD 1.5's size (random weights) on this
machine's CPU, which the table's last rows go by. What a picture costs on a GPU is given by `--seconds`.
"""

import json
import tempfile
from contextlib import closing
from dataclasses import dataclass
from math import ceil
from typing import ClassVar

import numpy as np

from tools.comfyui.environment import ROOT
from tools.release.random_checkpoint import SD15

from ..run.measurement import Outcome, Task, Workplace, option
from ..run.store import Store
from ..run.workers import RayPool
from .study import Numbers, Part, Study, Tables, seconds
from .time_speed import ONE_PAIR

GPUS = (8, 64, 1000)
TIMED_PICTURES = 81_000
"""`timed` on TIMED_test_set.csv with 24 seeds: 147 rows x 11 prompts edited at one lambda, and 1,758 prompts unedited (some
are asked by both baseline and oracle)."""
TASK = 8  # pictures, as the command's default
LOAD = 30.0  # seconds to start a worker and read a checkpoint of 4 GB: assumed
RAY_TASKS = 2000
STORED_TASKS = 200
STEPS = 50
PICTURE = f"a picture of {STEPS} steps from that, without encoder and decoder"
UNET = "SD 1.5's U-Net, one guided call at 512 x 512"
RAY = "Ray, a task that does nothing, 2 workers"
EDIT = "an edit of SD 1.5: solving and patching (docs/time_speed.md)"
PAPER = "TIMED on a cluster, on paper"
NOTE = f"""TIMED as published is {TIMED_PICTURES:,} pictures with one lambda (147 rows, 24 seeds; equal prompts are sampled
once), in tasks of {TASK}. Loading a worker is assumed to take {LOAD:g} s. A picture's cost on a GPU was not measured: choose
the rows that fit yours (`--seconds`; a run's `runs/` folder says how long a few rows took). The last rows go by this machine's
CPU in place of a GPU."""
BOUNDS = """What bounds it: pictures are independent, so up to hundreds of GPUs it is the sampling alone. At 1,000 GPUs a worker
has about ten tasks; then loading the checkpoint and the last, partly filled round weigh most, and smaller tasks
(`--pictures-per-task 4`) help the latter. The driver stays idle most of the time until a task takes less than the number
of GPUs times what a task costs it. Results are written by the workers, one small file a task, so storage sees at most as
many writes at once as there are GPUs. Reading the checkpoint is 1,000 times 4 GB: from a shared disk it, and not the
GPUs, may be the bound; copy it to the machines before."""


@dataclass(frozen=True, kw_only=True)
class Scaling(Study):
    """How long TIMED takes on a cluster, on paper, from costs measured on this machine."""

    seconds: tuple[float, ...] = option("of a picture on one GPU, a group of rows each", (0.5, 1.0, 4.0), nargs="+", type=float)
    name: ClassVar[str] = "scaling"
    threads: ClassVar[int] = 0
    notes: ClassVar[dict[str, str]] = {PAPER: f"{NOTE}\n\n{BOUNDS}"}

    def parts(self) -> dict[str, Part]:
        return {"costs": Part(costs, note="Costs measured here, `python -m benchmarks scaling`.", alone=True)}

    def finished(self, tables: Tables) -> Tables:
        found = {name: row["seconds"] for name, row in tables["costs"].items()}
        picture = STEPS * found[UNET]
        measured = tables["costs"] | {PICTURE: {"seconds": picture}}
        rows = {}
        for one in (*self.seconds, round(picture)):
            for gpus in GPUS:
                took = wall_time(TIMED_PICTURES, gpus, Costs(one, LOAD, found[RAY], found[EDIT]))
                rows[f"{one:g} s a picture, {gpus:,} GPUs"] = {"minutes": took.pop("seconds") / 60} | took
        return {"costs": measured, PAPER: rows}


@dataclass(frozen=True)
class Costs:
    """Seconds: of one picture, of starting a worker, of the driver for one task, of one edit (which each task may need)."""

    picture: float
    load: float
    driver: float
    edit: float


def wall_time(pictures: int, gpus: int, costs: Costs, task: int = TASK) -> dict[str, float]:
    """Seconds from start to end, and the shares of what bounds it.

    Every worker loads once; tasks of equal size go out one by one, so the last round may leave workers idle; the driver hands
    tasks out one after another.
    """
    tasks = ceil(pictures / task)
    one = task * costs.picture + costs.edit
    work = ceil(tasks / gpus) * one
    driver = tasks * costs.driver
    total = costs.load + max(work, driver)
    ideal = pictures * costs.picture / gpus
    return {
        "seconds": total,
        "efficiency": ideal / total,
        "loading": costs.load / total,
        "last round and edits": max(0.0, work - ideal) / total,
        "driver busy": driver / total,
    }


def costs(worker: Workplace, subject: int) -> Numbers:
    speed = json.loads((ROOT / "docs" / "time_speed.json").read_text())["parts"]["one pair"]["tables"][ONE_PAIR]
    found = {
        RAY: ray_seconds_per_task(),
        "storing a task and a small picture, local disk": store_seconds_per_task(),
        EDIT: sum(speed[name]["SD 1.5"] for name in ("ours, seconds", "applying to all weights at load, seconds")),
        UNET: unet_seconds_per_call(),
    }
    return {"costs": {name: {"seconds": cost} for name, cost in found.items()}}


class _Nothing:
    def do(self, task: Task) -> tuple[str, dict]:
        return task.id, {}


def ray_seconds_per_task(workers: int = 2) -> float:
    """What a task that does nothing costs the driver, through the same pool as the benchmarks."""
    with closing(RayPool(_Nothing, None, workers, 1)) as pool:

        def do(count: int) -> None:
            list(pool.results([Task(str(i), {}, 0) for i in range(count)]))

        do(2 * workers)  # starts them
        return seconds(lambda: do(RAY_TASKS)) / RAY_TASKS


def store_seconds_per_task() -> float:
    """A finished task with one small picture, on the local disk; an object store takes longer, but on the workers' side."""
    outcome = Outcome({"pixels": ["0" * 16] * TASK}, {"first": np.zeros((160, 160, 3), np.uint8)})
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        tasks = [Task(f"row/{i}", {}, TASK) for i in range(STORED_TASKS)]
        return seconds(lambda: [store.save(task, outcome) for task in tasks]) / STORED_TASKS


def unet_seconds_per_call() -> float:
    """A U-Net of SD 1.5's size with random weights, 512 x 512, guidance (two rows); the faster of two calls."""
    import comfy.ldm.modules.diffusionmodules.openaimodel as openaimodel
    import comfy.ops
    import torch

    unet = openaimodel.UNetModel(**SD15, num_heads=8, operations=comfy.ops.disable_weight_init)
    for parameter in unet.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    inputs = torch.randn(2, 4, 64, 64), torch.full((2,), 500.0), torch.randn(2, 77, 768)
    return min(seconds(lambda: unet(*inputs)) for _ in range(2))
