"""Natural settings: what each setting of DiffEdit buys, on the natural world's pictures with exact masks.

Where DiffEdit Mask looks by noise, rule and maps; edits against strength, beside other ways; and every inversion method.

Measured on the validation pictures of `naturalworld.edits`, so that what is chosen can be judged on those of the test split.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
import torch
from naturalworld.edits import CELLS, NaturalEdit, natural_edit
from scipy import ndimage

from ..hosts.editing import DiffEditNodes
from ..hosts.inputs import run_node
from ..hosts.library import NATURAL, LibraryHost, Sampling
from ..judges.natural_edits import judged
from ..judges.pixels import best_of_cells, iou
from ..report.report import Plot
from ..run.measurement import Workplace
from . import evaluations
from .diffedit_settings import BACK, CFG, MAPS, RULES, SAMPLING_STEPS, edited, masks_by_rule, picture_there_and_back
from .study import SEED, Numbers, Part, Row, Study, Tables, as_tables

NOISE_STRENGTHS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
EDGES = "edges of picture"
FOLLOWED = ("mean ratio 3 (diffusers)", "otsu, fill holes")
"""The rules that are followed over the numbers of maps."""
CHOSEN = {"noise_strength": 0.4, "rule": "otsu", "fill_holes": True}
"""The mask of highest IoU in `masks`."""
OTSU, PAPER = {"rule": "otsu", "fill_holes": True}, {"rule": "paper", "fill_holes": True}
REACHES = (2, 4, 8, 12)
OUTLINED_LEVELS = (0.2, 0.3, 0.4, 0.5)
FEW_MAPS = (1, 2, 4, 10)
OUTLINED = (
    "Holes filled; otsu, 4 maps and reach 4 where nothing is said. *IoU, thing*: with the old thing to its outline, all kinds "
    "of edits. *Missed*: the share of what must change that is not masked. The last rows are the highest of latent cells, and "
    "the old thing itself, taken for a mask: of another kind of thing nobody can tell the outline from the picture."
)
FOCUSED_LEVELS = (0.2, 0.3, 0.5)
FOCUSES = ("everywhere", "words that change")
FOCUS = (
    "Holes filled, along the edges of the picture, reach 4, 4 maps. *Missed*: the share of what must change that is not "
    "masked. *Other*: the share of the second thing that is masked."
)
SMALL = [index for index in range(2 * len(CELLS)) if CELLS[index % len(CELLS)][1] == "small"]
TO_THE_PIXEL = OTSU | {"noise_strength": 0.2, "maps": 4, "outline": EDGES}
CONTEXTS = (0.5, 1.0)
CROPPED_STRENGTHS = (0.8, 1.0)
CROPPED = (
    "Small things, two of each kind on each ground: in the whole picture, or by Crop Around Mask, enlarged to 128 pixels, and "
    f"Stitch Crop. {SAMPLING_STEPS} steps at strength 1, fewer below, cfg {CFG:g}; the mask of noise 0.2, 4 maps, otsu, holes "
    "filled, along the edges of the picture, and grown by a cell, to have room for another thing. Both composed with the "
    "original. *Window*: what the model saw of the picture's 128 pixels."
)
EDGE = {
    "hard": {},
    **{f"feather {pixels}": {"feather": pixels} for pixels in (1, 2, 4)},
    **{f"soft edge {pixels}": {"soft_edge": pixels} for pixels in (1, 2, 4, 8, 16)},
}
"""By name, changed inputs of Composite Edited Picture."""
AT_EDGE = 3  # pixels to each side of the edge of what must change
EDGE_STEPS = 12
COMPOSED = (
    f"The preset *recommended*, {EDGE_STEPS} steps at strength 1; one edit of a picture, laid over it in every way. *RMSE at "
    f"the edge*: to the picture that is asked for, within {AT_EDGE} pixels of the edge of what must change."
)
STRENGTHS = (0.3, 0.5, 0.7, 0.8, 0.9, 1.0)
MEASURED = "Means over pictures: colour edits, edits of the kind, and edits of one of two things."
NOTE = (
    f"{MEASURED} *IoU* with the pixels that must change; *other* is the share of the second thing that is masked. The last row "
    "has the highest IoU of a mask of latent cells."
)
WAYS = (
    f"One picture of each kind and size; {SAMPLING_STEPS} steps at strength 1, fewer below, euler, cfg {CFG:g}; the mask "
    "of noise 0.4, otsu, holes filled for all ways that read one. *Told*: the target and not the source. *Left as it was*: "
    "pixels that should change and are nearer to what they were. The ways are those of the toy world's tables."
)


class NaturalSettings(Study):
    """What each setting of DiffEdit buys, on natural pictures whose exact masks are known."""

    name = "natural-settings"
    checkpoint: ClassVar[str] = NATURAL
    sampling: ClassVar[Sampling] = Sampling(128, steps=20, cfg=3.0)

    def parts(self) -> dict[str, Part]:
        pictures = self.few(2 * len(CELLS), 2)
        return {
            "masks": Part(masks, pictures, NOTE),
            "outline": Part(outline, pictures, OUTLINED),
            "focus": Part(focus, pictures, FOCUS),
            "edge": Part(edge, self.few(len(CELLS), 1), COMPOSED),
            "maps": Part(maps, pictures, f"{MEASURED} Noise strength 0.3 for otsu, 0.5 for the mean ratio."),
            "strength": Part(strength, self.few(9, 1), WAYS),
            "crop": Part(crop, self.few(len(SMALL), 1), CROPPED),
            "inversion": Part(inversion, self.few(3, 1), BACK),
            "evaluations": Part(by_evaluations, self.few(len(CELLS), 1), evaluations.NOTE),
        }

    def plots(self, tables: Tables) -> list[Plot]:
        return evaluations.plots(tables, ("told", "mask IoU", "background LPIPS"))


def masks(worker: Workplace, subject: int) -> Numbers:
    edit = natural_edit("validation", subject)
    rows = {f"noise {level:g}, {rule}": row for level in NOISE_STRENGTHS for rule, row in _found(worker.host, edit, level)}
    return {"masks by noise and rule": rows | {"highest of latent cells": {f"IoU, {edit.kind}": best_of_cells(edit.truth)}}}


def outline(worker: Workplace, subject: int) -> Numbers:
    """Masks along the edges of the picture."""
    edit, host = natural_edit("validation", subject), worker.host
    latent, picture = host.encode(edit.pixels), host.drawn(edit.pixels)
    rows = {}

    def found(name: str, maps: int, level: float, outlines: dict[str, dict]) -> None:
        heatmap = DiffEditNodes(host).contrast(
            latent, edit.source, edit.target, SEED | {"maps": maps, "noise_strength": level}
        )[1]
        for how, changes in outlines.items():
            rows[f"{name}, {how}"] = measured(_masked(host, heatmap, picture, changes), edit)

    edges = {"otsu": OTSU | {"outline": EDGES}, "paper": PAPER | {"outline": EDGES}}
    by_reach = {f"reach {reach}": edges["otsu"] | {"outline.reach": reach} for reach in REACHES}
    for level in OUTLINED_LEVELS:
        found(f"noise {level:g}", 4, level, {"cells": OTSU, "cells, paper": PAPER, **by_reach, "edges, paper": edges["paper"]})
    for count in FEW_MAPS:
        found(f"{count} maps, noise 0.5", count, 0.5, {"cells": OTSU, "edges": edges["otsu"], "edges, paper": edges["paper"]})
    best = {f"IoU, {edit.kind}": best_of_cells(edit.truth), "IoU, thing": best_of_cells(edit.thing)}
    return {"masks by outline": rows | {"highest of latent cells": best, "the old thing": measured(edit.thing, edit)}}


def _masked(host: LibraryHost, heatmap: Any, picture: torch.Tensor, changes: dict) -> np.ndarray:
    """bool (H, W), by Heatmap to Mask."""
    return run_node(host, "HeatmapToMask", changes, heatmap=heatmap, picture=picture)[0][0].numpy() >= 0.5


def focus(worker: Workplace, subject: int) -> Numbers:
    """Masks where all of the heat counts, and where the words are read that change."""
    edit, host = natural_edit("validation", subject), worker.host
    latent, picture = host.encode(edit.pixels), host.drawn(edit.pixels)
    rows = {}
    for level in FOCUSED_LEVELS:
        for where in FOCUSES:
            settings = SEED | {"maps": 4, "noise_strength": level, "focus": where}
            heatmap = DiffEditNodes(host).contrast(latent, edit.source, edit.target, settings)[1]
            for name, rule in {"otsu": OTSU, "paper": PAPER}.items():
                mask = _masked(host, heatmap, picture, rule | {"outline": EDGES})
                rows[f"noise {level:g}, {name}, {where}"] = measured(mask, edit)
    return {"masks by focus": rows}


def edge(worker: Workplace, subject: int) -> Numbers:
    """One picture of each kind and size on each ground, of both splits: what is chosen, and what judges it."""
    host, tables = worker.host, {}
    settings = evaluations.recommended("", EDGE_STEPS)
    for split in ("validation", "test"):
        edit, rows = natural_edit(split, subject), {}
        image = host.drawn(edit.pixels)
        mask, made = DiffEditNodes(host).edit(host.encoded(image), edit.source, edit.target, settings, picture=image)
        given = {"original": image, "edited": host.decoded(made).clamp(0, 1), "mask": mask}
        near = ndimage.binary_dilation(edit.truth, iterations=AT_EDGE) & ~ndimage.binary_erosion(edit.truth, iterations=AT_EDGE)
        for name, changes in EDGE.items():
            composed = run_node(host, "CompositeEditedPicture", changes, **given)[0]
            off = (composed[0].numpy() - edit.wanted)[near]
            rows[name] = judged(worker.judge, edit, composed) | {"RMSE at the edge": float(np.sqrt(np.square(off).mean()))}
        tables[f"edge of the composite, {split} pictures"] = rows
    return tables


def maps(worker: Workplace, subject: int) -> Numbers:
    edit = natural_edit("validation", subject)
    rows = {}
    for count in MAPS:
        for rule, level in zip(FOLLOWED, (0.5, 0.3), strict=True):
            rows |= {f"{count} maps, {name}": row for name, row in _found(worker.host, edit, level, (rule,), maps=count)}
    return {"masks by maps": rows}


def _found(
    host: LibraryHost, edit: NaturalEdit, level: float, rules: Iterable[str] = tuple(RULES), **changes
) -> Iterable[tuple[str, Row]]:
    """What the mask of each of the named RULES is worth, from one heat map."""
    for rule, mask in masks_by_rule(host, edit, rules, noise_strength=level, **changes).items():
        yield rule, measured(mask, edit)


def measured(mask: np.ndarray, edit: NaturalEdit) -> Row:
    row = {f"IoU, {edit.kind}": iou(mask, edit.truth), "IoU, thing": iou(mask, edit.thing)}
    if edit.kind == "colour":
        row["missed, colour"] = float(np.mean(~mask[edit.truth]))
    if edit.other is not None:
        row["other"] = float(np.mean(mask[edit.other]))
    return row


def strength(worker: Workplace, subject: int) -> Numbers:
    host = worker.host
    edit = natural_edit("validation", 3 * subject + subject % 3)  # one of each kind and size, the grounds in turn
    latent, cells = host.encode(edit.pixels), []
    mask = DiffEditNodes(host).contrast(latent, edit.source, edit.target, SEED | CHOSEN)[0]
    for share in STRENGTHS:
        for way, made in edited(host, edit, latent, mask, share).items():
            found = judged(worker.judge, edit, host.decoded(made))
            cells += [(f"{name} against strength", f"{share:g}", way, value) for name, value in found.items()]
    return as_tables(cells)


def crop(worker: Workplace, subject: int) -> Numbers:
    """Small things edited in the whole picture, and cut out and enlarged."""
    host, rows = worker.host, {}
    edit = natural_edit("validation", SMALL[subject])
    image = host.drawn(edit.pixels)
    latent = host.encoded(image)
    for name, grown in {"to the outline": {}, "grown by a cell": {"grow": 1}}.items():
        settings = SEED | TO_THE_PIXEL | grown
        mask = DiffEditNodes(host).contrast(latent, edit.source, edit.target, settings, picture=image)[0]
        for share in CROPPED_STRENGTHS:
            for way, (made, window) in _whole_and_cropped(host, edit, image, mask, share).items():
                found = judged(worker.judge, edit, made)
                rows[f"{name}, strength {share:g}, {way}"] = {
                    f"told, {edit.kind}": found["told"],
                    f"left as it was, {edit.kind}": found["left as it was"],
                    "background LPIPS": found["background LPIPS"],
                    "window": float(window),
                }
    return {"small things, cut out": rows}


def _whole_and_cropped(
    host: LibraryHost, edit: NaturalEdit, image: torch.Tensor, mask: torch.Tensor, share: float
) -> dict[str, tuple[torch.Tensor, int]]:
    """By the way, the edited IMAGE and the longer side of what the model saw, in pixels of the picture."""
    size, nodes = image.shape[1], DiffEditNodes(host)

    def repainted(picture: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
        trajectory = nodes.invert(host.encoded(picture), "", {"steps": SAMPLING_STEPS, "strength": share})
        return host.decoded(nodes.sample(trajectory, edit.target, where, SEED | {"cfg": CFG})).clamp(0, 1)

    composed = run_node(host, "CompositeEditedPicture", {}, original=image, edited=repainted(image, mask), mask=mask)[0]
    ways = {"whole": (composed, size)}
    for context in CONTEXTS:
        cut, cut_mask, place = run_node(host, "CropAroundMask", {"context": context, "size": size}, picture=image, mask=mask)
        given = {"original": image, "edited": repainted(cut, cut_mask), "crop": place, "mask": cut_mask}
        ways[f"crop, context {context:g}"] = run_node(host, "StitchCrop", {}, **given)[0], max(place.window)
    return ways


def inversion(worker: Workplace, subject: int) -> Numbers:
    return {"inversion": picture_there_and_back(worker.host, natural_edit("validation", subject))}


def by_evaluations(worker: Workplace, subject: int) -> Numbers:
    """Of one picture of each kind and size on each ground."""
    edit, host = natural_edit("validation", subject), worker.host
    return evaluations.by_evaluations(host, edit, lambda made: judged(worker.judge, edit, host.decoded(made)))
