"""All that is measured of an edited picture, by its judge and from its pixels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.pictures import Edit, Pixels
from ..hosts.editing import Edited
from .pixels import best_of_cells, iou, left_as_it_was, mse, pie_bench, pixels_digest, psnr, ssim, structure_distance

SUCCESS, PSNR, STRUCTURE, CLIP_SCORE = "edit success", "background PSNR", "structure distance", "CLIP score"
REGION_SCORE = "CLIP score of the edited region"
FACTS = ("pixels", "score of the target", "score of the source")
OF_PIXELS = {"PSNR": psnr, "SSIM": ssim, "MSE": mse}
BACKGROUND = (*(f"background {name}" for name in OF_PIXELS), "background LPIPS")
AS_PUBLISHED = tuple(f"{name} as PIE-Bench" for name in OF_PIXELS)
IOU, CEILING, OTHER_MASKED, LEFT = "mask IoU", "highest IoU of latent cells", "other thing masked", "left as it was"
OF_MASK = ("mask area", IOU, CEILING, OTHER_MASKED)
MEASURES = (SUCCESS, LEFT, *BACKGROUND, STRUCTURE, CLIP_SCORE, REGION_SCORE, *OF_MASK, *AS_PUBLISHED)


@dataclass(frozen=True)
class Instruments:
    """What measures edited pictures: the judge, by whose vision structures are compared, too, and LPIPS where there is one."""

    judge: Any
    lpips: Callable | None

    def measure(self, known: Pixels, edited: Edited, edit: Edit) -> list[dict]:
        """One dict a picture, with its FACTS and the MEASURES that can be taken; all compared with the original's pixels."""
        mask = edited.mask if known.mask is None else edit.measured_mask(known.mask)
        original = np.float32(known.picture) / 255
        of_mask = {} if edited.mask is None else _of_mask(known, edited.mask)
        scores = self.judge.scores(edited.pictures, [edit.target, edit.source])
        rows = []
        for picture, (target, source) in zip(edited.pictures, scores, strict=True):
            shown = np.float32(picture) / 255
            row = {
                "pixels": pixels_digest(picture),
                "score of the target": float(target),
                "score of the source": float(source),
                SUCCESS: int(target > source),
            }
            if mask is not None and not mask.all():
                row |= self._background(original, shown, ~mask)
            if self.judge.structure is not None:
                row[STRUCTURE] = structure_distance(self.judge.structure, original, shown)
            if self.judge.cosines:
                row[CLIP_SCORE] = 100 * float(target)
                if mask is not None and mask.any():
                    region = (picture * mask[..., None])[None]
                    row[REGION_SCORE] = 100 * float(self.judge.scores(region, [edit.target])[0, 0])
            if known.mask is not None and known.wanted is not None:
                row[LEFT] = left_as_it_was(original, np.float32(known.wanted) / 255, shown, known.mask)
            rows.append(row | of_mask)
        return rows

    def _background(self, original: np.ndarray, shown: np.ndarray, background: np.ndarray) -> dict[str, float]:
        row = {f"background {name}": measure(original, shown, background) for name, measure in OF_PIXELS.items()}
        if self.lpips is not None:
            row["background LPIPS"] = self.lpips(original, shown, background)
        as_published = pie_bench(original, shown, background)
        return row | {f"{name} as PIE-Bench": value for name, value in as_published.items()}


def _of_mask(known: Pixels, found: np.ndarray) -> dict[str, float]:
    row = {"mask area": float(found.mean())}
    if known.mask is not None:
        row |= {IOU: iou(found, known.mask), CEILING: best_of_cells(known.mask)}
    if known.other is not None and known.other.any():
        row[OTHER_MASKED] = float(found[known.other].mean())
    return row
