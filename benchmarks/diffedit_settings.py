"""`make diffedit-settings`: what each setting of DiffEdit buys, on the toy world with exact masks. Tables and plots in docs/.

TABLES="maps; strength" measures these studies only and keeps the others as they are, so that a long run can be made in
parts; QUICK=1 measures a few pictures, into bench-output/.
"""

import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from tqdm import tqdm

from tools.comfyui.environment import HOST, ROOT, TOY_CHECKPOINT
from tools.comfyui.library import load_nodes

NODES = load_nodes()

import comfy.sample  # noqa: E402
import folder_paths  # noqa: E402
from toyworld.host_model import Sampler, load_narrow  # noqa: E402
from toyworld.world import BACKGROUNDS, COLOURS, OBJECTS, Place, Scene, draw, silhouette  # noqa: E402

from .diffedit_methods import FAMILIES, STEPS, methods, on_the_mixture, on_the_toy_world  # noqa: E402
from .diffedit_nodes import PUBLISHED, DiffEditNodes, best_iou, mask_quality, quality  # noqa: E402
from .diffedit_plot import plot  # noqa: E402
from .diffedit_tasks import Task, tasks  # noqa: E402
from .machine import describe_machine, one_quiet_thread  # noqa: E402
from .quality_diffedit import RECOMMENDED  # noqa: E402
from .report import table  # noqa: E402

QUICK = bool(os.environ.get("QUICK"))
OUTPUT = ROOT / ("bench-output" if QUICK else "docs")
CHECKPOINT = HOST / "ComfyUI" / "models" / "checkpoints" / TOY_CHECKPOINT
TABLES = [name.strip() for name in os.environ.get("TABLES", "").split(";") if name.strip()]
SEED = 6

KINDS = ("colour", "object")
MAPS = (1, 2, 4, 8, 10, 16, 32)
NOISE_STRENGTHS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
RADII = (8, 12, 16, 20, 24, 28)  # of 64; the model was trained on single objects of 20 to 24, and pairs of 12
STRENGTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SAMPLING_STEPS = 25

RULES = {
    "mean ratio 3 (diffusers)": {},
    "mean ratio 1.5": {"threshold_ratio": 1.5},
    "mean ratio 2": {"threshold_ratio": 2.0},
    "mean ratio 4": {"threshold_ratio": 4.0},
    "paper, no outliers": {"rule": "paper", "outliers": 0.0},
    "paper, outliers 2 %": {"rule": "paper", "outliers": 2.0},
    "paper, outliers 5 %": {"rule": "paper", "outliers": 5.0},
    "paper, outliers 2 %, threshold 0.3": {"rule": "paper", "outliers": 2.0, "threshold": 0.3},
    "level 0.02": {"rule": "level", "level": 0.02},
    "level 0.05": {"rule": "level", "level": 0.05},
    "level 0.1": {"rule": "level", "level": 0.1},
    "otsu": {"rule": "otsu"},
    "otsu, smooth 0.5": {"rule": "otsu", "smooth": 0.5},
    "otsu, fill holes": {"rule": "otsu", "fill_holes": True},
    "otsu, grow 1": {"rule": "otsu", "grow": 1},
    "mean ratio 3, fill holes": {"fill_holes": True},
    "mean ratio 1.5, fill holes": {"threshold_ratio": 1.5, "fill_holes": True},
    "mean ratio 4, fill holes": {"threshold_ratio": 4.0, "fill_holes": True},
    "area 20 %": {"rule": "area", "area": 20.0},
    "area 40 %": {"rule": "area", "area": 40.0},
}
"""By name, changed inputs of Heatmap to Mask."""

SHOWN = ("mean ratio 3 (diffusers)", "mean ratio 1.5", "otsu", "otsu, fill holes")
"""The rules that are followed over all settings."""

Tables = dict[str, dict[str, dict[str, float]]]
"""Table, row, column: value."""


def masks(bench: DiffEditNodes, heatmap, rules) -> dict[str, torch.Tensor]:
    """The MASK of each of the named RULES."""
    inputs = {name: PUBLISHED["mask"][name] for name in ("threshold_ratio", "threshold")}
    node = bench.nodes["HeatmapToMask"]
    return {rule: node.execute(heatmap=heatmap, **{**inputs, **RULES[rule]}).result[0] for rule in rules}


def ious(bench: DiffEditNodes, task: Task, rules, **changes) -> dict[str, float]:
    """The IoU of each of the named RULES, from one heat map."""
    heatmap = bench.contrast(bench.latent(task.pixels), task.source, task.target, **changes)[1]
    return {rule: mask_quality(task, mask)["mask IoU"] for rule, mask in masks(bench, heatmap, rules).items()}


def maps(bench: DiffEditNodes, task: Task, kind: str) -> Tables:
    rows = {}
    for count in MAPS:
        found = ious(bench, task, SHOWN, maps=count)
        rows[f"{count}"] = {f"{kind}: {rule}": value for rule, value in found.items()}
    return {"mask IoU against maps": rows}


def noise(bench: DiffEditNodes, task: Task, kind: str) -> Tables:
    by_strength, by_rule = {}, {}
    for strength in NOISE_STRENGTHS:
        found = ious(bench, task, RULES, noise_strength=strength)
        by_strength[f"{strength:g}"] = {f"{kind}: {rule}": found[rule] for rule in SHOWN}
        if strength in (0.5, 0.7):
            for rule, value in found.items():
                by_rule.setdefault(rule, {})[f"{kind}, noise {strength:g}"] = value
            by_rule.setdefault("best mask of latent cells", {})[f"{kind}, noise {strength:g}"] = best_iou([task])
    return {"mask IoU against noise strength": by_strength, "mask IoU against rule": by_rule}


def sized_tasks(kind: str, count: int, radius: float) -> list[Task]:
    """Tasks as `quality_diffedit.tasks` draws them, with objects of this radius (of 64)."""
    rng = np.random.RandomState(SEED)
    made = []
    for i in range(count):
        noun, colour = OBJECTS[i % len(OBJECTS)], list(COLOURS)[rng.randint(len(COLOURS))]
        background = list(BACKGROUNDS)[rng.randint(len(BACKGROUNDS))]
        colours, nouns = [c for c in COLOURS if c != colour], [n for n in OBJECTS if n != noun]
        reach = 32 - radius
        place = Place(32 + rng.uniform(-0.5, 0.5) * reach, 32 + rng.uniform(-0.5, 0.5) * reach, radius)
        shown = Scene(noun, colour, background=background)
        other = {"colour": colours[rng.randint(len(colours))]} if kind == "colour" else {"noun": nouns[rng.randint(len(nouns))]}
        wanted = replace(shown, **other)
        picture = draw(rng, shown, (place,))
        truth = np.maximum(picture.mask, silhouette(wanted.noun, place)) >= 0.5
        made.append(Task(picture.pixels, truth, shown.caption, wanted.caption, wanted.noun, wanted.colour))
    return made


def size(bench: DiffEditNodes, index: int, kind: str) -> Tables:
    rows = {}
    for radius in RADII:
        task = sized_tasks(kind, index + 1, radius)[index]
        changed = {"noise_strength": RECOMMENDED[kind].noise_strength}
        found = ious(bench, task, SHOWN, **changed)
        columns = {f"{kind}: {rule}": value for rule, value in found.items()}
        rows[f"{radius}"] = {f"{kind}: area": float(task.truth.mean()), **columns}
    return {"mask IoU against object radius": rows}


def strength(bench: DiffEditNodes, task: Task, kind: str) -> Tables:
    chosen = RECOMMENDED[kind]
    latent = bench.latent(task.pixels)
    mask = bench.contrast(latent, task.source, task.target, **chosen.of_mask())[0]
    tables: Tables = {}
    for share in STRENGTHS:
        for way, samples in edited(bench, task, latent, mask, share).items():
            found = quality(bench.sampler, task, samples)
            measured = {
                "edit success": found["colour"] * found["kind"],
                "background PSNR": found["background PSNR"],
                "background latent error": found["background latent error"],
            }
            for name, value in measured.items():
                tables.setdefault(f"{name} against strength, {kind} edits", {}).setdefault(f"{share:g}", {})[way] = value
    return tables


def edited(bench: DiffEditNodes, task: Task, latent: dict, mask: torch.Tensor, share: float) -> dict[str, torch.Tensor]:
    """The picture edited in five ways, over the same number of sampling steps from about the same noise level."""
    trajectory = bench.invert(latent, steps=SAMPLING_STEPS, strength=share)
    noise = comfy.sample.prepare_noise(latent["samples"], SEED)
    sigmas = trajectory.sigmas[:, None, None, None, None]
    noised = replace(trajectory, states=trajectory.states[:1] + sigmas * noise)

    def stock(noise_mask=None) -> torch.Tensor:
        """The host's KSampler with this denoise; `noise_mask` as Set Latent Noise Mask gives it."""
        return comfy.sample.sample(
            bench.sampler.toy.model,
            noise,
            len(trajectory.sigmas) - 1,
            PUBLISHED["sample"]["cfg"],
            "euler",
            "normal",
            bench.sampler.conditioning(task.target),
            bench.sampler.conditioning(""),
            latent["samples"],
            denoise=share,
            noise_mask=noise_mask,
            disable_pbar=True,
            seed=SEED,
        )

    return {
        "DiffEdit": bench.sample(trajectory, task.target, mask),
        "SDEdit": stock(),
        "inpainting with a noise mask": stock(mask),
        "encode only": bench.sample(trajectory, task.target),
        "mask only": bench.sample(noised, task.target, mask),
    }


def inversion(bench: DiffEditNodes, task: Task, kind: str) -> Tables:
    rows = {}
    for name, inputs in methods(bench.nodes):
        for steps in STEPS:
            rows[f"{name}, {steps} steps"] = on_the_toy_world(bench, [task], inputs, steps)
    return {"inversion, toy world": rows}


def mixture(bench: DiffEditNodes, index: int, family: str) -> Tables:
    rows = {}
    for name, inputs in methods(bench.nodes):
        for steps in STEPS:
            rows[f"{name}, {steps} steps"] = on_the_mixture(bench.nodes, family, inputs, steps)
    return {f"inversion, mixture of Gaussians, {family}": rows}


@dataclass(frozen=True)
class Study:
    """`measure(bench, task or index, variant)` gives a picture's share of the tables; every variant has `count` pictures."""

    measure: Callable[..., Tables]
    count: int
    note: str
    variants: tuple[str, ...] = KINDS
    draws_itself: bool = False


STUDIES = {
    "maps": Study(maps, 24, "Noise strength 0.5. IoU with the old and the new object together, to the pixel."),
    "noise": Study(noise, 24, f"{PUBLISHED['mask']['maps']} maps. The level of a rule is in units of the noise."),
    "size": Study(
        size,
        12,
        "Radius of 64; noise strength "
        + ", ".join(f"{RECOMMENDED[kind].noise_strength:g} for {kind} edits" for kind in KINDS)
        + ". The model was trained on single objects of radius 20 to 24, and on pairs of radius 12.",
        draws_itself=True,
    ),
    "strength": Study(
        strength,
        12,
        f"{SAMPLING_STEPS} steps at strength 1, in proportion below, euler, cfg {PUBLISHED['sample']['cfg']:g}; the same mask, "
        "the recommended one of make quality, "
        "for all ways that read one. Success: both colour and kind as asked. Background: what is neither old nor new object, "
        "against the picture encoded and decoded. SDEdit: KSampler with denoise. Encode only: DiffEdit without the mask. "
        "Mask only: DiffEdit from the noised picture instead of the inverted one.",
    ),
    "inversion": Study(
        inversion,
        4,
        "Inverted to strength 0.8 and sampled back by the method's own step, both under the source prompt, cfg 1. PSNR "
        "against the picture encoded and decoded, at most 120.",
        ("colour",),
    ),
    "mixture": Study(
        mixture,
        1,
        "The same on a model whose denoiser is known in closed form. The true noise is the end of the exact path from the "
        "picture; ddpm does not look for it, for it draws its noises.",
        tuple(FAMILIES),
        draws_itself=True,
    ),
}


def measure_job(job: tuple[str, str, int]) -> Tables:
    """One picture of one study. For a worker."""
    name, variant, index = job
    study = STUDIES[name]
    subject = index if study.draws_itself else tasks(variant, index + 1, SEED)[index]
    return study.measure(_BENCH[0], subject, variant)


_BENCH: list[DiffEditNodes] = []
_TEMPORARY: list[tempfile.TemporaryDirectory] = []


def prepare_worker() -> None:
    one_quiet_thread()
    _TEMPORARY.append(tempfile.TemporaryDirectory())  # for the nodes' previews
    folder_paths.set_temp_directory(_TEMPORARY[0].name)
    _BENCH.append(DiffEditNodes(Sampler(load_narrow(CHECKPOINT)), NODES))


def means(parts: list[Tables]) -> Tables:
    values: dict[tuple[str, str, str], list[float]] = {}
    for part in parts:
        for name, rows in part.items():
            for row, columns in rows.items():
                for column, value in columns.items():
                    values.setdefault((name, row, column), []).append(value)
    merged: Tables = {}
    for (name, row, column), found in values.items():
        merged.setdefault(name, {}).setdefault(row, {})[column] = float(np.mean(found))
    return merged


def save(results: dict[str, dict]) -> str:
    """Writes all three files from each study's "run", "note" and "tables"; the report."""
    OUTPUT.mkdir(exist_ok=True)
    found = {name: results[name] for name in STUDIES if name in results}
    parts = []
    for study in found.values():
        for name, rows in study["tables"].items():
            parts.append(f"### {name}\n\n{study['note']}\n{study['run']}\n\n{table('', rows, '{:.3g}'.format)}")
    report = "\n\n".join(parts)
    (OUTPUT / "diffedit_settings.json").write_text(json.dumps(found, indent=2) + "\n")
    (OUTPUT / "diffedit_settings.md").write_text(report + "\n")
    plot(OUTPUT / "diffedit_settings.png", {name: rows for study in found.values() for name, rows in study["tables"].items()})
    return report


def main() -> int:
    unknown = set(TABLES) - set(STUDIES)
    if unknown:
        print(f"error: TABLES names {', '.join(sorted(unknown))}; there are {', '.join(STUDIES)}.", file=sys.stderr)
        return 1
    path = OUTPUT / "diffedit_settings.json"
    results = json.loads(path.read_text()) if TABLES and path.exists() else {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(1, min(os.cpu_count() or 1, 8)), context, initializer=prepare_worker) as pool:
        for name, study in STUDIES.items():
            if TABLES and name not in TABLES:
                continue
            started = time.monotonic()
            count = min(study.count, 2) if QUICK else study.count
            jobs = [(name, variant, index) for index in range(count) for variant in study.variants]
            tables = means(list(tqdm(pool.map(measure_job, jobs), total=len(jobs), desc=name, unit="picture")))
            run = f"{describe_machine()}; {len(jobs)} pictures, {time.monotonic() - started:.0f} s" + (
                ", QUICK" if QUICK else ""
            )
            results[name] = {"run": run, "note": study.note, "tables": tables}
            save(results)  # a run that is interrupted keeps what it has
    print(save(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
