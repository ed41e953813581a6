"""Quality: both methods on the toy world, with fixed seeds, against targets.

TIME has efficacy, generality and specificity, with the published lambda and with the best of some on other edits; DiffEdit is
measured on drawn pictures whose truth is known to the pixel, and "joined" is a picture changed by the edit of a model.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from toyworld.edited import outside_mask
from toyworld.edits import KINDS, ToyEdit, assumption_edit, toy_edit
from toyworld.timed_rows import JUDGED, VALIDATION, edit_of

from tools.comfyui.environment import TOY_CHECKPOINT

from ..data.timed import KINDS as MEASURES
from ..data.timed import TimedRow, read_timed
from ..hosts.editing import DiffEditNodes, Settings
from ..hosts.library import LibraryHost
from ..judges.pixels import psnr
from ..report.report import Target
from ..run.measurement import Results, Workplace
from .study import SEED, Numbers, Part, Study, Tables
from .time_settings import DATA, moved

PUBLISHED_LAMBDA = 0.1
LAMBDAS = (0.1, 1.0, 10.0, 100.0)
ORACLE = "oracle"
AS_PUBLISHED = {"unedited": None, ORACLE: None, f"TIME, lambda {PUBLISHED_LAMBDA:g} (published)": PUBLISHED_LAMBDA}
CHOICE = "TIME, the choice of lambda"
PUBLISHED = Settings("published defaults", SEED, {}, SEED)
RECOMMENDED = {
    "colour": Settings("recommended", SEED | {"noise_strength": 0.6, "rule": "otsu"}, {}, SEED),
    "object": Settings("recommended", SEED | {"rule.threshold_ratio": 1.5, "fill_holes": True}, {}, SEED),
}
"""As docs/diffedit_settings.md has it."""
TIME_OF_A_PICTURE = "TIME edit of a picture, published defaults"
INVERSIONS = {"ddim": {}} | {f"fixed point x{n}": {"method": "fixed point", "method.refinements": n} for n in (3, 8)}
TIME_BOUNDS = {"efficacy": 0.95, "generality": 0.90, "specificity": 0.90}
DIFFEDIT_BOUNDS = (
    ("DiffEdit mask IoU, colour edits, published defaults", "colour, published defaults", "iou", 0.7),
    ("DiffEdit mask IoU, object edits, recommended", "object, recommended", "iou", 0.5),
    ("DiffEdit asked colour, colour edits", "colour, published defaults", "colour", 0.9),
    ("DiffEdit asked colour, object edits, recommended", "object, recommended", "colour", 0.9),
    ("DiffEdit asked kind, object edits, recommended", "object, recommended", "kind", 0.8),
)
"""Of a target its name, its row and column, and what it must reach."""


ASKED = read_timed(DATA / JUDGED)[0][::4]
CHOSEN_ON = read_timed(DATA / VALIDATION)[0][::6]


class Quality(Study):
    """Both methods on the toy world, with fixed seeds, against targets."""

    name = "quality"
    combine: ClassVar[Mapping] = {"latent error outside": np.nanmax}

    def parts(self) -> dict[str, Part]:
        pictures, inversions = self.few(50, 6), self.few(12, 2)
        seeds, to_choose = range(1, 1 + self.few(4, 2)), range(1, 1 + self.few(4, 1))
        how = f"{len(ASKED)} pairs x {len(seeds)} seeds, euler, 10 steps, CFG 3."
        return {
            "base model": Part(base_model_untouched, note="The checkpoint as the host loads it; 1 is yes."),
            "TIME": Part(partial(time_shares, "TIME", ASKED, seeds, lambdas=AS_PUBLISHED), len(ASKED), how),
            "choice": Part(
                partial(time_shares, CHOICE, CHOSEN_ON, to_choose, lambdas={f"lambda {lamb:g}": lamb for lamb in LAMBDAS}),
                len(CHOSEN_ON),
                f"Other pairs, {len(to_choose)} seeds.",
            ),
            "chosen": Part(partial(time_shares, "TIME", ASKED, seeds), len(ASKED), how),
            "diffedit": Part(edited, 2 * pictures, f"{pictures} pictures a row."),
            "joined": Part(joined, pictures, f"{pictures} pictures a row."),
            "inversion": Part(reconstructed, inversions, f"{inversions} pictures; PSNR in dB against encode-decode."),
        }

    def payload(self, part: str, results: Results) -> dict | None:
        if part != "chosen":
            return {}
        if any(f"choice/{i:03}" not in results for i in range(len(CHOSEN_ON))):
            return None
        found = with_geometric_means(self.tables_of("choice", results))[CHOICE]
        best = max(LAMBDAS, key=lambda lamb: found[f"lambda {lamb:g}"]["geometric mean"])
        return {"lambdas": {f"TIME, lambda {best:g} (chosen on other pairs)": best}}

    def finished(self, tables: Tables) -> Tables:
        return with_geometric_means(tables)

    def targets(self, tables: Tables) -> list[Target]:
        best, edits = list(tables["TIME"].values())[-1], tables["DiffEdit"]
        found = [Target(f"TIME {name}", best[name], bound) for name, bound in TIME_BOUNDS.items()]
        found += [Target(name, edits[row][column], bound) for name, row, column, bound in DIFFEDIT_BOUNDS]
        for name, row in edits.items():
            found.append(Target(f"latent error outside, {name}", row["latent error outside"], 0.0, at_most=True))
            loss = row["encode-decode psnr outside"] - row["psnr outside, pasted"]
            found.append(Target(f"background PSNR lost against encode-decode, pasted, dB, {name}", loss, 0.0, at_most=True))
        return found + [Target(name, row["holds"], 1.0) for name, row in tables["base model"].items()]


def time_shares(
    table: str, rows: Sequence[TimedRow], seeds: range, worker: Workplace, subject: int, lambdas: Mapping[str, float | None]
) -> Numbers:
    """Of the unedited model, of the oracle, and of edits by name of the row."""
    row = rows[subject]
    edits = {name: [] if lamb is None else [row.edit(lamb=lamb)] for name, lamb in lambdas.items()}
    return {table: {name: moved(worker, [row], seeds, some, oracle=name == ORACLE) for name, some in edits.items()}}


def with_geometric_means(tables: Tables) -> Tables:
    """Each row that has all measures of TIMED with one number for them."""
    for row in (row for rows in tables.values() for row in rows.values()):
        if row.keys() >= set(MEASURES):
            row["geometric mean"] = float(np.cbrt(row["efficacy"] * row["generality"] * row["specificity"]))
    return tables


def base_model_untouched(worker: Workplace, subject: int) -> Numbers:
    """Weights and pictures before the edit, and after the edited model was loaded and used."""
    host = LibraryHost(TOY_CHECKPOINT, worker.host.sampling)
    before = {key: weight.clone() for key, weight in host.model.model.state_dict().items()}
    plain = host.pictures("a rose", [1])
    changed = host.pictures("a rose", [1], [{"source": "a rose", "destination": "a blue rose", "lamb": 10.0}])
    host.forget_edits()
    again, after = host.sampled("a rose", [1]), host.model.model.state_dict()
    found = {
        "weights equal after the edit is gone": all(torch.equal(before[key], weight) for key, weight in after.items()),
        "picture equal after the edit is gone": np.array_equal(plain, again),
        "the edit changed the picture": not np.array_equal(plain, changed),
    }
    return {"base model": {name: {"holds": float(yes)} for name, yes in found.items()}}


def edited(worker: Workplace, subject: int) -> Numbers:
    index, kind = subject // len(KINDS), KINDS[subject % len(KINDS)]
    ways, edit = (PUBLISHED, RECOMMENDED[kind]), toy_edit(kind, index, seed=2)
    return {"DiffEdit": {f"{kind}, {settings.name}": measured(worker.host, edit, settings) for settings in ways}}


def joined(worker: Workplace, subject: int) -> Numbers:
    edit = assumption_edit(subject, seed=6)
    model = worker.host.edited([edit_of(edit.noun, edit.colour).edit(lamb=PUBLISHED_LAMBDA)])
    return {"DiffEdit": {TIME_OF_A_PICTURE: measured(worker.host, edit, PUBLISHED, model)}}


def measured(host: LibraryHost, edit: ToyEdit, settings: Settings, model: Any = None) -> dict[str, float | None]:
    mask, samples = DiffEditNodes(host).edit(host.encode(edit.pixels), edit.source, edit.target, settings, model)
    return outside_mask(host, edit, samples, mask)


def reconstructed(worker: Workplace, subject: int) -> Numbers:
    """After invert and sample under the source prompt, without guidance."""
    host, nodes = worker.host, DiffEditNodes(worker.host)
    edit = toy_edit("colour", subject, seed=4)
    latent, rows = host.encode(edit.pixels), {}
    for strength in (0.5, 0.8):
        for method, inputs in INVERSIONS.items():
            trajectory = nodes.invert(latent, edit.source, inputs | {"strength": strength})
            back = nodes.sample(trajectory, edit.source, None, SEED | {"cfg": 1.0})
            rows[f"strength {strength:g}, {method}"] = {"PSNR": psnr(host.decode(back), host.decode(latent))}
    return {"reconstruction": rows}
