"""The three DiffEdit nodes on the toy world, and what is measured of an edited picture."""

import numpy as np
import torch
from toyworld.host_model import Sampler
from toyworld.judge import judge

from .diffedit_tasks import CELL, Task, best_latent_mask
from .picture_measures import iou, psnr

PUBLISHED = {
    "mask": {"seed": 1, "maps": 10, "noise_strength": 0.5, "threshold_ratio": 3.0, "threshold": 0.5, "cfg": 7.5},
    "invert": {"steps": 50, "strength": 0.8, "cfg": 1.0, "method": "ddim", "refinements": 3},
    "sample": {"seed": 1, "cfg": 7.5, "sampler_name": "euler"},
}
"""The inputs of the nodes, with the values of the paper and of diffusers."""


class ModelCalls:
    """A clone of a MODEL that counts what it is asked, through the host's public hook: calls, and rows of all calls."""

    def __init__(self, model):
        self.calls = self.rows = 0
        self.model = model.clone()
        self.model.set_model_unet_function_wrapper(self._count)

    def _count(self, apply_model, args):
        self.calls += 1
        self.rows += len(args["input"])
        return apply_model(args["input"], args["timestep"], **args["c"])


class DiffEditNodes:
    """The nodes as a workflow has them: pictures and prompts in, latents out. Keywords replace inputs of PUBLISHED."""

    def __init__(self, sampler: Sampler, nodes: dict, model=None):
        self.sampler, self.nodes = sampler, nodes
        self.model = model or sampler.toy.model

    def latent(self, pixels: np.ndarray) -> dict:
        return {"samples": self.sampler.encode(pixels[None])}

    def contrast(self, latent: dict, source: str, target: str, **changes) -> tuple[torch.Tensor, object]:
        """MASK and HEATMAP."""
        result = self.nodes["DiffEditMask"].execute(
            model=self.model,
            latent=latent,
            source=self.sampler.conditioning(source),
            target=self.sampler.conditioning(target),
            clip=self.sampler.toy.clip,
            **{**PUBLISHED["mask"], **changes},
        )
        return result.result[:2]

    def invert(self, latent: dict, prompt: str = "", **changes):
        """TRAJECTORY."""
        result = self.nodes["DDIMInvert"].execute(
            model=self.model,
            latent=latent,
            positive=self.sampler.conditioning(prompt),
            negative=self.sampler.conditioning(""),
            **{**PUBLISHED["invert"], **changes},
        )
        return result.result[1]

    def sample(self, trajectory, prompt: str, mask: torch.Tensor | None = None, **changes) -> torch.Tensor:
        """Samples of the LATENT."""
        result = self.nodes["MaskedLatentSample"].execute(
            model=self.model,
            positive=self.sampler.conditioning(prompt),
            negative=self.sampler.conditioning(""),
            trajectory=trajectory,
            mask=mask,
            **{**PUBLISHED["sample"], **changes},
        )
        return result.result[0]["samples"]

    def edit(self, latent: dict, source: str, target: str, settings: dict) -> tuple[torch.Tensor, torch.Tensor]:
        """All three: MASK and samples. `settings`: changed inputs under "mask", "invert" and "sample"."""
        mask, _ = self.contrast(latent, source, target, **settings.get("mask", {}))
        trajectory = self.invert(latent, **settings.get("invert", {}))
        return mask, self.sample(trajectory, target, mask, **settings.get("sample", {}))


def background(task: Task) -> np.ndarray:
    """(cells, cells) bool: the latent cells that hold nothing of the old or the new object."""
    size = len(task.truth) // CELL
    return ~task.truth.reshape(size, CELL, size, CELL).any((1, 3))


def quality(sampler: Sampler, task: Task, samples: torch.Tensor, mask: torch.Tensor | None = None) -> dict[str, float]:
    """What the picture became, judged from its pixels, and what happened to the background.

    Background is what is neither old nor new object, to the pixel (PSNR, dB) or by whole latent cells (root mean square);
    both against the picture encoded and decoded, unedited.
    """
    original = sampler.encode(task.pixels[None])
    picture, unedited = (sampler.decode(z)[0] for z in (samples, original))
    verdict = judge(picture)
    error = (samples - original)[0][:, torch.from_numpy(background(task))]
    row = {
        "colour": float(verdict.colour == task.colour),
        "kind": float(verdict.noun == task.noun),
        "background PSNR": psnr(picture, unedited, ~task.truth),
        "background latent error": float(error.square().mean().sqrt()),
    }
    return row if mask is None else row | mask_quality(task, mask)


def mask_quality(task: Task, mask: torch.Tensor) -> dict[str, float]:
    chosen = mask[0].numpy() >= 0.5
    return {"mask IoU": iou(chosen, task.truth), "mask area": float(chosen.mean())}


def best_iou(tasks: list[Task]) -> float:
    """The highest mean IoU that masks of whole latent cells can have."""
    return float(np.mean([best_latent_mask(task.truth) for task in tasks]))


def means(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
