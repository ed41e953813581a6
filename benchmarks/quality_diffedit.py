"""DiffEdit on drawn pictures whose truth is known to the pixel: masks, edits, background, inversion."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from toyworld.host_model import Sampler
from toyworld.judge import judge

from .diffedit_nodes import DiffEditNodes
from .diffedit_tasks import CELL, Task, best_latent_mask
from .picture_measures import iou, psnr
from .quality_time import Pair, TimeBench

FAR = 16  # pixels from the mask beyond which the decoder hardly sees it


@dataclass(frozen=True)
class Settings:
    noise_strength: float = 0.5
    threshold_ratio: float = 3.0
    rule: str = "mean ratio"
    fill_holes: bool = False
    strength: float = 0.8
    cfg: float = 7.5
    lamb: float | None = None  # of a TIME edit: then two models are contrasted and the edited one samples

    def of_mask(self) -> dict:
        """Those that DiffEdit Mask reads."""
        names = ("noise_strength", "threshold_ratio", "rule", "fill_holes")
        return {name: getattr(self, name) for name in names}


PUBLISHED = Settings()
JOINED = Settings(lamb=0.1)
RECOMMENDED = {
    "colour": Settings(noise_strength=0.6, rule="otsu"),
    "object": Settings(threshold_ratio=1.5, fill_holes=True),
}
"""As docs/diffedit_settings.md has it."""


class DiffEditBench:
    def __init__(self, sampler: Sampler, nodes: dict, progress):
        self.sampler, self.nodes, self.progress = sampler, nodes, progress
        self.plain = DiffEditNodes(sampler, nodes)

    def edited_model(self, task: Task, lamb: float):
        """The model with the assumption edited that the task asks for."""
        bench = TimeBench(self.sampler, self.nodes["TIMEEditModel"], 0, self.progress)
        return bench.edit(Pair(task.noun, task.colour), lamb)

    def edit(self, task: Task, s: Settings) -> dict:
        latent = self.plain.latent(task.pixels)
        edited = None if s.lamb is None else self.edited_model(task, s.lamb)
        mask, _ = self.plain.contrast(latent, task.source, task.target, target_model=edited, **s.of_mask())
        trajectory = self.plain.invert(latent, strength=s.strength)
        painter = DiffEditNodes(self.sampler, self.nodes, edited)
        samples = painter.sample(trajectory, task.target, mask, cfg=s.cfg)
        picture, roundtrip = (self.sampler.decode(z)[0] for z in (samples, latent["samples"]))
        chosen = mask[0].numpy() >= 0.5
        far = ndimage.distance_transform_edt(~chosen) > FAR if chosen.any() else ~chosen
        pasted = np.where(chosen[..., None], picture, roundtrip)
        outside_latent = ~chosen[::CELL, ::CELL]
        error = (samples - latent["samples"]).abs()[0][:, torch.from_numpy(outside_latent)]
        verdict = judge(picture)
        self.progress(1)
        return {
            "iou": iou(chosen, task.truth),
            "best latent mask": best_latent_mask(task.truth),
            "area": float(chosen.mean()),
            "colour": verdict.colour == task.colour,
            "kind": verdict.noun == task.noun,
            "latent error outside": float(error.max()) if error.numel() else 0.0,
            "encode-decode psnr outside": psnr(roundtrip, task.pixels, ~chosen),
            "psnr outside": psnr(picture, task.pixels, ~chosen),
            "psnr outside, pasted": psnr(pasted, task.pixels, ~chosen),
            "encode-decode psnr far outside": psnr(roundtrip, task.pixels, far) if far.any() else np.nan,
            "psnr far outside": psnr(picture, task.pixels, far) if far.any() else np.nan,
        }

    def edits(self, over: list[Task], s: Settings) -> dict[str, float]:
        """Means over the tasks (the latent error: the largest)."""
        rows = [self.edit(task, s) for task in over]
        result = {name: float(np.nanmean([row[name] for row in rows])) for name in rows[0]}
        return result | {"latent error outside": max(row["latent error outside"] for row in rows)}

    def reconstruction(self, over: list[Task], method: str, refinements: int, strength: float) -> float:
        """Mean PSNR, dB, of the decoded picture after invert and sample under the source prompt, against encode-decode."""
        values = []
        for task in over:
            latent = self.plain.latent(task.pixels)
            trajectory = self.plain.invert(latent, task.source, strength=strength, method=method, refinements=refinements)
            back = self.plain.sample(trajectory, task.source, cfg=1.0)
            values.append(psnr(self.sampler.decode(back), self.sampler.decode(latent["samples"])))
            self.progress(1)
        return float(np.mean(values))
