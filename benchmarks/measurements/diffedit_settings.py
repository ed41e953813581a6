"""DiffEdit settings: what each setting of DiffEdit buys, on the toy world with exact masks.

Masks against maps, noise, rule and object size; edits against strength, beside SDEdit and inpainting; and every inversion
method against its model calls, on the toy world and on a model whose denoiser is known in closed form.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from naturalworld.edits import NaturalEdit
from toyworld.edited import outside_truth
from toyworld.edits import KINDS, ToyEdit, toy_edit

from ..hosts.editing import DiffEditNodes
from ..hosts.inputs import run_node
from ..hosts.library import LibraryHost
from ..judges.pixels import iou, psnr
from ..report.report import Plot, gathered
from ..run.measurement import Workplace
from . import evaluations
from .quality import RECOMMENDED
from .study import SEED, Numbers, Part, Row, Study, Tables, as_tables, curves

DRAWN = 6  # seed of the pictures
MAPS = (1, 2, 4, 8, 10, 16, 32)
NOISE_STRENGTHS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
RADII = (8, 12, 16, 20, 24, 28)  # of 64; the model was trained on single objects of 20 to 24, and pairs of 12
STRENGTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SAMPLING_STEPS = 25
CFG = 7.5
INVERSION_STEPS = (10, 20, 40)
INVERTED = 0.8
METHODS = {"fixed point": {f"fixed point, {n}": {"method.refinements": n} for n in (1, 3, 8)}}
"""By method of DDIM Invert, what is measured of it and with which settings; of one not named here, itself."""
FAMILIES = ("noise prediction", "flow")

RULES = {
    "mean ratio 3 (diffusers)": {},
    **{f"mean ratio {ratio:g}": {"rule.threshold_ratio": ratio} for ratio in (1.5, 2.0, 4.0)},
    "paper, no outliers": {"rule": "paper", "rule.outliers": 0.0},
    **{f"paper, outliers {share:g} %": {"rule": "paper", "rule.outliers": share} for share in (2.0, 5.0)},
    "paper, outliers 2 %, threshold 0.3": {"rule": "paper", "rule.outliers": 2.0, "rule.threshold": 0.3},
    **{f"level {level:g}": {"rule": "level", "rule.level": level} for level in (0.02, 0.05, 0.1)},
    "otsu": {"rule": "otsu"},
    "otsu, smooth 0.5": {"rule": "otsu", "smooth": 0.5},
    "otsu, fill holes": {"rule": "otsu", "fill_holes": True},
    "otsu, grow 1": {"rule": "otsu", "grow": 1},
    "mean ratio 3, fill holes": {"fill_holes": True},
    **{f"mean ratio {ratio:g}, fill holes": {"rule.threshold_ratio": ratio, "fill_holes": True} for ratio in (1.5, 4.0)},
    **{f"area {share:g} %": {"rule": "area", "rule.area": share} for share in (20.0, 40.0)},
}
"""By name, changed inputs of Heatmap to Mask."""

SHOWN = ("mean ratio 3 (diffusers)", "mean ratio 1.5", "otsu", "otsu, fill holes")
"""The rules that are followed over all settings."""

LEVELS = {kind: RECOMMENDED[kind].mask.get("noise_strength", 0.5) for kind in KINDS}
SIZES = (
    "Radius of 64; noise strength "
    + ", ".join(f"{level:g} for {kind} edits" for kind, level in LEVELS.items())
    + ". The model was trained on single objects of radius 20 to 24, and on pairs of radius 12."
)
WAYS = (
    f"{SAMPLING_STEPS} steps at strength 1, in proportion below, euler, cfg {CFG:g}; the same mask, the recommended one of "
    "make quality, for all ways that read one. Success: both colour and kind as asked. Background: what is neither old nor new "
    "object, against the picture encoded and decoded. SDEdit: KSampler with denoise. Encode only: DiffEdit without the mask. "
    "Mask only: DiffEdit from the noised picture instead of the inverted one."
)
BACK = (
    f"Inverted to strength {INVERTED:g} and sampled back by the method's own step, both under the source prompt, cfg 1. PSNR "
    "against the picture encoded and decoded, at most 120."
)
TRUE = (
    "The same on a model whose denoiser is known in closed form. The true noise is the end of the exact path from the picture; "
    "ddpm does not look for it, for it draws its noises."
)


class DiffEditSettings(Study):
    """What each setting of DiffEdit buys, on drawn pictures whose exact masks are known."""

    name = "diffedit-settings"

    def parts(self) -> dict[str, Part]:
        def of_both_kinds(measure: Callable, count: int, note: str) -> Part:
            def of_subject(worker: Workplace, subject: int) -> Numbers:
                return measure(worker.host, subject // len(KINDS), KINDS[subject % len(KINDS)])

            return Part(of_subject, len(KINDS) * self.few(count, 2), note)

        return {
            "maps": of_both_kinds(maps, 24, "Noise strength 0.5. IoU with the old and the new object together, to the pixel."),
            "noise": of_both_kinds(noise, 24, "10 maps. The level of a rule is in units of the noise."),
            "size": of_both_kinds(size, 12, SIZES),
            "strength": of_both_kinds(strength, 12, WAYS),
            "inversion": Part(inversion, self.few(4, 2), BACK),
            "mixture": Part(mixture, len(FAMILIES), TRUE),
            "evaluations": of_both_kinds(by_evaluations, 12, evaluations.NOTE),
        }

    def plots(self, tables: Tables) -> list[Plot]:
        others = ("mask IoU against rule", evaluations.TABLE)
        found = [_plot(name, rows) for name, rows in tables.items() if name not in others and "latent" not in name]
        found += evaluations.plots(tables, ("colour", "kind", "mask IoU"))
        return found + [_trade(kind, tables) for kind in KINDS if f"edit success against strength, {kind} edits" in tables]


def masks_by_rule(
    host: LibraryHost, edit: ToyEdit | NaturalEdit, rules: Iterable[str] = SHOWN, **changes
) -> dict[str, np.ndarray]:
    """The mask, bool (H, W), of each of the named RULES, from one heat map."""
    heatmap = DiffEditNodes(host).contrast(host.encode(edit.pixels), edit.source, edit.target, SEED | changes)[1]
    masks = {rule: run_node(host, "HeatmapToMask", RULES[rule], heatmap=heatmap)[0] for rule in rules}
    return {rule: mask[0].numpy() >= 0.5 for rule, mask in masks.items()}


def ious(host: LibraryHost, edit: ToyEdit, rules: Iterable[str] = SHOWN, before: str = "", **changes) -> Row:
    """The IoU of each of the named RULES; `before` goes before the names."""
    return {before + rule: iou(mask, edit.truth) for rule, mask in masks_by_rule(host, edit, rules, **changes).items()}


def maps(host: LibraryHost, index: int, kind: str) -> Numbers:
    edit = toy_edit(kind, index, DRAWN)
    return {"mask IoU against maps": {f"{count}": ious(host, edit, before=f"{kind}: ", maps=count) for count in MAPS}}


def noise(host: LibraryHost, index: int, kind: str) -> Numbers:
    edit = toy_edit(kind, index, DRAWN)
    by_strength, by_rule = {}, {}
    for level in NOISE_STRENGTHS:
        found = ious(host, edit, RULES, noise_strength=level)
        by_strength[f"{level:g}"] = {f"{kind}: {rule}": found[rule] for rule in SHOWN}
        if level in (0.5, 0.7):
            for rule, value in (found | {"best mask of latent cells": edit.best_latent_mask}).items():
                by_rule.setdefault(rule, {})[f"{kind}, noise {level:g}"] = value
    return {"mask IoU against noise strength": by_strength, "mask IoU against rule": by_rule}


def size(host: LibraryHost, index: int, kind: str) -> Numbers:
    rows = {}
    for radius in RADII:
        edit = toy_edit(kind, index, DRAWN, radius)
        found = ious(host, edit, before=f"{kind}: ", noise_strength=LEVELS[kind])
        rows[f"{radius}"] = {f"{kind}: area": float(edit.truth.mean())} | found
    return {"mask IoU against object radius": rows}


def strength(host: LibraryHost, index: int, kind: str) -> Numbers:
    edit, cells = toy_edit(kind, index, DRAWN), []
    latent = host.encode(edit.pixels)
    mask = DiffEditNodes(host).contrast(latent, edit.source, edit.target, RECOMMENDED[kind].mask)[0]
    for share in STRENGTHS:
        for way, made in edited(host, edit, latent, mask, share).items():
            found = outside_truth(host, edit, made)
            found["edit success"] = found["colour"] * found["kind"]
            for name in ("edit success", "background PSNR", "background latent error"):
                cells.append((f"{name} against strength, {kind} edits", f"{share:g}", way, found[name]))
    return as_tables(cells)


def edited(host: LibraryHost, edit: ToyEdit | NaturalEdit, latent: dict, mask: torch.Tensor, share: float) -> dict[str, dict]:
    """LATENTs of the picture edited in five ways, over the same number of sampling steps from about the same noise level."""
    import comfy.sample

    nodes = DiffEditNodes(host)
    trajectory = nodes.invert(latent, "", {"steps": SAMPLING_STEPS, "strength": share})
    random = comfy.sample.prepare_noise(latent["samples"], DRAWN)
    sigmas = trajectory.sigmas[:, None, None, None, None]
    noised = replace(trajectory, states=trajectory.states[:1] + sigmas * random)
    stock = partial(host.ksampler, latent, DRAWN, edit.target, len(trajectory.sigmas) - 1, CFG, denoise=share)
    return {
        "DiffEdit": nodes.sample(trajectory, edit.target, mask, SEED),
        "SDEdit": stock(),
        "inpainting with a noise mask": stock(noise_mask=mask),  # as Set Latent Noise Mask gives it
        "encode only": nodes.sample(trajectory, edit.target, None, SEED),
        "mask only": nodes.sample(noised, edit.target, mask, SEED),
    }


def there_and_back(host: Any, latent: dict, prompt: str, errors: Callable[[dict, Any], Row]) -> dict[str, Row]:
    """A row a method that DDIM Invert offers and a number of steps: model calls of one picture, both ways, and `errors` of the
    LATENT that comes back and of the TRAJECTORY. Inverted and sampled under one prompt, without guidance."""
    from host.models.tiny_diffusion import watched
    from time_diffedit.diffedit_core.repaint.masked_sampling import AS_INVERTED

    offered = next(entry for entry in host.nodes["DDIMInvert"].GET_SCHEMA().inputs if entry.id == "method").options
    rows = {}
    for method in (option.key for option in offered):
        for name, settings in METHODS.get(method, {method: {}}).items():
            for steps in INVERSION_STEPS:
                model, calls = watched(host.model)
                nodes = DiffEditNodes(host, model)
                inputs = {"method": method, "steps": steps, "strength": INVERTED} | settings
                trajectory = nodes.invert(latent, prompt, inputs)
                back = nodes.sample(trajectory, prompt, None, SEED | {"cfg": 1.0, "sampler_name": AS_INVERTED})
                rows[f"{name}, {steps} steps"] = {"model calls": sum(calls.rows)} | errors(back, trajectory)
    return rows


def inversion(worker: Workplace, subject: int) -> Numbers:
    return {"inversion, toy world": picture_there_and_back(worker.host, toy_edit("colour", subject, DRAWN))}


def picture_there_and_back(host: LibraryHost, edit: ToyEdit | NaturalEdit) -> dict[str, Row]:
    latent = host.encode(edit.pixels)

    def errors(back: dict, _trajectory: Any) -> Row:
        error = float((back["samples"] - latent["samples"]).square().mean().sqrt())
        return {"PSNR": psnr(host.decode(back), host.decode(latent)), "latent error": error}

    return there_and_back(host, latent, edit.source, errors)


def mixture(worker: Workplace, subject: int, cells: int = 16) -> Numbers:
    """The same on the mixture of Gaussians, whose true noise is known, too. Errors in units of the model's latents."""
    from host.models.mixture import Mixture, MixtureHost

    family, known = FAMILIES[subject], Mixture()
    host = MixtureHost(worker.host.nodes, known, family)
    model, clean = host.model.model, known.draw(1, cells, cells).float()

    def errors(back: dict, trajectory: Any) -> Row:
        error = float((model.process_latent_in(back["samples"]) - clean).square().mean().sqrt())
        return {"error back": error, "error from the true noise": known.distance_from_solution(family, trajectory)}

    latent = {"samples": model.process_latent_out(clean)}
    return {f"inversion, mixture of Gaussians, {family}": there_and_back(host, latent, "", errors)}


def by_evaluations(host: LibraryHost, index: int, kind: str) -> Numbers:
    edit = toy_edit(kind, index, DRAWN)
    return evaluations.by_evaluations(host, edit, lambda made: outside_truth(host, edit, made))


def _plot(name: str, rows: dict[str, Row]) -> Plot:
    """Of a table against a setting a curve a column, over the rows; of inversions what comes back against model calls, a curve
    a method, a point a number of steps."""
    first = next(iter(rows.values()))
    if " against " in name:
        what, _, setting = name.partition(" against ")
        columns = [column for column in first if not column.endswith(": area")]
        return Plot(name, setting.split(",")[0], what, curves(rows, columns, map(float, rows)), log_x=setting == "maps")
    measure, label = ("PSNR", "PSNR, dB") if "PSNR" in first else ("error back", "error of what came back")
    points = gathered((place.rpartition(", ")[0], (row["model calls"], row[measure])) for place, row in rows.items())
    found = {method: tuple(zip(*some, strict=True)) for method, some in points.items()}
    return Plot(name, "model calls, there and back", label, found, log_x=True, log_y=measure != "PSNR")


def _trade(kind: str, tables: Tables) -> Plot:
    """Edit success against what the background kept, a curve a way, a point a strength."""
    success, kept = (tables[f"{what} against strength, {kind} edits"] for what in ("edit success", "background PSNR"))
    ways, strengths = next(iter(success.values())), list(success)
    found = {way: ([row[way] for row in kept.values()], [row[way] for row in success.values()]) for way in ways}
    title = f"edit success against background, {kind} edits, strength {strengths[0]} to {strengths[-1]}"
    return Plot(title, "background PSNR, dB", "edit success", found)
