"""`make bench-diffedit`: the DiffEdit nodes against diffusers' StableDiffusionDiffEditPipeline, in one run, on the toy world.

Both sides get the same latents, text encodings and mask noises, run the same network on one thread, and hand back a mask and
an edited latent; encoding, decoding and loading are not timed. diffusers runs at the defaults of its three methods
(10 maps, 50 steps, strength 0.8, guidance 7.5 also while inverting, under the source prompt, as its documentation shows), and
once more inverting as the paper does: empty prompt, guidance 1. Seconds are those of the checkpoint, whose network is as wide
as its file says; quality is judged on more pictures with the narrow network inside both sides, which is the same function
(checked before anything is timed). Table on the screen and in docs/. QUICK=1 measures a part, into bench-output/.
"""

import dataclasses
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict

import torch
from tqdm import tqdm

from tools.comfyui.environment import HOST, ROOT, TOY_CHECKPOINT
from tools.comfyui.library import load_nodes

NODES = load_nodes()

import comfy.model_management  # noqa: E402
import comfy.sample  # noqa: E402
from host.models import families, tiny_diffusion  # noqa: E402
from toyworld.host_model import Sampler, load_checkpoint, load_narrow  # noqa: E402

from .diffedit_nodes import PUBLISHED, DiffEditNodes, ModelCalls, means, quality  # noqa: E402
from .diffedit_pipeline import DiffusersSide, NarrowUNet, largest_difference, unet_of  # noqa: E402
from .diffedit_tasks import Task, tasks  # noqa: E402
from .machine import describe_machine, one_quiet_thread  # noqa: E402
from .report import table  # noqa: E402
from .targets import Target  # noqa: E402

QUICK = bool(os.environ.get("QUICK"))
OUTPUT = ROOT / ("bench-output" if QUICK else "docs")
CHECKPOINT = HOST / "ComfyUI" / "models" / "checkpoints" / TOY_CHECKPOINT
JUDGED = 2 if QUICK else 24  # pictures of each kind of edit
TIMED = 1 if QUICK else 3  # pictures
REPETITIONS = 3 if QUICK else 15  # of the sampling cost
COST_STEPS = 8
MIB = 2**20

DIFFUSERS = "diffusers, its defaults"
OURS = "nodes, diffusers' settings"
FEWER = "nodes, fewer steps"
RECOMMENDED = "nodes, recommended"
SETTINGS = {
    OURS: {},
    FEWER: {"invert": {"steps": 35}},
    RECOMMENDED: {"mask": {"noise_strength": 0.6, "fill_holes": True}, "invert": {"steps": 16}},
}

Edit = Callable[[dict, Task], tuple[torch.Tensor, torch.Tensor]]


def edits(theirs: DiffusersSide, ours: DiffEditNodes) -> dict[str, Edit]:
    """Every way by name: LATENT and task in, mask and samples out."""
    ways: dict[str, Edit] = {
        DIFFUSERS: lambda latent, task: theirs.edit(latent, task.source, task.target, task.source, 7.5),
        "diffusers, inverting at guidance 1": lambda latent, task: theirs.edit(latent, task.source, task.target, "", 1.0),
    }
    for name, settings in SETTINGS.items():
        ways[name] = lambda latent, task, s=settings: ours.edit(latent, task.source, task.target, s)
    return ways


def both_kinds(count: int) -> list[Task]:
    return [task for kind in ("colour", "object") for task in tasks(kind, count, seed=5)]


def judge_task(task: Task) -> dict[str, dict[str, float]]:
    """The quality of every way on one picture, with the narrow network. For a worker."""
    sampler = _NARROW[0]
    ours = DiffEditNodes(sampler, NODES)
    latent = ours.latent(task.pixels)
    results = {}
    for name, edit in edits(DiffusersSide(sampler, NarrowUNet(sampler.toy)), ours).items():
        mask, samples = edit(latent, task)
        results[name] = quality(sampler, task, samples, mask)
    return results


_NARROW: list[Sampler] = []


def prepare_worker() -> None:
    one_quiet_thread()
    _NARROW.append(Sampler(load_narrow(CHECKPOINT)))


def measure_quality() -> dict[str, dict[str, float]]:
    """Means over all judged pictures, of both kinds of edit."""
    over = both_kinds(JUDGED)
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn"), initializer=prepare_worker) as pool:
        rows = list(tqdm(pool.map(judge_task, over), total=len(over), desc="quality", unit="picture"))
    return {name: means([row[name] for row in rows]) for name in rows[0]}


def measure_times(sampler: Sampler, theirs: DiffusersSide) -> dict[str, dict[str, float]]:
    """Seconds of an edit (medians over the pictures, the ways taking turns) and what the network was asked for it.

    Processor seconds are what a busy machine does not lengthen.
    """
    ours = DiffEditNodes(sampler, NODES)
    counted = ModelCalls(sampler.toy.model)
    over = both_kinds(TIMED)[:: 1 if QUICK else 2]
    seconds: dict[str, list[float]] = {}
    processor: dict[str, list[float]] = {}
    for task in over:
        latent = ours.latent(task.pixels)
        for name, edit in edits(theirs, ours).items():
            comfy.model_management.load_models_gpu([sampler.toy.model])
            start, started = time.perf_counter(), time.process_time()
            edit(latent, task)
            seconds.setdefault(name, []).append(time.perf_counter() - start)
            processor.setdefault(name, []).append(time.process_time() - started)
    results = {}
    counting = DiffEditNodes(sampler, NODES, counted.model)
    for name, edit in edits(theirs, counting).items():
        theirs.calls = theirs.rows = counted.calls = counted.rows = 0
        edit(latent, over[-1])
        results[name] = {
            "seconds": statistics.median(seconds[name]),
            "processor seconds": statistics.median(processor[name]),
            "model evaluations": theirs.rows + counted.rows,
            "model calls": theirs.calls + counted.calls,
        }
    return results


def sampling_cost(sampler: Sampler) -> dict[str, float]:
    """Seconds of a model call inside Masked Latent Sample and inside the host's KSampler, with and without a noise mask.

    Same model, prompts, euler, cfg and number of calls; taking turns, medians.
    """
    ours = DiffEditNodes(sampler, NODES)
    task = both_kinds(1)[0]
    latent = ours.latent(task.pixels)
    trajectory = ours.invert(latent, steps=COST_STEPS, strength=1.0)
    mask = torch.zeros(1, 128, 128)
    mask[:, 32:96, 32:96] = 1
    noise = comfy.sample.prepare_noise(latent["samples"], 1)
    positive, negative = sampler.conditioning(task.target), sampler.conditioning("")

    def stock(noise_mask=None) -> None:
        comfy.sample.sample(
            sampler.toy.model,
            noise,
            COST_STEPS,
            PUBLISHED["sample"]["cfg"],
            "euler",
            "normal",
            positive,
            negative,
            latent["samples"],
            noise_mask=noise_mask,
            disable_pbar=True,
            seed=1,
        )

    ways = {
        "KSampler": stock,
        "KSampler with a noise mask": lambda: stock(mask),
        "Masked Latent Sample": lambda: ours.sample(trajectory, task.target, mask),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repetition in range(REPETITIONS + 1):
        turn = list(ways.items())
        for name, run in turn if repetition % 2 else reversed(turn):
            start = time.perf_counter()
            run()
            if repetition:  # the first loads the model
                seconds[name].append((time.perf_counter() - start) / COST_STEPS)
    ratio = statistics.median(
        ours / theirs for ours, theirs in zip(seconds["Masked Latent Sample"], seconds["KSampler"], strict=True)
    )
    return {name: statistics.median(values) for name, values in seconds.items()} | {"ratio": ratio}


def trajectory_memory() -> dict[str, dict[str, float]]:
    """Of real trajectories, made with tiny models of the host's classes on latents of the full size."""
    flux = next(case for case in families.CASES if case.name == "Flux")
    flux_prompt = [[families.random(1, families.ROWS, flux.embedding, seed=3), flux.extra()]]
    cases = {
        "SD 1.x, 512 x 512": (tiny_diffusion.tiny_model(gain=0.1), (1, 4, 64, 64), tiny_diffusion.prompt(0), 50),
        "Flux, 1024 x 1024": (flux.model(), (1, 16, 128, 128), flux_prompt, 35),
    }
    results = {}
    for name, (model, shape, prompt, steps) in cases.items():
        latent = {"samples": families.random(*shape, seed=4)}
        invert = {**PUBLISHED["invert"], "steps": steps}
        trajectory = NODES["DDIMInvert"].execute(model=model, latent=latent, positive=prompt, **invert).result[1]
        tensors = [getattr(trajectory, field.name) for field in dataclasses.fields(trajectory)]
        held = sum(t.untyped_storage().nbytes() for t in tensors if isinstance(t, torch.Tensor))
        results[name] = {
            "states": len(trajectory.states),
            "states, MiB": trajectory.states.untyped_storage().nbytes() / MIB,
            "with the original latent, MiB": held / MIB,
        }
    return results


def targets(results: dict) -> list[Target]:
    edit, cost, memory = results["edit"], results["sampling cost"]["the checkpoint's network"], results["memory"]
    theirs = edit[DIFFUSERS]
    found = []
    for name, bound in ((FEWER, 0.6), (RECOMMENDED, 0.35)):
        ours = edit[name]
        found.append(
            Target(f"{name}: time against diffusers' defaults", ours["seconds"] / theirs["seconds"], bound, at_most=True)
        )
        for measure in ("colour", "kind", "background PSNR", "mask IoU"):
            found.append(Target(f"{name}: {measure} more than with diffusers", ours[measure] - theirs[measure], 0.0))
        key = "background latent error"
        found.append(Target(f"{name}: {key} against diffusers'", ours[key] / theirs[key], 1.0, at_most=True))
    found.append(Target("Masked Latent Sample against KSampler, time of a model call", cost["ratio"], 1.03, at_most=True))
    for (name, row), bound in zip(memory.items(), (2.6, 29.0), strict=True):
        found.append(Target(f"trajectory of {name}, MiB", row["states, MiB"], bound, at_most=True))
    return found


def measure() -> dict:
    """Everything but the quality, in this process."""
    sampler, narrow = Sampler(load_checkpoint(CHECKPOINT)), Sampler(load_narrow(CHECKPOINT))
    comfy.model_management.load_models_gpu([sampler.toy.model, narrow.toy.model])
    unet, narrow_unet = unet_of(sampler.toy), NarrowUNet(narrow.toy)
    rows = sampler.conditioning("a red rose")[0][0]
    difference = max(largest_difference(sampler.toy, other, rows) for other in (unet, narrow_unet))
    if difference > 1e-4:
        raise SystemExit(f"error: the two sides do not run the same network: predictions differ by {difference:.2g}.")
    return {
        "largest difference of one prediction": difference,
        "edit": measure_times(sampler, DiffusersSide(sampler, unet)),
        "sampling cost": {
            "the checkpoint's network": sampling_cost(sampler),
            "the narrow network": sampling_cost(narrow),
        },
        "memory": trajectory_memory(),
    }


def main() -> int:
    one_quiet_thread()
    results = {"machine": describe_machine(), **measure()}
    judged = measure_quality()
    seconds = results["edit"][DIFFUSERS]["seconds"]
    results["edit"] = {
        name: {**row, "of diffusers' time": row["seconds"] / seconds, **judged[name]} for name, row in results["edit"].items()
    }
    results["settings"] = {
        name: {node: {**inputs, **changes.get(node, {})} for node, inputs in PUBLISHED.items()}
        for name, changes in SETTINGS.items()
    }
    lines = targets(results)
    changed = [f"{name}: {json.dumps(changes)}" for name, changes in SETTINGS.items() if changes]
    report = "\n\n".join(
        [
            results["machine"] + (", QUICK" if QUICK else ""),
            table(f"mask + invert + sample ({2 * JUDGED} pictures judged)", results["edit"]),
            "Changed against diffusers' settings: " + "; ".join(changed) + ".",
            table("seconds a model call", results["sampling cost"]),
            table("trajectory", results["memory"]),
            f"Largest difference of one prediction between the sides: {results['largest difference of one prediction']:.2g}.",
            "\n".join(map(str, lines)),
        ]
    )
    print(f"\n{report}\n")
    results["targets"] = [{**asdict(target), "met": target.met} for target in lines]
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / "diffedit_speed.md").write_text(report + "\n")
    (OUTPUT / "diffedit_speed.json").write_text(json.dumps(results, indent=2) + "\n")
    return 0 if all(target.met for target in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
