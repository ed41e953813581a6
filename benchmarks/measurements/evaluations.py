"""What each evaluation of the model buys: one picture edited with few and many maps and steps, and by the inversion's methods.

The mask is that of the preset *recommended*, the strength 1, so that all steps are walked; the last row is as published.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import torch
from naturalworld.edits import NaturalEdit
from toyworld.edits import ToyEdit

from tools.presets import DIFFEDIT, presets

from ..hosts.editing import DiffEditNodes, Settings
from ..hosts.library import LibraryHost
from ..judges.pixels import iou
from ..report.report import Plot
from .study import SEED, Numbers, Row, Tables, curves

TABLE, EVALUATIONS = "what an evaluation buys", "model evaluations"
FEW = 2  # maps
STEPS = (2, 4, 6, 8, 12, 16, 25, 50)
MAPS, STEPS_OF_MAPS = (1, 4, 10), 8
METHODS, STEPS_OF_METHODS = ("fireflow", "midpoint"), (4, 8, 16)
NOTE = (
    f"The mask of *recommended*, {FEW} maps where no other number is said, strength 1; *midpoint* and *fireflow* walk back by "
    "their own step, *ddim* by the sampler ddim. Published: the nodes' defaults, 10 maps and 40 of 50 steps."
)


def ways() -> dict[str, Settings]:
    """By name of the row. Inputs that a Settings does not have are the nodes' defaults."""
    from time_diffedit.diffedit_core.repaint.masked_sampling import AS_INVERTED

    found = [recommended(f"{steps} steps", steps, maps=FEW) for steps in STEPS]
    found += [recommended(f"{STEPS_OF_MAPS} steps, {maps} maps", STEPS_OF_MAPS, maps=maps) for maps in MAPS]
    for method, steps in product(METHODS, STEPS_OF_METHODS):
        way = recommended(f"{steps} steps, {method}", steps, maps=FEW)
        back = way.sample | {"sampler_name": AS_INVERTED}
        found.append(replace(way, invert=way.invert | {"method": method}, sample=back))
    return {way.name: way for way in [*found, Settings("published", SEED, {}, SEED)]}


def recommended(name: str, steps: int, **mask: object) -> Settings:
    """The mask of the preset but for `mask`, and so many steps at strength 1, so that all are walked."""
    return Settings(name, SEED | presets(DIFFEDIT)["recommended"] | mask, {"steps": steps, "strength": 1.0}, SEED)


def by_evaluations(host: LibraryHost, edit: ToyEdit | NaturalEdit, judge: Callable[[dict], Row]) -> Numbers:
    """A row a way: model evaluations of one picture, what `judge` says of the LATENT, and the mask's IoU with the truth."""
    latent, picture = host.encode(edit.pixels), host.drawn(edit.pixels)
    return {TABLE: {name: _row(host, edit, latent, picture, settings, judge) for name, settings in ways().items()}}


def _row(host: LibraryHost, edit: Any, latent: dict, picture: torch.Tensor, settings: Settings, judge: Callable) -> Row:
    from host.models.tiny_diffusion import watched

    model, calls = watched(host.model)
    mask, made = DiffEditNodes(host, model).edit(latent, edit.source, edit.target, settings, picture=picture)
    return {EVALUATIONS: sum(calls.rows)} | judge(made) | {"mask IoU": iou(mask[0].numpy() >= 0.5, edit.truth)}


def plots(tables: Tables, shown: tuple[str, ...]) -> list[Plot]:
    """Of ddim's steps: the columns `shown` against evaluations."""
    rows = tables.get(TABLE, {})
    walked = {name: row for name, row in rows.items() if name in {f"{steps} steps" for steps in STEPS}}
    if not walked:
        return []
    found = curves(walked, shown, [row[EVALUATIONS] for row in walked.values()])
    return [Plot(TABLE, EVALUATIONS, "share; LPIPS", found, log_x=True)]
