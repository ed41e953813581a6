"""FlowEdit on a MODEL, by the host's sampling: its guidance, patches, hooks and ControlNets act on both sides."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import comfy.model_management
import comfy.samplers
import latent_preview
import torch

from ..model.conditioning import control_hints, of_picture
from ..model.host_model import hears_of_mask, noising, require_finite
from ..model.latents import Latents
from ..model.noise import picture_noise
from ..model.noising import Noising
from .flow_edit import SOURCE, TARGET, flow_edit
from .masked_sampling import mask_at


@dataclass(frozen=True, eq=False)
class Prompts:
    """
    Attributes:
        target, source: CONDITIONING for what the picture shall show, and for what it shows.
        negative: what both are guided away from; may be None where nothing reads it.
        target_cfg, source_cfg: how strongly.
    """

    target: list
    source: list
    negative: list | None
    target_cfg: float
    source_cfg: float

    def of_picture(self, row: int, pictures: int) -> "Prompts":
        """Those of one picture of a batch."""
        target, source = (of_picture(prompt, row, pictures) for prompt in (self.target, self.source))
        negative = None if self.negative is None else of_picture(self.negative, row, pictures)
        return replace(self, target=target, source=source, negative=negative)


@dataclass(frozen=True, eq=False)
class Way:
    """
    Attributes:
        sigmas: (n + 1,) descending to 0.
        averages: noises at each level, >= 1.
        seed: 0 .. 2**64 - 1.
    """

    sigmas: torch.Tensor
    averages: int
    seed: int


def edited_without_inversion(model, latents: Latents, mask: torch.Tensor | None, prompts: Prompts, way: Way) -> torch.Tensor:
    """Pictures from what `prompts.source` says to what `prompts.target` says, each by itself: a batch gives, bit for bit,
    what its pictures give alone.

    Args:
        model: MODEL.
        mask: (B or 1, 1, ..., h, w), 1 = may change; None: everywhere.

    Returns:
        LATENT samples (B, C, ..., h, w). Where nothing changed, as outside the mask, they are the original's, bit for bit.

    Raises:
        ValueError: the model does not sample from noise, ControlNets that have a picture for each of the batch, or predictions
            that are not finite.
    """
    samples = latents.samples if latents.samples.is_floating_point() else latents.samples.float()
    steps = len(way.sigmas) - 1
    _require_one_hint(prompts, len(samples))
    preview = latent_preview.prepare_callback(model, len(samples) * steps)
    edited = []
    for row, number in enumerate(latents.numbers):
        clean = samples[row : row + 1]
        own_mask = mask if mask is None or len(mask) == 1 else mask[row : row + 1]
        sampler = _FlowEditSampler(noising(model), number, way.averages, own_mask)
        found = _SidesGuider(model, prompts.of_picture(row, len(samples))).sample(
            torch.zeros_like(clean),
            clean,
            sampler,
            way.sigmas,
            denoise_mask=own_mask if hears_of_mask(model) else None,
            callback=lambda i, denoised, x, total, done=row * steps: preview(done + i, denoised, x, len(samples) * total),
            disable_pbar=True,
            seed=way.seed,
        )
        # The way through the model's space and back does not give every number again.
        edited.append(torch.where(sampler.edit.to(clean.device) == 0, clean, found.to(clean)))
    return torch.cat(edited)


class _SidesGuider(comfy.samplers.CFGGuider):
    """A guider with two prompts instead of one, each guided away from the negative at its own strength.

    Each side is asked for as the host asks for its one prompt, so that whatever patches the guidance does so here.
    """

    KEYS = {TARGET: "positive", SOURCE: "source"}  # the host copies ControlNets from the positive prompt to others without

    def __init__(self, model, prompts: Prompts):
        super().__init__(model)
        conds = {"positive": prompts.target, "source": prompts.source}
        self.inner_set_conds(conds if prompts.negative is None else conds | {"negative": prompts.negative})
        self._cfg = {TARGET: prompts.target_cfg, SOURCE: prompts.source_cfg}
        self._asked = TARGET

    def ask(self, side: str, x: torch.Tensor, sigma: torch.Tensor, **extra) -> torch.Tensor:
        """Denoised prediction of a side at x (B, C, ..., h, w) and sigma (B,), through the host's wrappers."""
        self._asked = side
        return self(x, sigma, **extra)

    def predict_noise(self, x, timestep, model_options={}, seed=None):  # noqa: B006 - the host's signature
        self.set_cfg(self._cfg[self._asked])
        return comfy.samplers.sampling_function(
            self.inner_model,
            x,
            timestep,
            self.conds.get("negative"),
            self.conds[self.KEYS[self._asked]],
            self.cfg,
            model_options=model_options,
            seed=seed,
        )


class _FlowEditSampler(comfy.samplers.Sampler):
    """Edits one picture. Leaves in `edit` what it changed by, in the model's space."""

    def __init__(self, made_of: Noising, picture: int, averages: int, mask: torch.Tensor | None):
        self._made_of, self._picture, self._averages, self._mask = made_of, picture, averages, mask
        self.edit = torch.zeros(1)

    def sample(
        self, model_wrap, sigmas, extra_args, callback, noise, latent_image: torch.Tensor, denoise_mask=None, disable_pbar=False
    ):
        steps = len(sigmas) - 1

        def denoise(side: str, x: torch.Tensor, sigma: float) -> torch.Tensor:
            comfy.model_management.throw_exception_if_processing_interrupted()
            return model_wrap.ask(side, x, x.new_full((len(x),), sigma), **extra_args)

        def noises(step: int) -> list[torch.Tensor]:
            # More averages keep the noises that fewer have.
            indices = range(step, step + self._averages * steps, steps)
            return [picture_noise(extra_args["seed"], self._picture, i, latent_image.shape).to(latent_image) for i in indices]

        mask = self._mask_of(latent_image, model_wrap, sigmas, extra_args)
        walked = flow_edit(denoise, latent_image, sigmas.tolist(), noises, mask, self._made_of)
        for i, (edit, change) in enumerate(walked):
            require_finite(edit)
            self.edit = edit
            if callback is not None:
                callback(i, latent_image + change, latent_image + edit, steps)
        return latent_image + self.edit

    def _mask_of(
        self, latent_image: torch.Tensor, model_wrap, sigmas: torch.Tensor, extra: dict
    ) -> Callable[[float], torch.Tensor]:
        if self._mask is None:
            return lambda sigma: latent_image.new_ones(1)
        mask = self._mask.to(latent_image)
        at = mask_at(mask, model_wrap, sigmas)
        # What lets the mask depend on the level may open it; what is not masked at all stays.
        return lambda sigma: torch.where(mask == 0, mask, at(sigmas.new_tensor([sigma]), extra))


def _require_one_hint(prompts: Prompts, pictures: int) -> None:
    """Pictures are edited one by one, and the host would show each of them the ControlNet's first picture."""
    for name in ("target", "source", "negative"):
        for _, options in getattr(prompts, name) or []:
            for hint in control_hints(options):
                if pictures > 1 and len(hint) > 1:
                    raise ValueError(
                        f"{name} has a ControlNet with {len(hint)} pictures for a batch of {pictures}; run the pictures one by "
                        "one, each with its own, or give the ControlNet one picture for all."
                    )
