"""`make time-settings`: what each setting of a TIME edit buys, on the toy world. Tables and plots in bench-output/.

Every row is the published edit with one thing changed, judged from pixels (see quality_time). TABLES="strength; tokens"
measures these tables only and keeps the others as they are; QUICK=1 measures a part of each.
"""

import json
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from tqdm import tqdm

from tools.comfyui.environment import HOST, ROOT, TOY_CHECKPOINT
from tools.comfyui.library import load_nodes

NODES = load_nodes()

from toyworld.host_model import Sampler, load_narrow  # noqa: E402
from toyworld.judge import judge  # noqa: E402
from toyworld.world import ASSUMED_COLOUR, COLOURS, OBJECTS  # noqa: E402

from .machine import describe_machine  # noqa: E402
from .plot import pages  # noqa: E402
from .quality_time import POSITIVES, Pair, pairs  # noqa: E402
from .report import percent, table  # noqa: E402

OUTPUT = ROOT / "bench-output"
CHECKPOINT = HOST / "ComfyUI" / "models" / "checkpoints" / TOY_CHECKPOINT
QUICK = bool(os.environ.get("QUICK"))
STEPS = 10
SEEDS = list(range(1, 3 if QUICK else 9))
PAIRS = pairs(3)[:: 6 if QUICK else 2]
UNRELATED = 2
PUBLISHED = {
    "lamb": 0.1,
    "strength": 1.0,
    "edit_keys": True,
    "edit_values": True,
    "augmentations": "A photo of \nAn image of \nA picture of ",
    "preserve": "",
}


@dataclass(frozen=True)
class Choice:
    """A row of a table: the published settings with `changes`; `preserve_others` keeps that many other objects."""

    table: str
    name: str
    changes: dict = field(default_factory=dict)
    preserve_others: int = 0


CHOICES = (
    *(Choice("lambda", f"{lamb:g}", {"lamb": lamb}) for lamb in (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)),
    *(Choice("strength", f"{strength:g}", {"strength": strength}) for strength in (0.25, 0.5, 0.75, 1.0, 1.25)),
    Choice("preserve", "nothing (published)"),
    Choice("preserve", "the empty prompt", {"preserve_empty": True}),
    Choice("preserve", "3 other objects", {}, 3),
    Choice("preserve", "3 other objects and the empty prompt", {"preserve_empty": True}, 3),
    Choice("tokens", "all (published)"),
    Choice("tokens", "without padding", {"tokens": "without padding"}),
    Choice("tokens", "last word", {"tokens": "last word"}),
    Choice("tokens", "whole prompt: end and padding", {"alignment": "whole prompt"}),
    Choice("weights", "keys and values (published)"),
    Choice("weights", "keys", {"edit_values": False}),
    Choice("weights", "values", {"edit_keys": False}),
    Choice("weights", "down blocks", {"layers": "down"}),
    Choice("weights", "middle and up blocks", {"layers": "middle, up"}),
    Choice("augmentations", "three beginnings (published)"),
    Choice("augmentations", "none", {"augmentations": ""}),
)
JOINT = (1, 2, 3, 4, 6, 9, 12)
WAYS = {
    "several edits, joint": {},
    "several edits, sequential": {},
    "several edits, joint, lambda 1": {"lamb": 1.0},
}
TABLES = [name.strip() for name in os.environ.get("TABLES", "").split(";") if name.strip()]


def new_sampler() -> Sampler:
    return Sampler(load_narrow(CHECKPOINT), steps=STEPS)


def edited(sampler: Sampler, model, source: str, destination: str, changes: dict):
    inputs = {**PUBLISHED, **changes, "source": source, "destination": destination}
    return NODES["TIMEEditModel"].execute(model=model, clip=sampler.toy.clip, **inputs).result[0]


def share(sampler: Sampler, prompt: str, colour: str, model) -> float:
    """Of the seeds, those whose picture shows this colour."""
    return float(np.mean([judge(picture).colour == colour for picture in sampler.pictures(prompt, SEEDS, model)]))


def measure_choice(sampler: Sampler, choice: Choice) -> dict:
    """Means over the pairs, each edited by itself."""
    rows = []
    for pair in PAIRS:
        others = [noun for noun in OBJECTS if noun != pair.noun]
        judged, kept = others[:UNRELATED], others[UNRELATED : UNRELATED + choice.preserve_others]
        changes = {**choice.changes, "preserve": "\n".join(f"a {noun}" for noun in kept)}
        model = edited(sampler, sampler.toy.model, pair.source, pair.destination, changes)
        rows.append(
            [
                share(sampler, pair.source, pair.colour, model),
                np.mean([share(sampler, pair.plain(template), pair.colour, model) for template in POSITIVES[:2]]),
                np.mean([share(sampler, f"a {noun}", ASSUMED_COLOUR[noun], model) for noun in judged]),
            ]
        )
    efficacy, generality, specificity = (float(value) for value in np.mean(rows, axis=0))
    return {
        "efficacy": efficacy,
        "generality": generality,
        "specificity": specificity,
        "geometric mean": float(np.cbrt(efficacy * generality * specificity)),
    }


def measure_joint(sampler: Sampler, count: int, way: str) -> dict:
    """The first `count` pairs, all on one model: solved in one system, or one node after another."""
    chosen = pairs(3)[:count]
    model = sampler.toy.model
    if "joint" in way:
        lines = ("\n".join(p.source for p in chosen), "\n".join(p.destination for p in chosen))
        model = edited(sampler, model, *lines, WAYS[way])
    else:
        for pair in chosen:
            model = edited(sampler, model, pair.source, pair.destination, {})
    others = [noun for noun in OBJECTS if noun not in {pair.noun for pair in chosen}][:4]
    return {
        "efficacy": float(np.mean([share(sampler, p.source, p.colour, model) for p in chosen])),
        "specificity, other objects": (
            float(np.mean([share(sampler, f"a {noun}", ASSUMED_COLOUR[noun], model) for noun in others])) if others else None
        ),
        "named colours kept": float(np.mean([_named(sampler, p, model) for p in chosen[:4]])),
    }


def _named(sampler: Sampler, pair: Pair, model) -> float:
    """The edited object with a third colour in the prompt: the edit must not overrule what is asked for."""
    colour = next(c for c in COLOURS if c not in (pair.colour, ASSUMED_COLOUR[pair.noun]))
    article = "an" if colour[0] in "aeiou" else "a"
    return share(sampler, f"{article} {colour} {pair.noun}", colour, model)


def _work(task: tuple[str, int]) -> tuple[tuple[str, int], dict]:
    kind, index = task
    sampler = _SAMPLER[0]
    if kind == "choice":
        return task, measure_choice(sampler, CHOICES[index])
    return task, measure_joint(sampler, JOINT[index], kind)


_SAMPLER: list[Sampler] = []


def _prepare() -> None:
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    _SAMPLER.append(new_sampler())


def measure_all(workers: int) -> dict[tuple[str, int], dict]:
    tasks = [(way, i) for i in reversed(range(len(JOINT))) for way in WAYS if not TABLES or way in TABLES]
    tasks += [("choice", i) for i, choice in enumerate(CHOICES) if not TABLES or choice.table in TABLES]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare) as pool:
        return dict(tqdm(pool.map(_work, tasks), total=len(tasks), desc="TIME settings"))


def main() -> int:
    started = time.monotonic()
    unknown = set(TABLES) - set(WAYS) - {choice.table for choice in CHOICES}
    if unknown:
        print(f"error: TABLES names {', '.join(sorted(unknown))}, which is not measured here.", file=sys.stderr)
        return 1
    measured = measure_all(max(1, min(os.cpu_count() or 1, 8)))
    tables: dict[str, dict[str, dict]] = {}
    for (kind, i), row in sorted(measured.items(), key=lambda item: item[0][1]):
        if kind == "choice":
            tables.setdefault(CHOICES[i].table, {})[CHOICES[i].name] = row
        else:
            tables.setdefault(kind, {})[f"{JOINT[i]} pairs"] = row
    run = (
        f"{describe_machine()}. Toy world, {len(PAIRS)} pairs, {len(SEEDS)} seeds, euler, {STEPS} steps, CFG 3, "
        f"{time.monotonic() - started:.0f} s" + (", QUICK" if QUICK else "")
    )
    OUTPUT.mkdir(exist_ok=True)
    path = OUTPUT / "time_settings.json"
    results = json.loads(path.read_text()) if TABLES and path.exists() else {"runs": {}, "tables": {}}
    results["runs"] |= dict.fromkeys(tables, run)
    results["tables"] |= tables
    path.write_text(json.dumps(results, indent=2) + "\n")
    report = "\n\n".join(
        f"### {name}\n\n{results['runs'][name]}\n\n{table(name, rows, percent)}" for name, rows in results["tables"].items()
    )
    (OUTPUT / "time_settings.md").write_text(report + "\n")
    pages(OUTPUT / "time_settings.png", results["tables"])
    print(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
