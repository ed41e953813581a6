"""Quality: both methods on the toy world, with fixed seeds, against targets.

TIME has efficacy, generality and specificity, with the published lambda and with the best of some on other edits; DiffEdit is
measured on drawn pictures whose truth is known to the pixel, and "joined" is a picture changed by the edit of a model.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from toyworld.world import OBJECTS

from tools.comfyui.environment import TOY_CHECKPOINT

from ..data.toy_edits import KINDS, ToyEdit, assumption_edits, toy_edits
from ..data.toy_prompts import noun_phrase
from ..hosts.editing import DiffEditNodes, Settings
from ..hosts.library import LibraryHost
from ..judges.pixels import psnr
from ..judges.toy_edits import outside_mask
from ..report.report import Target
from ..run.measurement import Workplace
from ..run.values import Results
from .study import Numbers, Part, Study, Tables
from .toy_shares import shares, toy_rows, with_geometric_means

PUBLISHED_LAMBDA = 0.1
LAMBDAS = (0.1, 1.0, 10.0, 100.0)
SEED = {"seed": 1}
PUBLISHED = Settings("published defaults", SEED, {}, SEED)
RECOMMENDED = {
    "colour": Settings("recommended", SEED | {"noise_strength": 0.6, "rule": "otsu"}, {}, SEED),
    "object": Settings("recommended", SEED | {"rule.threshold_ratio": 1.5, "fill_holes": True}, {}, SEED),
}
"""As docs/diffedit_settings.md has it."""
TIME_OF_A_PICTURE = "TIME edit of a picture, published defaults"
INVERSIONS = {
    "ddim": {},
    "fixed point x3": {"method": "fixed point", "method.refinements": 3},
    "fixed point x8": {"method": "fixed point", "method.refinements": 8},
}
TIME_BOUNDS = {"efficacy": 0.95, "generality": 0.90, "specificity": 0.90}


def unrelated(noun: str) -> list[str]:
    """Objects that an edit must leave alone: next ones in the world's order."""
    start = OBJECTS.index(noun)
    return [OBJECTS[(start + 1 + 2 * k) % len(OBJECTS)] for k in range(3)]


JUDGED = toy_rows(3, 3, unrelated)
CHOSEN_ON = toy_rows(5, 3, unrelated)[::3]


class Quality(Study):
    """Both methods on the toy world, with fixed seeds, against targets."""

    name = "quality"
    combine: ClassVar[Mapping] = {"latent error outside": np.nanmax}

    def parts(self) -> dict[str, Part]:
        pictures, inversions = self.few(50, 6), self.few(12, 2)
        how = f"{len(JUDGED)} pairs x {len(self.seeds)} seeds, euler, 10 steps, CFG 3."
        return {
            "base model": Part(base_model_untouched, note="The checkpoint as the host loads it; 1 is yes."),
            "TIME": Part(self.time_as_published, len(JUDGED), how),
            "choice": Part(self.time_by_lambda, len(CHOSEN_ON), f"Other pairs, {len(self.seeds_to_choose)} seeds."),
            "chosen": Part(self.time_at_its_best, len(JUDGED), how),
            "diffedit": Part(edited, 2 * pictures, f"{pictures} pictures a row."),
            "joined": Part(joined, pictures, f"{pictures} pictures a row."),
            "inversion": Part(reconstructed, inversions, f"{inversions} pictures; PSNR in dB against encode-decode."),
        }

    @property
    def seeds(self) -> list[int]:
        return list(range(1, 1 + self.few(16, 4)))

    @property
    def seeds_to_choose(self) -> list[int]:
        return list(range(1, 1 + self.few(4, 1)))

    def payload(self, part: str, results: Results) -> dict | None:
        if part != "chosen":
            return {}
        if any(f"choice/{i:03}" not in results for i in range(len(CHOSEN_ON))):
            return None
        found = with_geometric_means(self.tables_of(["choice"], results))["TIME, the choice of lambda"]
        return {"lamb": max(LAMBDAS, key=lambda lamb: found[f"lambda {lamb:g}"]["geometric mean"])}

    def time_as_published(self, worker: Workplace, subject: int) -> Numbers:
        row = JUDGED[subject]
        return {
            "TIME": {
                "unedited": shares(worker, row, self.seeds, []),
                "oracle": shares(worker, row, self.seeds, [], oracle=True),
                f"TIME, lambda {PUBLISHED_LAMBDA:g} (published)": shares(
                    worker, row, self.seeds, [row.edit(lamb=PUBLISHED_LAMBDA)]
                ),
            }
        }

    def time_by_lambda(self, worker: Workplace, subject: int) -> Numbers:
        row = CHOSEN_ON[subject]
        found = {f"lambda {lamb:g}": shares(worker, row, self.seeds_to_choose, [row.edit(lamb=lamb)]) for lamb in LAMBDAS}
        return {"TIME, the choice of lambda": found}

    def time_at_its_best(self, worker: Workplace, subject: int, lamb: float) -> Numbers:
        row = JUDGED[subject]
        return {
            "TIME": {f"TIME, lambda {lamb:g} (chosen on other pairs)": shares(worker, row, self.seeds, [row.edit(lamb=lamb)])}
        }

    def finished(self, tables: Tables) -> Tables:
        return with_geometric_means(tables)

    def targets(self, tables: Tables) -> list[Target]:
        best, edits = list(tables["TIME"].values())[-1], tables["DiffEdit"]
        found = [Target(f"TIME {name}", best[name], bound) for name, bound in TIME_BOUNDS.items()]
        colour, other = edits["colour, published defaults"], edits["object, recommended"]
        found += [
            Target("DiffEdit mask IoU, colour edits, published defaults", colour["iou"], 0.7),
            Target("DiffEdit mask IoU, object edits, recommended", other["iou"], 0.5),
            Target("DiffEdit asked colour, colour edits", colour["colour"], 0.9),
            Target("DiffEdit asked colour, object edits, recommended", other["colour"], 0.9),
            Target("DiffEdit asked kind, object edits, recommended", other["kind"], 0.8),
        ]
        for name, row in edits.items():
            found.append(Target(f"latent error outside, {name}", row["latent error outside"], 0.0, at_most=True))
            loss = row["encode-decode psnr outside"] - row["psnr outside, pasted"]
            found.append(Target(f"background PSNR lost against encode-decode, pasted, dB, {name}", loss, 0.0, at_most=True))
        return found + [Target(name, row["holds"], 1.0) for name, row in tables["base model"].items()]


def weights_hash(model: Any) -> str:
    """SHA-256 over all weights of a MODEL as they are in memory now."""
    total = hashlib.sha256()
    for key, tensor in sorted(model.model.state_dict().items()):
        total.update(key.encode())
        total.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def base_model_untouched(worker: Workplace, subject: int) -> Numbers:
    """Hashes before the edit, while the edited model is loaded and used, and after."""
    host = LibraryHost(TOY_CHECKPOINT, worker.host.sampling)
    before = weights_hash(host.model)
    plain = host.pictures("a rose", [1])
    changed = host.pictures("a rose", [1], [{"source": "a rose", "destination": "a blue rose", "lamb": 10.0}])
    host.forget_edits()
    again = host.pictures("a rose", [1])
    found = {
        "weights equal after the edit is gone": weights_hash(host.model) == before,
        "picture equal after the edit is gone": (plain == again).all(),
        "the edit changed the picture": (plain != changed).any(),
    }
    return {"base model": {name: {"holds": float(yes)} for name, yes in found.items()}}


def edited(worker: Workplace, subject: int) -> Numbers:
    index, kind = subject // len(KINDS), KINDS[subject % len(KINDS)]
    edit = toy_edits(kind, index + 1, seed=2)[index]
    ways = (PUBLISHED, RECOMMENDED[kind])
    return {"DiffEdit": {f"{kind}, {settings.name}": measured(worker.host, edit, settings) for settings in ways}}


def joined(worker: Workplace, subject: int) -> Numbers:
    edit = assumption_edits(subject + 1, seed=6)[subject]
    phrases = noun_phrase("a {}", edit.noun), noun_phrase("a {}", edit.noun, edit.colour)
    model = worker.host.edited([{"source": phrases[0], "destination": phrases[1], "lamb": PUBLISHED_LAMBDA}])
    return {"DiffEdit": {TIME_OF_A_PICTURE: measured(worker.host, edit, PUBLISHED, model)}}


def measured(host: LibraryHost, edit: ToyEdit, settings: Settings, model: Any = None) -> dict[str, float | None]:
    mask, samples = DiffEditNodes(host).edit(host.encode(edit.pixels), edit.source, edit.target, settings, model)
    return outside_mask(host, edit, samples, mask)


def reconstructed(worker: Workplace, subject: int) -> Numbers:
    """After invert and sample under the source prompt, without guidance."""
    host, nodes = worker.host, DiffEditNodes(worker.host)
    edit = toy_edits("colour", subject + 1, seed=4)[subject]
    latent, rows = host.encode(edit.pixels), {}
    for strength in (0.5, 0.8):
        for method, inputs in INVERSIONS.items():
            trajectory = nodes.invert(latent, edit.source, inputs | {"strength": strength})
            back = nodes.sample(trajectory, edit.source, None, SEED | {"cfg": 1.0})
            value = psnr(host.decode(back), host.decode(latent["samples"]))
            rows[f"strength {strength:g}, {method}"] = {"PSNR": value}
    return {"reconstruction": rows}
