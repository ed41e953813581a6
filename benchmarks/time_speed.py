"""`make bench-time`: speed and memory of an edit, against the published route on this machine in the same run.

The embeddings are made up, in CLIP's lengths and with its causal structure (see `prompt_rows`): what is timed is what
comes after the text encoder. Weights have the sizes of SD 1.5 and SDXL. QUICK=1 times the published route on fewer matrices.
"""

import gc
import json
import multiprocessing
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass

import torch

from tools.comfyui.environment import HOST, ROOT, TOY_CHECKPOINT
from tools.comfyui.library import PACK, load_nodes

NODES = load_nodes()

from .machine import describe_machine  # noqa: E402
from .plot import lines  # noqa: E402
from .targets import Target  # noqa: E402

solve = __import__(f"{PACK}.time_core.solve", fromlist=["solve"])

OUTPUT = ROOT / "bench-output"
QUICK = bool(os.environ.get("QUICK"))
LAMBDA = 0.1
PROMPTS = 4  # the prompt and three augmentations
ROWS = 77
SD15_BLOCKS = [320] * 2 + [640] * 2 + [1280] * 2 + [1280] + [1280] * 3 + [640] * 3 + [320] * 3
SDXL_BLOCKS = [640] * 4 + [1280] * 20 + [1280] * 10 + [1280] * 30 + [640] * 6
JOINT = (1, 3, 10, 30, 100, 300, 1000)


@dataclass(frozen=True)
class Size:
    name: str
    width: int
    outs: list[int]  # of every key and value projection

    def weights(self) -> list[torch.Tensor]:
        generator = torch.Generator().manual_seed(0)
        return [torch.randn(out, self.width, generator=generator) / self.width**0.5 for out in self.outs]


SIZES = [
    Size("SD 1.5", 768, [out for out in SD15_BLOCKS for _ in "kv"]),
    Size("SDXL", 2048, [o for o in SDXL_BLOCKS for _ in "kv"]),
]


def prompt_rows(width: int, seed: int, words: int = 9) -> tuple[torch.Tensor, torch.Tensor]:
    """Source and destination rows (77, width) float32 of one made-up prompt.

    As CLIP's: all of length 28 but a longer constant begin row, words before the insertion equal, each row a running
    mixture of what came before, and padding that drifts slowly (published padding rows are nearly parallel).
    """
    common = torch.Generator().manual_seed(12345)
    begin = torch.randn(width, generator=common)
    begin = 45 * begin / begin.norm()
    own, other = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed + 10**6)
    pair = []
    for generator, changed in ((own, False), (other, True)):
        shared = torch.Generator().manual_seed(seed + 2 * 10**6)
        state = begin / 45
        rows = [begin]
        for position in range(1, ROWS):
            innovation = torch.randn(width, generator=shared) / width**0.5
            if changed and position > words // 2:
                innovation = innovation + torch.randn(width, generator=generator) / width**0.5
            share = 0.6 if position <= words else 0.02
            state = (1 - share) * state + share * innovation
            rows.append(28 * state / state.norm())
        pair.append(torch.stack(rows))
    return pair[0], pair[1]


def published(weights: list[torch.Tensor], prompts: list[tuple[torch.Tensor, torch.Tensor]]) -> list[torch.Tensor]:
    """The edit as apply_time.py and diffusers make it: float32, every matrix for itself, all outer products at once."""
    edited = []
    for weight in weights:
        left = LAMBDA * weight
        right = LAMBDA * torch.eye(weight.shape[1])
        for source, destination in prompts:
            context, values = source.unsqueeze(2), (destination @ weight.T).unsqueeze(2)
            left = left + (values @ context.transpose(1, 2)).sum(dim=0)
            right = right + (context @ context.transpose(1, 2)).sum(dim=0)
        edited.append(left @ torch.inverse(right))
    return edited


def ours(width: int, prompts: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    """The factors as `time_core.edit.build_edit` makes them from the rows of its prompts."""
    system = solve.System(width)
    for source, destination in prompts:
        system.add(source.double(), destination.double())
    left, right = solve.low_rank(*system.solve(LAMBDA))
    return left.float().contiguous(), right.float().contiguous()


def seconds(call: Callable[[], object], repeats: int) -> float:
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def compare(size: Size) -> dict:
    """One pair with three augmentations."""
    prompts = [prompt_rows(size.width, seed) for seed in range(PROMPTS)]
    weights = size.weights()
    # The published route makes 77 outer products at once, 1.3 GB a prompt at SDXL's width; its time grows with the rows
    # of the matrices alone, so the largest size is timed on some of them and scaled.
    few = weights if size.width < 1000 and not QUICK else weights[:: max(len(weights) // 4, 1)]
    start = time.perf_counter()
    reference = published(few, prompts)
    theirs = (time.perf_counter() - start) * len(weights) / len(few)
    mine = seconds(lambda: ours(size.width, prompts), 7)
    left, right = ours(size.width, prompts)
    patching = seconds(lambda: [weight + (weight @ left) @ right.T for weight in weights], 1)
    change = reference[0] - few[0]
    return {
        "matrices": len(weights),
        "matrices of the published route timed": len(few),
        "published, seconds": theirs,
        "ours, seconds": mine,
        "ratio": theirs / mine,
        "applying to all weights at load, seconds": patching,
        "rank": left.shape[1],
        "extra memory, MB": 4 * (left.numel() + right.numel()) / 1e6,
        "rewritten by the published route, MB": 4 * sum(weight.numel() for weight in weights) / 1e6,
        "published route's float32 error": ((few[0] @ left @ right.T - change).norm() / change.norm()).item(),
    }


class PeakMemory:
    """The most resident memory of this process while the block runs, over what it had before, in MB."""

    def __enter__(self) -> "PeakMemory":
        gc.collect()
        self.before = self.peak = _resident()
        self.done = threading.Event()
        self.watcher = threading.Thread(target=self._watch, daemon=True)
        self.watcher.start()
        return self

    def _watch(self) -> None:
        while not self.done.wait(0.002):
            self.peak = max(self.peak, _resident())

    def __exit__(self, *exc: object) -> None:
        self.done.set()
        self.watcher.join()
        self.megabytes = (max(self.peak, _resident()) - self.before) / 1e6


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def joint(pairs: int, width: int = 768) -> dict:
    """Many pairs with three augmentations each, in one system; rows are made up one prompt at a time.

    To be called in a process of its own: memory that was freed before would hide what this takes.
    """
    torch.set_grad_enabled(False)
    ours(width, [prompt_rows(width, seed) for seed in range(2)])  # loads the linear algebra library
    adding = 0.0
    with PeakMemory() as memory:
        system = solve.System(width)
        for seed in range(pairs * PROMPTS):
            source, destination = prompt_rows(width, seed)
            start = time.perf_counter()
            system.add(source.double(), destination.double())
            adding += time.perf_counter() - start
        start = time.perf_counter()
        left, _ = solve.low_rank(*system.solve(LAMBDA))
        solving = time.perf_counter() - start
    return {
        "pairs": pairs,
        "rows": system.rows,
        "adding, seconds": adding,
        "solving, seconds": solving,
        "peak memory, MB": memory.megabytes,
        "rank": left.shape[1],
    }


def sampling_cost() -> dict:
    """Seconds of sampling the toy checkpoint with and without an edit, in turns; the fastest of each counts."""
    from toyworld.host_model import Sampler, load_checkpoint

    sampler = Sampler(load_checkpoint(HOST / "ComfyUI" / "models" / "checkpoints" / TOY_CHECKPOINT), steps=4)
    inputs = {"source": "a rose", "destination": "a blue rose", "lamb": LAMBDA, "strength": 1.0, "augmentations": ""}
    edited, _ = (
        NODES["TIMEEditModel"]
        .execute(model=sampler.toy.model, clip=sampler.toy.clip, edit_keys=True, edit_values=True, preserve="", **inputs)
        .result
    )
    fastest = {"without": float("inf"), "with": float("inf")}
    for _ in range(3):
        for name, model in (("without", sampler.toy.model), ("with", edited)):
            sampler.pictures("a rose", [1], model)  # loads the model, and patches or restores its weights
            for _ in range(4):
                start = time.perf_counter()
                sampler.pictures("a rose", [1], model)
                fastest[name] = min(fastest[name], time.perf_counter() - start)
    return {**fastest, "ratio": fastest["with"] / fastest["without"]}


def markdown(results: dict) -> str:
    names = list(results["one pair"])
    rows = ["| one pair, three augmentations | " + " | ".join(names) + " |", "|---" * (1 + len(names)) + "|"]
    for key in next(iter(results["one pair"].values())):
        rows.append(f"| {key} | " + " | ".join(f"{results['one pair'][name][key]:.4g}" for name in names) + " |")
    keys = list(results["joint"][0])
    rows += ["", "| " + " | ".join(keys) + " |", "|---" * len(keys) + "|"]
    rows += ["| " + " | ".join(f"{row[key]:.4g}" for key in keys) + " |" for row in results["joint"]]
    cost = results["sampling"]
    rows += ["", f"Sampling, 4 steps: {cost['without']:.3f} s without and {cost['with']:.3f} s with an edit."]
    return "\n".join(rows)


def main() -> int:
    torch.set_grad_enabled(False)
    results = {"machine": describe_machine(), "one pair": {}, "joint": [], "sampling": sampling_cost()}
    for size in SIZES:
        results["one pair"][size.name] = compare(size)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as fresh:
        results["joint"] = list(fresh.map(joint, JOINT))
    small, large = results["one pair"].values()
    many = {row["pairs"]: row for row in results["joint"]}
    targets = [
        Target("SD 1.5: times faster than the published route", small["ratio"], 300),
        Target("SD 1.5: extra memory of the edited model, MB", small["extra memory, MB"], 4, at_most=True),
        Target("SDXL: extra memory of the edited model, MB", large["extra memory, MB"], 4, at_most=True),
        Target(
            "1,000 pairs need at most as much memory as 10 pairs, times",
            many[1000]["peak memory, MB"] / many[10]["peak memory, MB"],
            1.5,
            at_most=True,
        ),
        Target("sampling with an edit against without, times", results["sampling"]["ratio"], 1.02, at_most=True),
    ]
    OUTPUT.mkdir(exist_ok=True)
    table = markdown(results)
    print(f"\n{results['machine']}\n\n{table}\n")
    for target in targets:
        print(target)
    results["targets"] = [{**asdict(target), "met": target.met} for target in targets]
    (OUTPUT / "time_speed.json").write_text(json.dumps(results, indent=2) + "\n")
    (OUTPUT / "time_speed.md").write_text(f"{results['machine']}\n\n{table}\n\n" + "\n".join(map(str, targets)) + "\n")
    lines(
        OUTPUT / "time_joint.png",
        "Joint edits: time and memory against the number of pairs (4 prompts each, width 768)",
        "pairs",
        [row["pairs"] for row in results["joint"]],
        {key: [row[key] for row in results["joint"]] for key in ("adding, seconds", "solving, seconds", "peak memory, MB")},
        log=True,
    )
    return 0 if all(target.met for target in targets) else 1


if __name__ == "__main__":
    sys.exit(main())
