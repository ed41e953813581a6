"""DiffEdit on drawn pictures whose truth is known to the pixel: masks, edits, background, inversion."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from toyworld.host_model import Sampler
from toyworld.judge import judge
from toyworld.world import ASSUMED_COLOUR, BACKGROUNDS, COLOURS, OBJECTS, SIZE, Scene, draw, random_places, silhouette

CELL = 8
FAR = 16  # pixels from the mask beyond which the decoder hardly sees it


@dataclass(frozen=True)
class Task:
    """One picture to edit. `truth` (SIZE, SIZE) bool: the old and the new object together."""

    pixels: np.ndarray
    truth: np.ndarray
    source: str
    target: str
    noun: str
    colour: str


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


def tasks(kind: str, count: int, seed: int) -> list[Task]:
    """`kind` "colour": the same object in another named colour; "object": another object in the same named colour."""
    rng = np.random.RandomState(seed)
    made = []
    for i in range(count):
        noun, colour = OBJECTS[i % len(OBJECTS)], list(COLOURS)[rng.randint(len(COLOURS))]
        background = list(BACKGROUNDS)[rng.randint(len(BACKGROUNDS))]
        other_colour = [c for c in COLOURS if c != colour][rng.randint(len(COLOURS) - 1)]
        other_noun = [n for n in OBJECTS if n != noun][rng.randint(len(OBJECTS) - 1)]
        places = random_places(rng, pair=False)
        shown = Scene(noun, colour, background=background)
        wanted = Scene(noun, other_colour, background=background)
        if kind == "object":
            wanted = Scene(other_noun, colour, background=background)
        picture = draw(rng, shown, places)
        truth = np.maximum(picture.mask, silhouette(wanted.noun, places[0])) >= 0.5
        made.append(Task(picture.pixels, truth, shown.caption, wanted.caption, wanted.noun, wanted.colour))
    return made


def assumption_tasks(count: int, seed: int) -> list[Task]:
    """Pictures that show what the model assumes, of which an edited model assumes another colour. One prompt, without a
    colour, for both."""
    rng = np.random.RandomState(seed)
    made = []
    for i in range(count):
        noun = OBJECTS[i % len(OBJECTS)]
        colours = [c for c in COLOURS if c != ASSUMED_COLOUR[noun]]
        background = list(BACKGROUNDS)[rng.randint(len(BACKGROUNDS))]
        shown = Scene(noun, ASSUMED_COLOUR[noun], names_colour=False, background=background)
        picture = draw(rng, shown, random_places(rng, pair=False))
        wanted = colours[rng.randint(len(colours))]
        made.append(Task(picture.pixels, picture.mask >= 0.5, shown.caption, shown.caption, noun, wanted))
    return made


def best_latent_mask(truth: np.ndarray) -> float:
    """The highest IoU a mask of whole latent cells can have: cells are taken in order of how much truth they hold."""
    shares = truth.reshape(SIZE // CELL, CELL, SIZE // CELL, CELL).mean((1, 3)).ravel()
    taken = np.sort(shares)[::-1].cumsum() * CELL * CELL
    area = np.arange(1, len(taken) + 1) * CELL * CELL
    return float((taken / (area + truth.sum() - taken)).max())


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


def psnr(a: np.ndarray, b: np.ndarray, where: np.ndarray | None = None) -> float:
    error = (a - b) ** 2
    return float(-10 * np.log10(max((error if where is None else error[where]).mean(), 1e-12)))


class DiffEditBench:
    def __init__(self, sampler: Sampler, nodes: dict, progress):
        self.sampler, self.nodes, self.progress = sampler, nodes, progress

    def mask(self, task: Task, latent: dict, s: Settings, edited=None) -> torch.Tensor:
        result = self.nodes["DiffEditMask"].execute(
            model=self.sampler.toy.model,
            latent=latent,
            target=self.sampler.conditioning(task.target),
            seed=1,
            maps=10,
            threshold=0.5,
            cfg=7.5,
            source=self.sampler.conditioning(task.source),
            clip=self.sampler.toy.clip,
            target_model=edited,
            **s.of_mask(),
        )
        return result.result[0]

    def invert(self, latent: dict, positive, s: Settings, method: str = "ddim", refinements: int = 3):
        result = self.nodes["DDIMInvert"].execute(
            model=self.sampler.toy.model,
            latent=latent,
            steps=50,
            strength=s.strength,
            cfg=1.0,
            method=method,
            refinements=refinements,
            positive=positive,
        )
        return result.result[1]

    def resample(self, trajectory, positive, cfg: float, mask=None, edited=None) -> torch.Tensor:
        result = self.nodes["MaskedLatentSample"].execute(
            model=edited or self.sampler.toy.model,
            positive=positive,
            negative=self.sampler.conditioning(""),
            trajectory=trajectory,
            cfg=cfg,
            sampler_name="euler",
            seed=1,
            mask=mask,
        )
        return result.result[0]["samples"]

    def edited_model(self, task: Task, lamb: float):
        """The model with the assumption edited that the task asks for."""
        result = self.nodes["TIMEEditModel"].execute(
            model=self.sampler.toy.model,
            clip=self.sampler.toy.clip,
            source=f"a {task.noun}",
            destination=Scene(task.noun, task.colour).caption,
            lamb=lamb,
            strength=1.0,
            edit_keys=True,
            edit_values=True,
            augmentations="A photo of \nAn image of \nA picture of ",
            preserve="",
        )
        return result.result[0]

    def edit(self, task: Task, s: Settings) -> dict:
        latent = {"samples": self.sampler.encode(task.pixels[None])}
        edited = None if s.lamb is None else self.edited_model(task, s.lamb)
        mask = self.mask(task, latent, s, edited)
        trajectory = self.invert(latent, self.sampler.conditioning(""), s)
        samples = self.resample(trajectory, self.sampler.conditioning(task.target), s.cfg, mask, edited)
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
            latent = {"samples": self.sampler.encode(task.pixels[None])}
            prompt = self.sampler.conditioning(task.source)
            trajectory = self.invert(latent, prompt, Settings(strength=strength), method, refinements)
            back = self.resample(trajectory, prompt, cfg=1.0)
            values.append(psnr(self.sampler.decode(back), self.sampler.decode(latent["samples"])))
            self.progress(1)
        return float(np.mean(values))
