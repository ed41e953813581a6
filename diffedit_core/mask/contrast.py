"""DiffEdit, step 1: contrast predictions under two prompts, or of two models, or a prediction with the picture itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import comfy.model_management
import comfy.samplers
import torch

from ..model.conditioning import control_hints, of_picture
from ..model.host_model import noising, require_finite
from ..model.latents import Latents
from ..model.noise import picture_noise
from ..model.noising import Noising
from .changed_words import changed_rows
from .heatmap import NO_TWO_PROMPTS, NO_WORD_CHANGES, NOTHING_HEARD, Heatmap, noise_difference
from .live_preview import HeatPreview
from .word_attention import WordAttention

# On a CPU four are as fast as it gets; more gain little anywhere, and the preview and an interrupt wait longer for them.
MOST_MAPS_AT_ONCE = 4


@dataclass(frozen=True, eq=False)
class Sides:
    """What is contrasted.

    With one model and equal negatives, guidance multiplies the difference by cfg everywhere, which no threshold relative
    to the mean can see. Then leave `negatives` out: two model evaluations a map instead of four.

    Attributes:
        target, source: CONDITIONING. No source: the prediction under target is contrasted with the picture itself, one
            model evaluation a map.
        negatives: CONDITIONING for target and source, if the predictions shall be guided.
        cfg: guidance, read with `negatives` only.
        target_model: the MODEL that predicts under target, of the same kind as the other, which then predicts under source.
            The two may share their weights: one does all its work before the other is loaded.
        focused: of two prompts under one model, count a cell by how much it reads the words of source that target has not.
    """

    target: list
    source: list | None
    negatives: tuple[list, list] | None = None
    cfg: float = 1.0
    target_model: Any = None
    focused: bool = False

    def prompts(self) -> dict[str, list]:
        """The CONDITIONING by name: target and source, and what each of them is guided away from."""
        prompts = {"target": self.target}
        if self.source is not None:
            prompts["source"] = self.source
        if self.negatives is not None:
            prompts["target_negative"], prompts["source_negative"] = self.negatives
        return prompts


@dataclass(frozen=True)
class Noises:
    """Under which noises a contrast is made.

    Attributes:
        sigma: their level, > 0.
        maps: how many for each picture, over which the difference is averaged, >= 1.
        seed: 0 .. 2**64 - 1.
    """

    sigma: float
    maps: int
    seed: int


def heatmap_of(model, latents: Latents) -> Heatmap:
    """A heat map of these pictures that is 0 everywhere."""
    latent_format, samples = model.get_model_object("latent_format"), latents.samples
    cell, cell_frames = latent_format.spacial_downscale_ratio, latent_format.temporal_downscale_ratio
    return Heatmap(torch.zeros(1, len(samples), *samples.shape[2:]), cell, cell_frames)


def contrast(model, latents: Latents, sides: Sides, noises: Noises, earlier: Heatmap | None = None) -> Heatmap:
    """Where do two predictions differ?

    The pictures are noised `noises.maps` times; each time both predictions are made from the same noised latent, and
    |eps_target - eps_source| is averaged over channels and maps. Without a source, eps_source is the noise itself, of which
    the picture was made: then the heat is 0 where the model leaves the picture as it is. Only maps of one picture share a
    model call, because a model's rounding depends on the size of its batch: so a batch gives, bit for bit, what its pictures
    give alone. Focused, each picture's heat is multiplied by the attention, 0 .. 1, that its cells give under source to the
    words which change; that is heard while predicting, and costs no evaluation.

    Args:
        model: MODEL.
        latents: the pictures.
        earlier: pairs that were contrasted before on the same pictures.

    Returns:
        The pairs of `earlier`, and this one. If it was to be focused and was not, `unfocused` says why.

    Raises:
        ValueError: `earlier` is of other pictures, a prompt does not apply at the noises' level, or a model's predictions
            are not finite.
    """
    samples, found = latents.samples, heatmap_of(model, latents)
    if earlier is not None:
        found.require_same_pictures(earlier)
    heat = found.values[0]
    run = _Run(noising(model), latents, sides, noises)
    counted = len(samples) * noises.maps
    attention, unfocused = _changed_words(sides)

    def add(row: int, targets: torch.Tensor, sources: torch.Tensor) -> None:
        for difference in noise_difference(targets, sources, noises.sigma).float().cpu():
            heat[row] += difference

    if sides.source is None:
        preview = HeatPreview(counted, found.cell)
        pictures = model.model.process_latent_in(samples).float().cpu()

        def against_picture(row: int, first: int, targets: torch.Tensor) -> None:
            add(row, targets.float().cpu(), pictures[row])
            preview.update(len(targets), heat[row])

        run.predict(model, ("target",), against_picture)
    elif sides.target_model is None:
        preview = HeatPreview(counted, found.cell)

        def contrasted(row: int, first: int, targets: torch.Tensor, sources: torch.Tensor) -> None:
            add(row, targets, sources)
            preview.update(len(targets), heat[row])

        for row in range(len(samples)):
            run.predict_one(row, model, ("target", "source"), contrasted, attention)
            if attention is not None:
                gate = attention.take()
                unfocused = NOTHING_HEARD if gate is None else unfocused
                heat[row] *= 1 if gate is None else gate
    else:
        preview = HeatPreview(2 * counted, found.cell)
        kept: dict[tuple[int, int], torch.Tensor] = {}

        def keep(row: int, first: int, sources: torch.Tensor) -> None:
            kept.update({(row, first + i): prediction.float().cpu() for i, prediction in enumerate(sources)})
            preview.update(len(sources))

        def against_kept(row: int, first: int, targets: torch.Tensor) -> None:
            sources = torch.stack([kept.pop((row, first + i)) for i in range(len(targets))])
            add(row, targets.float().cpu(), sources)
            preview.update(len(targets), heat[row])

        run.predict(model, ("source",), keep)
        run.predict(sides.target_model, ("target",), against_kept)
    heat /= noises.maps
    found = replace(found, unfocused=unfocused)
    return found if earlier is None else found.and_of(earlier)


def _changed_words(sides: Sides) -> tuple[WordAttention | None, str]:
    """Who hears how much they are read; None, and why, if nobody can or shall."""
    if not sides.focused:
        return None, ""
    if sides.source is None or sides.target_model is not None or len(sides.source) + len(sides.target) != 2:
        return None, NO_TWO_PROMPTS
    ((source, _),), ((target, _),) = sides.source, sides.target
    rows = changed_rows(source[0], target[0])
    return (WordAttention(rows, source.shape[1]), "") if rows else (None, NO_WORD_CHANGES)


@dataclass(frozen=True)
class _Run:
    """The noised pictures of a contrast, and what a model predicts for them. See `contrast`."""

    made_of: Noising
    latents: Latents
    sides: Sides
    noises: Noises

    def predict(self, model, names: tuple[str, ...], take: Callable[..., None]) -> None:
        """Denoised predictions of `model` under the sides `names`.

        Args:
            take: called as take(picture's row, index of the first map, predictions of each side (maps, C, [frames,] h, w)),
                in order, until all maps of all pictures are done.
        """
        for row in range(len(self.latents.samples)):
            self.predict_one(row, model, names, take)

    def predict_one(
        self, row: int, model, names: tuple[str, ...], take: Callable[..., None], attention: WordAttention | None = None
    ) -> None:
        """The same for the picture in this row; `attention` hears what is read of source meanwhile."""
        samples = self.latents.samples
        clean, number = samples[row : row + 1], self.latents.numbers[row]
        prompts = {name: of_picture(prompt, row, len(samples)) for name, prompt in self.sides.prompts().items()}
        guider = _SidesGuider(model, prompts, self.sides.cfg, attention)
        sampler = _MapsSampler(self.made_of, number, self.noises.maps, names, lambda *found: take(row, *found))
        sigmas = torch.tensor([self.noises.sigma, 0.0])
        guider.sample(torch.zeros_like(clean), clean, sampler, sigmas, disable_pbar=True, seed=self.noises.seed)


class _SidesGuider(comfy.samplers.CFGGuider):
    """A guider with a target and a source instead of a positive and a negative prompt.

    It knows all sides even if only one is asked for: the host copies ControlNets and areas from one to the other.
    """

    KEYS = {"target": "positive"}  # the key that the host copies ControlNets from

    def __init__(self, model, prompts: dict[str, list], cfg: float, attention: WordAttention | None = None):
        super().__init__(model)
        self._attention = attention
        self.inner_set_conds({self.KEYS.get(name, name): prompt for name, prompt in prompts.items()})
        self.set_cfg(cfg)

    def side(self, name: str) -> list[dict]:
        """The host's conds of a side."""
        return self.conds[self.KEYS.get(name, name)]

    def evaluated(self, names: Sequence[str]) -> list[str]:
        """The sides `names` and their negatives, as far as there are any."""
        negatives = [f"{name}_negative" for name in names]
        return [*names, *(name for name in negatives if name in self.conds)]

    def predict_sides(
        self, names: Sequence[str], x: torch.Tensor, sigma: torch.Tensor, model_options: dict
    ) -> list[torch.Tensor]:
        """Denoised predictions for the sides at the same x (B, C, [frames,] h, w) and sigma (B,)."""
        for name in self.evaluated(names):
            if not any(_applies(cond, float(sigma[0])) for cond in self.side(name)):
                raise ValueError(
                    f"{name} does not apply at noise_strength's level (sigma {float(sigma[0]):.4g}); widen its timestep "
                    "range or change noise_strength."
                )
        conds = [self.side(name) for name in self.evaluated(names)]
        if self._attention is not None:
            model_options = self._attention.listening(model_options, names.index("source"), x.shape[2:])
        denoised = comfy.samplers.calc_cond_batch(self.inner_model, conds, x, sigma, model_options)
        sides, negatives = denoised[: len(names)], denoised[len(names) :]
        if negatives:
            sides = [n + self.cfg * (s - n) for s, n in zip(sides, negatives, strict=True)]
        require_finite(*sides)
        return sides

    def maps_at_once(self, names: Sequence[str], shape: Sequence[int], device: torch.device) -> int:
        """How many noised pictures of `shape` (1, C, [frames,] h, w) one model call may take in the memory that is free."""
        conds = [cond for name in self.evaluated(names) for cond in self.side(name)]
        if any(len(hint) > 1 for cond in conds for hint in control_hints(cond)):
            return 1  # the host would give each map the hint of another picture
        cond_shapes: dict[str, list] = {}
        for cond in conds:
            for key, value in cond.get("model_conds", {}).items():
                cond_shapes.setdefault(key, []).append(value.size())
        rows = [len(self.evaluated(names)) * shape[0], *shape[1:]]
        # the host's own margin, comfy.samplers.calc_cond_batch
        one = 1.5 * self.inner_model.memory_required(rows, cond_shapes=cond_shapes)
        fitting = int(self.model_patcher.get_free_memory(device) / max(1.0, one))
        return min(max(1, fitting), MOST_MAPS_AT_ONCE)


class _MapsSampler(comfy.samplers.Sampler):
    """Asks for the predictions of one picture under each of its noises. Does not move the latent."""

    def __init__(self, made_of: Noising, picture: int, maps: int, names: tuple[str, ...], take: Callable[..., None]):
        self._made_of, self._picture, self._maps, self._names, self._take = made_of, picture, maps, names, take

    def sample(
        self, model_wrap, sigmas, extra_args, callback, noise, latent_image: torch.Tensor, denoise_mask=None, disable_pbar=False
    ):
        at_once = model_wrap.maps_at_once(self._names, latent_image.shape, latent_image.device)
        calls = -(-self._maps // at_once)
        for indices in torch.arange(self._maps).tensor_split(calls):
            comfy.model_management.throw_exception_if_processing_interrupted()
            noises = [picture_noise(extra_args["seed"], self._picture, i, latent_image.shape) for i in indices.tolist()]
            noises = torch.cat(noises).to(latent_image)
            x = self._made_of.noised(latent_image, noises, float(sigmas[0]))
            sigma = sigmas[:1].expand(len(x))
            found = model_wrap.predict_sides(self._names, x, sigma, extra_args["model_options"])
            self._take(int(indices[0]), *found)
        return latent_image


def _applies(cond: dict, sigma: float) -> bool:
    return cond.get("timestep_end", 0.0) <= sigma <= cond.get("timestep_start", float("inf"))
