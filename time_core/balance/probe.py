"""One measurement of `balance`: pictures of a prompt by the host's own sampling, judged by CLIP zero-shot."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import comfy.model_management
import comfy.sample
import comfy.samplers
import torch

from .zero_shot import picture_embeddings, text_embeddings

MOST_AT_ONCE = 8  # more gain little anywhere, and an interrupt and the progress wait longer for them
SHARE_OF_MEMORY = 0.8  # that one model call may take
SEEDS = 2**64
LARGEST_SEED = SEEDS - 1  # the host adds 1 on the CPU (k_diffusion/sampling.py, default_noise_sampler)
LATENT_CELL = 8  # of an empty latent, until the host fits it to the model


@dataclass(frozen=True)
class Sampling:
    """How a picture is made, as by Empty Latent Image, KSampler and VAE Decode.

    `sampler_name` and `scheduler` are the host's; `width` and `height` in pixels.
    """

    steps: int
    cfg: float
    sampler_name: str
    scheduler: str
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Batch:
    """Pictures of one prompt that share their model calls: CONDITIONINGs, and for each picture the seed of its noise."""

    positive: list
    negative: list
    seeds: Sequence[int]


@dataclass(frozen=True, eq=False)
class Series:
    """Which pictures are made: those of the numbers `first` to `first` + `pictures` - 1, number i of the i-th positive, in
    turn, from the noise of `seed` + i alone.

    `positives` and `negative` are CONDITIONINGs.
    """

    positives: Sequence[list]
    negative: list
    pictures: int
    seed: int
    first: int = 0

    def of_positive(self, which: int) -> range:
        """The numbers of its pictures."""
        turns = len(self.positives)
        return range(self.first + (which - self.first) % turns, self.first + self.pictures, turns)

    def batches(self, at_once: int) -> Iterator[tuple[list[int], Batch]]:
        """The numbers of at most `at_once` pictures of one positive, and these pictures; every picture once."""
        for of, positive in enumerate(self.positives):
            in_turn = self.of_positive(of)
            for first in range(0, len(in_turn), at_once):
                numbers = list(in_turn[first : first + at_once])
                yield numbers, Batch(positive, self.negative, [(self.seed + i) % SEEDS for i in numbers])


def require_schedule(model: Any, sampling: Sampling) -> None:
    """Raises ValueError if the scheduler cannot spread the steps.

    kl_optimal gives no numbers for a single step. simple has as many noise levels as the model was trained on and repeats some
    for more steps; samplers divide by what lies between two.
    """
    steps, scheduler = sampling.steps, sampling.scheduler
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), scheduler, steps)
    if not torch.isfinite(sigmas).all():
        raise ValueError(
            f"steps is {steps}, which scheduler {scheduler!r} cannot spread; "
            f"take {steps + 1} or more steps, or another scheduler."
        )
    if (sigmas.diff() == 0).any():
        raise ValueError(
            f"steps is {steps}, of which scheduler {scheduler!r} gives several the same noise level; "
            "take fewer steps, or another scheduler."
        )


def sample_pictures(
    model: Any,
    vae: Any,
    series: Series,
    sampling: Sampling,
    on_step: Callable[[int], None] = lambda done: None,
    at_once: int | None = None,
) -> torch.Tensor:
    """IMAGE (pictures, H, W, 3) in 0..1, float32 on the CPU.

    Equal noises in every call make two models comparable picture by picture; the process-wide generator is not touched.
    How many share a model call decides rounding only, unless the sampler draws noise on its way.

    Args:
        on_step: called after each step with pictures x steps done so far, of `pictures * steps` in all.
        at_once: pictures that share a model call; None: as memory allows.

    Raises InterruptProcessingException if the user interrupted.
    """
    at_once = at_once or pictures_at_once(model, blank_latent(model, sampling.width, sampling.height))
    parts: dict[int, torch.Tensor] = {}
    for numbers, batch in series.batches(at_once):
        before, count = len(parts), len(numbers)

        def report(step: int, _denoised, _x, steps: int, before: int = before, count: int = count) -> None:
            comfy.model_management.throw_exception_if_processing_interrupted()
            on_step(before * sampling.steps + count * (step + 1) * sampling.steps // steps)

        pixels = sample_batch(model, vae, batch, sampling, report)
        parts |= dict(zip(numbers, pixels.split(len(pixels) // count), strict=True))
    return torch.cat([parts[i] for i in sorted(parts)])


def sample_batch(model: Any, vae: Any, batch: Batch, sampling: Sampling, callback: Callable | None = None) -> torch.Tensor:
    """IMAGE (seeds, H, W, 3) of one model call a step, float32 on the CPU; picture i from the noise of seed i.

    `callback`: of comfy.sample.sample, after every step. Raises InterruptProcessingException if the user interrupted.
    """
    blank = blank_latent(model, sampling.width, sampling.height)
    latents = comfy.sample.sample(
        model,
        torch.cat([noise(blank, seed) for seed in batch.seeds]),
        sampling.steps,
        sampling.cfg,
        sampling.sampler_name,
        sampling.scheduler,
        batch.positive,
        batch.negative,
        blank.repeat(len(batch.seeds), *[1] * (blank.ndim - 1)),
        callback=callback,
        disable_pbar=True,
        seed=batch.seeds[0] % LARGEST_SEED,
    )
    comfy.model_management.throw_exception_if_processing_interrupted()
    decoded = vae.decode(latents)
    return decoded.reshape(-1, *decoded.shape[-3:])[..., :3].float().cpu()


def blank_latent(model: Any, width: int, height: int) -> torch.Tensor:
    """The empty latent (1, C, [frames,] h, w) of a picture of `width` x `height` pixels, as the host fits it to the model."""
    blank = torch.zeros(1, 4, height // LATENT_CELL, width // LATENT_CELL)
    return comfy.sample.fix_empty_latent_channels(model, blank, LATENT_CELL)


def noise(blank: torch.Tensor, seed: int) -> torch.Tensor:
    """The noise that the host gives a single picture with this seed, in the shape of `blank`, which is float32."""
    # comfy.sample.prepare_noise would set the process-wide generator.
    return torch.randn(blank.shape, generator=torch.Generator().manual_seed(seed))


def pictures_at_once(model: Any, blank: torch.Tensor) -> int:
    """How many pictures share a model call: as many as fit, at most MOST_AT_ONCE."""
    return min(pictures_that_fit(model, blank), MOST_AT_ONCE)


def pictures_that_fit(model: Any, blank: torch.Tensor) -> int:
    """How many latents like `blank` (1, C, [frames,] h, w) fit into one model call beside the weights, with both prompts.

    At least 1. By the whole memory and not by what is free, so that all probes are sampled in equal batches.
    """
    one = model.model.memory_required([2, *blank.shape[1:]])
    memory = cast(int, comfy.model_management.get_total_memory(model.load_device))  # two numbers only if both are asked for
    room = SHARE_OF_MEMORY * memory - model.model_size()
    return max(int(room / max(one, 1)), 1)


class Judge:
    """Which of two texts describes a picture better, by CLIP zero-shot."""

    def __init__(self, clip: Any, clip_vision: Any, label: str, opposite: str):
        """
        Raises:
            ValueError: `clip` and `clip_vision` cannot judge, see `zero_shot`, or the texts are the same to `clip`.
        """
        self._vision = clip_vision
        width = picture_embeddings(clip_vision, torch.zeros(1, 64, 64, 3)).shape[1]
        self._texts = text_embeddings(clip, (label, opposite), width)
        if torch.equal(*self._texts):
            raise ValueError(f"label and opposite ({label!r}, {opposite!r}) are the same to CLIP; write two that differ.")

    def shows_label(self, pictures: torch.Tensor) -> torch.Tensor:
        """(n,) bool: the pictures (n, H, W, 3) that `label` describes better than `opposite`."""
        cosines = picture_embeddings(self._vision, pictures) @ self._texts.T
        return cosines[:, 0] > cosines[:, 1]
