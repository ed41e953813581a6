"""`make quality`: both methods on the toy world, with fixed seeds. Table on the screen and in quality-output/.

QUICK=1 measures a tenth, to see that it runs; its numbers decide nothing. ONLY=diffedit measures DiffEdit anew and takes the
rest from docs/quality.json; ONLY=picture measures only the row of the two methods joined.
"""

import hashlib
import json
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import torch
from tqdm import tqdm

from tools.comfyui.environment import HOST, ROOT, TOY_CHECKPOINT
from tools.comfyui.library import load_nodes

NODES = load_nodes()

from toyworld.host_model import Sampler, load_checkpoint, load_narrow  # noqa: E402

from .diffedit_tasks import assumption_tasks, tasks  # noqa: E402
from .machine import describe_machine, one_quiet_thread  # noqa: E402
from .quality_diffedit import JOINED, PUBLISHED, RECOMMENDED, DiffEditBench  # noqa: E402
from .quality_time import JUDGED, PUBLISHED_LAMBDA, Pair, Score, TimeBench, choose_lambda  # noqa: E402
from .report import table  # noqa: E402
from .targets import Target  # noqa: E402

OUTPUT = ROOT / "quality-output"
CHECKPOINT = HOST / "ComfyUI" / "models" / "checkpoints" / TOY_CHECKPOINT
ONLY = os.environ.get("ONLY", "")
QUICK = bool(os.environ.get("QUICK"))
TIME_STEPS = 10
SEEDS = 4 if QUICK else 16
SEEDS_TO_CHOOSE = 1 if QUICK else 4
TASKS = 6 if QUICK else 50
INVERSIONS = 2 if QUICK else 12
TIME_OF_A_PICTURE = "TIME edit of a picture, published defaults"


def weights_hash(model) -> str:
    """SHA-256 over all weights of a MODEL as they are in memory now."""
    total = hashlib.sha256()
    for key, tensor in sorted(model.model.state_dict().items()):
        total.update(key.encode())
        total.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def base_model_untouched(sampler: Sampler) -> dict[str, bool]:
    """On the checkpoint as the host loads it: hashes before the edit, while the edited model is loaded and used, and after."""
    model = sampler.toy.model
    before = weights_hash(model)
    plain = sampler.pictures("a rose", [1])
    edited = TimeBench(sampler, NODES["TIMEEditModel"], 1, lambda _: None).edit(Pair("rose", "blue"), 10.0)
    changed = sampler.pictures("a rose", [1], edited)
    del edited
    again = sampler.pictures("a rose", [1])
    return {
        "weights equal after the edit is gone": weights_hash(model) == before,
        "picture equal after the edit is gone": bool((plain == again).all()),
        "the edit changed the picture": bool((plain != changed).any()),
    }


def time_bench(seeds: int, bar: tqdm) -> TimeBench:
    return TimeBench(Sampler(load_narrow(CHECKPOINT), steps=TIME_STEPS), NODES["TIMEEditModel"], seeds, bar.update)


def measure_time_as_published(line: int) -> dict:
    with progress("TIME: unedited, oracle, published", line) as bar:
        bench = time_bench(SEEDS, bar)
        return {
            "unedited": bench.score(JUDGED, None),
            "oracle": bench.score(JUDGED, None, name_colour=True),
            f"TIME, lambda {PUBLISHED_LAMBDA:g} (published)": bench.score(JUDGED, PUBLISHED_LAMBDA),
        }


def measure_time_at_its_best(line: int) -> tuple[float, dict, Score]:
    """The lambda chosen on other pairs, what it was chosen from, and its score on the judged ones."""
    with progress("TIME: choosing lambda, then judging it", line) as bar:
        bench = time_bench(SEEDS, bar)
        chosen, choice = choose_lambda(TimeBench(bench.sampler, bench.node, SEEDS_TO_CHOOSE, bar.update))
        return chosen, choice, bench.score(JUDGED, chosen)


def measure_diffedit(line: int) -> dict:
    edits, inversion = {}, {}
    with progress("DiffEdit", line, total=5 * TASKS + 6 * INVERSIONS) as bar:
        bench = DiffEditBench(Sampler(load_narrow(CHECKPOINT)), NODES, bar.update)
        for kind in ("colour", "object"):
            over = tasks(kind, TASKS, seed=2)
            edits[f"{kind}, published defaults"] = bench.edits(over, PUBLISHED)
            edits[f"{kind}, recommended"] = bench.edits(over, RECOMMENDED[kind])
        edits |= joined_edit(bench)
        over = tasks("colour", INVERSIONS, seed=4)
        for strength in (0.5, 0.8):
            for method, refinements in (("ddim", 1), ("fixed point", 3), ("fixed point", 8)):
                name = f"strength {strength:g}, {method}" + (f" x{refinements}" if method != "ddim" else "")
                inversion[name] = bench.reconstruction(over, method, refinements, strength)
    return {"edits": edits, "inversion psnr": inversion}


def joined_edit(bench: DiffEditBench) -> dict:
    return {TIME_OF_A_PICTURE: bench.edits(assumption_tasks(TASKS, seed=6), JOINED)}


def measure_joined() -> dict:
    with progress("TIME edit of a picture", 0, total=TASKS) as bar:
        return joined_edit(DiffEditBench(Sampler(load_narrow(CHECKPOINT)), NODES, bar.update))


def progress(title: str, line: int, total: int | None = None) -> tqdm:
    return tqdm(total=total, desc=title, unit="picture", position=line, mininterval=10)


def measure_all() -> tuple[dict, dict]:
    """The three parts side by side, one core each: the pictures are too small to share one between cores."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context, initializer=one_quiet_thread) as pool:
        parts = (measure_time_as_published, measure_time_at_its_best, measure_diffedit)
        published, best, diffedit = (pool.submit(part, line) for line, part in enumerate(parts))
        scores = published.result()
        chosen, choice, scores_at_best = best.result()
        scores[f"TIME, lambda {chosen:g} (chosen on other pairs)"] = scores_at_best
        timed = {
            "chosen lambda": chosen,
            "choice": {f"lambda {lamb:g}": score.row() for lamb, score in choice.items()},
            "scores": {name: score.row() for name, score in scores.items()},
            "by pair": {name: score.by_pair for name, score in scores.items()},
        }
        return timed, diffedit.result()


def targets(timed: dict, diff: dict, base: dict) -> list[Target]:
    chosen = list(timed["scores"].values())[-1]
    found = [Target(f"TIME {name}", chosen[name], bound) for name, bound in TIME_BOUNDS.items()]
    colour, other = diff["edits"]["colour, published defaults"], diff["edits"]["object, recommended"]
    found += [
        Target("DiffEdit mask IoU, colour edits, published defaults", colour["iou"], 0.7),
        Target("DiffEdit mask IoU, object edits, recommended", other["iou"], 0.5),
        Target("DiffEdit asked colour, colour edits", colour["colour"], 0.9),
        Target("DiffEdit asked colour, object edits, recommended", other["colour"], 0.9),
        Target("DiffEdit asked kind, object edits, recommended", other["kind"], 0.8),
    ]
    for name, row in diff["edits"].items():
        found.append(Target(f"latent error outside, {name}", row["latent error outside"], 0.0, at_most=True))
        loss = row["encode-decode psnr outside"] - row["psnr outside, pasted"]
        found.append(Target(f"background PSNR lost against encode-decode, pasted, dB, {name}", loss, 0.0, at_most=True))
    return found + [Target(name, float(value), 1.0) for name, value in base.items()]


TIME_BOUNDS = {"efficacy": 0.95, "generality": 0.90, "specificity": 0.90}


def main() -> int:
    one_quiet_thread()
    started = time.monotonic()
    if ONLY:
        before = json.loads((ROOT / "docs" / "quality.json").read_text())
        timed, base, diff, runs = before["time"], before["base model"], before["diffedit"], before["runs"]
    else:
        base, runs = base_model_untouched(Sampler(load_checkpoint(CHECKPOINT))), {}
        timed, diff = measure_all()
    if ONLY == "diffedit":
        diff = measure_diffedit(0)
    elif ONLY == "picture":
        diff["edits"] |= measure_joined()
    this_run = f"{describe_machine()}, {time.monotonic() - started:.0f} s" + (", QUICK" if QUICK else "")
    measured = {"diffedit": ["DiffEdit", "joined"], "picture": ["joined"]}.get(ONLY, ["TIME", "DiffEdit", "joined"])
    runs = runs | dict.fromkeys(measured, this_run)
    report = "\n\n".join(
        [
            "Toy world. " + " ".join(f"{method}: {run}." for method, run in runs.items()),
            f"## TIME, {len(JUDGED)} pairs x {SEEDS} seeds, euler, {TIME_STEPS} steps, CFG 3\n\n" + table("", timed["scores"]),
            f"Lambda chosen on other pairs, {SEEDS_TO_CHOOSE} seeds:\n\n" + table("", timed["choice"]),
            f"## DiffEdit, {TASKS} pictures a row\n\n" + table("", diff["edits"]),
            f"## Reconstruction, {INVERSIONS} pictures, PSNR in dB against encode-decode\n\n"
            + table("", {name: {"PSNR": value} for name, value in diff["inversion psnr"].items()}),
        ]
    )
    lines = targets(timed, diff, base)
    report += "\n\n" + "\n".join(str(target) for target in lines)
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / "quality.md").write_text(report + "\n")
    results = {
        "time": timed,
        "diffedit": diff,
        "base model": base,
        "runs": runs,
        "targets": {t.name: [t.value, t.met] for t in lines},
    }
    (OUTPUT / "quality.json").write_text(json.dumps(results, indent=2) + "\n")
    print(report)
    return 0 if all(target.met for target in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
