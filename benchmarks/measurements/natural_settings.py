"""Natural settings: where DiffEdit Mask looks, on the natural world's pictures with exact masks, by noise, rule and maps.

Measured on the validation pictures of `naturalworld.edits`, so that what is chosen can be judged on those of the test split.
"""

from collections.abc import Iterable
from typing import ClassVar

import numpy as np
from naturalworld.edits import CELLS, NaturalEdit, natural_edit

from ..hosts.library import NATURAL, LibraryHost, Sampling
from ..judges.pixels import best_of_cells, iou
from ..run.measurement import Workplace
from .diffedit_settings import MAPS, RULES, masks_by_rule
from .study import Numbers, Part, Row, Study

NOISE_STRENGTHS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
FOLLOWED = ("mean ratio 3 (diffusers)", "otsu, fill holes")
"""The rules that are followed over the numbers of maps."""
MEASURED = "Means over pictures: colour edits, edits of the kind, and edits of one of two things."
NOTE = (
    f"{MEASURED} *IoU* with the pixels that must change; *other* is the share of the second thing that is masked. The last row "
    "has the highest IoU of a mask of latent cells."
)


class NaturalSettings(Study):
    """Where DiffEdit Mask looks, on natural pictures whose exact masks are known."""

    name = "natural-settings"
    checkpoint: ClassVar[str] = NATURAL
    sampling: ClassVar[Sampling] = Sampling(128, steps=20, cfg=3.0)

    def parts(self) -> dict[str, Part]:
        pictures = self.few(2 * len(CELLS), 2)
        return {
            "masks": Part(masks, pictures, NOTE),
            "maps": Part(maps, pictures, f"{MEASURED} Noise strength 0.3 for otsu, 0.5 for the mean ratio."),
        }


def masks(worker: Workplace, subject: int) -> Numbers:
    edit = natural_edit("validation", subject)
    rows = {f"noise {level:g}, {rule}": row for level in NOISE_STRENGTHS for rule, row in _found(worker.host, edit, level)}
    return {"masks by noise and rule": rows | {"highest of latent cells": {f"IoU, {edit.kind}": best_of_cells(edit.truth)}}}


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
        row = {f"IoU, {edit.kind}": iou(mask, edit.truth)}
        if edit.other is not None:
            row["other"] = float(np.mean(mask[edit.other]))
        yield rule, row
