"""TIME speed: an edit's time and memory, against the published route on this machine in the same run.

The embeddings are made up, in CLIP's lengths and with its causal structure (see `prompt_rows`): what is timed is what
comes after the text encoder. Weights have the sizes of SD 1.5 and SDXL.
"""

import multiprocessing
import re
import statistics
import time
import timeit
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

import torch

from time_core.equations import solve
from time_core.equations.costs import costs
from time_core.equations.everyday import captions
from time_core.equations.many_prompts import BATCH, encoded
from time_core.equations.prior import Moment, Prior
from time_core.prompts.fingerprint import Fingerprint
from time_core.prompts.text import TextReader
from tools.comfyui.environment import TOY_CHECKPOINT

from ..hosts.library import LibraryHost, Sampling
from ..report.report import Plot, Target
from ..run.measurement import Workplace
from .study import Numbers, Part, Study, Tables, curves, seconds

LAMBDA = 0.1
PROMPTS = 4  # the prompt and three augmentations
ROWS = 77
SD15_BLOCKS = [320] * 2 + [640] * 2 + [1280] * 2 + [1280] + [1280] * 3 + [640] * 3 + [320] * 3
SDXL_BLOCKS = [640] * 4 + [1280] * 20 + [1280] * 10 + [1280] * 30 + [640] * 6
JOINT = (1, 3, 10, 30, 100, 300, 1000)
JOINT_WIDTH = 768
ONE_PAIR, SEVERAL, SAMPLING = "one pair, three augmentations", "joint edits", "sampling, 4 steps"
PRICED, SEVERAL_PRICED, ENCODING = "one pair, with a prior and what is kept", "joint edits with a prior", "encoding prompts"
PRIOR_PROMPTS = 40  # after which the rows span the whole width
KEPT_PROMPTS = 1
JOINT_PRICED = (10, 1000)
ENCODED = 2 * BATCH
SIZES = {
    "SD 1.5": (768, [out for out in SD15_BLOCKS for _ in "kv"]),
    "SDXL": (2048, [out for out in SDXL_BLOCKS for _ in "kv"]),
}
"""By name, the width of the text's rows, and how many rows every key and value projection gives out."""


class TimeSpeed(Study):
    """Speed and memory of a TIME edit, against the published route on this machine in the same run."""

    name = "time-speed"
    threads: ClassVar[int] = 0
    figure = "time_joint.png"

    def parts(self) -> dict[str, Part]:
        return {
            "sampling": Part(sampling_cost, note="Seconds; the fastest of each counts.", alone=True),
            "one pair": Part(self.compare, len(SIZES), alone=True),
            "joint": Part(joint, len(JOINT), "Four prompts a pair, width 768, in one system.", alone=True),
            "priced": Part(priced, len(SIZES), "Solving and reducing to thin factors, after the rows are added.", alone=True),
            "joint, priced": Part(joint_priced, len(JOINT_PRICED), "The same as joint edits, rho 1.", alone=True),
            "encoding": Part(encoding, note=f"{ENCODED} everyday captions by the toy checkpoint's text encoder.", alone=True),
        }

    def compare(self, worker: Workplace, subject: int) -> Numbers:
        """One pair with three augmentations."""
        name, (width, outs) = list(SIZES.items())[subject]
        prompts = [prompt_rows(width, seed) for seed in range(PROMPTS)]
        generator = torch.Generator().manual_seed(0)
        weights = [torch.randn(out, width, generator=generator) / width**0.5 for out in outs]
        # The published route makes 77 outer products at once, 1.3 GB a prompt at SDXL's width; its time grows with the rows
        # of the matrices alone, so the largest size is timed on some of them and scaled.
        few = weights if width < 1000 and not self.quick else weights[:: max(len(weights) // 4, 1)]
        theirs = seconds(lambda: published(few, prompts)) * len(weights) / len(few)
        change = published(few[:1], prompts)[0] - few[0]
        mine = median_seconds(lambda: ours(width, prompts), 7)
        left, right = ours(width, prompts)
        patching = median_seconds(lambda: [weight + (weight @ left) @ right.T for weight in weights], 1)
        measured = {
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
        return {ONE_PAIR: {row: {name: value} for row, value in measured.items()}}

    def targets(self, tables: Tables) -> list[Target]:
        pair, many = tables[ONE_PAIR], {row: values["peak memory, MB"] for row, values in tables[SEVERAL].items()}
        again = "1,000 pairs need at most as much memory as 10 pairs, times"
        priced, dear = tables[PRICED], {row: values["peak memory, MB"] for row, values in tables[SEVERAL_PRICED].items()}
        return [
            *(
                Target(f"{name}: the solve with a prior and a prompt kept exactly, times the plain one", times, 2, at_most=True)
                for name, times in priced["both, times the plain one"].items()
            ),
            Target(f"with a prior: {again}", dear["1000 pairs"] / dear["10 pairs"], 1.5, at_most=True),
            Target("SD 1.5: times faster than the published route", pair["ratio"]["SD 1.5"], 300),
            Target("SD 1.5: extra memory of the edited model, MB", pair["extra memory, MB"]["SD 1.5"], 4, at_most=True),
            Target("SDXL: extra memory of the edited model, MB", pair["extra memory, MB"]["SDXL"], 4, at_most=True),
            Target(again, many["1000 pairs"] / many["10 pairs"], 1.5, at_most=True),
            Target("sampling with an edit against without, times", tables[SAMPLING]["seconds"]["ratio"], 1.02, at_most=True),
        ]

    def plots(self, tables: Tables) -> list[Plot]:
        rows = tables.get(SEVERAL)
        if not rows:
            return []
        columns = ("adding, seconds", "solving, seconds", "peak memory, MB")
        found = curves(rows, columns, [int(row.split()[0]) for row in rows])
        title = "Joint edits: time and memory against the number of pairs (4 prompts each, width 768)"
        return [Plot(title, "pairs", "", found, log_x=True, log_y=True)]


def prompt_rows(width: int, seed: int, words: int = 9) -> tuple[torch.Tensor, torch.Tensor]:
    """Source and destination rows (77, width) float32 of one made-up prompt.

    As CLIP's: all of length 28 but a longer constant begin row, words before the insertion equal, each row a running
    mixture of what came before, and padding that drifts slowly (published padding rows are nearly parallel).
    """
    begin = torch.randn(width, generator=torch.Generator().manual_seed(12345))
    begin = 45 * begin / begin.norm()
    pair = []
    for changed in (False, True):
        shared, other = (torch.Generator().manual_seed(seed + millions * 10**6) for millions in (2, 1))
        state = begin / 45
        rows = [begin]
        for position in range(1, ROWS):
            innovation = torch.randn(width, generator=shared) / width**0.5
            if changed and position > words // 2:
                innovation = innovation + torch.randn(width, generator=other) / width**0.5
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
    """The factors as the pack makes them from the rows of the prompts."""
    system = solve.System(width)
    for source, destination in prompts:
        system.add(source.double(), destination.double())
    left, right = solve.low_rank(*system.solve(LAMBDA))
    return left.float().contiguous(), right.float().contiguous()


def median_seconds(call: Callable[[], object], repeats: int) -> float:
    """After a call that is not counted."""
    call()
    return statistics.median(timeit.repeat(call, number=1, repeat=repeats))


def priced(worker: Workplace, subject: int) -> Numbers:
    """One pair with three augmentations: plain, with a prior, with prompts kept exactly, and with both."""
    name, (width, _) = list(SIZES.items())[subject]
    system = solve.System(width)
    for seed in range(PROMPTS):
        system.add(*(side.double() for side in prompt_rows(width, seed)))
    prior, kept = made_up_prior(width), [prompt_rows(width, 500 + i)[0].double() for i in range(KEPT_PROMPTS)]
    ways = {"plain": (0.0, ()), "prior": (1.0, ()), "kept exactly": (0.0, kept), "both": (1.0, kept)}

    def solved(rho: float, held: Sequence[torch.Tensor]) -> None:
        dear = system.priced(costs(width, prior, rho, held))
        solve.low_rank(*dear.solve(LAMBDA))

    found = {way: min(timeit.repeat(partial(solved, *settings), number=1, repeat=7)) for way, settings in ways.items()}
    rows = {f"{way}, seconds": value for way, value in found.items()}
    rows |= {f"{way}, times the plain one": found[way] / found["plain"] for way in ways if way != "plain"}
    return {PRICED: {row: {name: value} for row, value in rows.items()}}


def made_up_prior(width: int) -> Prior:
    """Of made-up prompts, in all directions of the text."""
    moment = Moment(width)
    for seed in range(PRIOR_PROMPTS):
        moment.add(prompt_rows(width, 1000 + seed)[0].double())
    return Prior(*moment.shape(), PRIOR_PROMPTS, "", Fingerprint("made up", width, ()))


def encoding(worker: Workplace, subject: int) -> Numbers:
    """A thousand prompts are encoded for a prior: together, and as prompts of an edit are, one by one."""
    host = LibraryHost(TOY_CHECKPOINT, Sampling(128, steps=4, cfg=3.0))
    reader, prompts = TextReader(host.clip), captions(ENCODED)

    def alone() -> None:
        for prompt in prompts:
            reader.read(prompt)

    ways = {"in batches": lambda: [None for _ in encoded(reader, prompts, lambda done: None)], "one by one": alone}
    found = {way: min(timeit.repeat(call, number=1, repeat=3)) for way, call in ways.items()}
    return {ENCODING: {"seconds": found | {"ratio": found["in batches"] / found["one by one"]}}}


def joint(worker: Workplace, subject: int) -> Numbers:
    return {SEVERAL: {f"{JOINT[subject]} pairs": in_fresh_process(JOINT[subject], 0.0)}}


def joint_priced(worker: Workplace, subject: int) -> Numbers:
    return {SEVERAL_PRICED: {f"{JOINT_PRICED[subject]} pairs": in_fresh_process(JOINT_PRICED[subject], 1.0)}}


def in_fresh_process(pairs: int, rho: float) -> dict[str, float]:
    """Memory that was freed before would hide what this takes."""
    with multiprocessing.get_context("spawn").Pool(1) as fresh:
        return fresh.apply(_joint, [pairs, rho])


def _joint(pairs: int, rho: float) -> dict[str, float]:
    """Many pairs with three augmentations each, in one system; rows are made up one prompt at a time."""
    torch.set_grad_enabled(False)
    ours(JOINT_WIDTH, [prompt_rows(JOINT_WIDTH, seed) for seed in range(2)])  # loads the linear algebra library
    prior = made_up_prior(JOINT_WIDTH) if rho else None
    adding, before = 0.0, _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    system = solve.System(JOINT_WIDTH)
    for seed in range(pairs * PROMPTS):
        rows = prompt_rows(JOINT_WIDTH, seed)
        adding += seconds(lambda rows=rows: system.add(*(side.double() for side in rows)))
    start = time.perf_counter()
    left, _ = solve.low_rank(*system.priced(costs(JOINT_WIDTH, prior, rho)).solve(LAMBDA))
    return {
        "rows": system.rows,
        "adding, seconds": adding,
        "solving, seconds": time.perf_counter() - start,
        "peak memory, MB": _memory("VmHWM") - before,
        "rank": left.shape[1],
    }


def _memory(what: str) -> float:
    """Of this process, in MB."""
    return int(re.search(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024 / 1e6


def sampling_cost(worker: Workplace, subject: int) -> Numbers:
    """Sampling the toy checkpoint with and without an edit, in turns."""
    host = LibraryHost(TOY_CHECKPOINT, Sampling(128, steps=4, cfg=3.0))
    edit = {"source": "a rose", "destination": "a blue rose", "lamb": LAMBDA, "augmentations": ""}
    fastest = {"without": float("inf"), "with": float("inf")}
    for _ in range(3):
        for name, edits in (("without", []), ("with", [edit])):
            sample = partial(host.sampled, "a rose", [1], edits)
            sample()  # loads the model, and patches or restores its weights
            fastest[name] = min(fastest[name], *timeit.repeat(sample, number=1, repeat=4))
    return {SAMPLING: {"seconds": fastest | {"ratio": fastest["with"] / fastest["without"]}}}
