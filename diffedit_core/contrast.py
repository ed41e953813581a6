"""DiffEdit, step 1: contrast the model's predictions under two prompts."""

from collections.abc import Sequence

import comfy.model_management
import comfy.samplers
import comfy.utils
import latent_preview
import torch

from .heatmap import Heatmap, noise_difference
from .noise import picture_noise


def contrast(
    model,
    samples: torch.Tensor,
    pictures: Sequence[int],
    target: list,
    source: list,
    sigma: float,
    maps: int,
    seed: int,
    negatives: tuple[list, list] | None = None,
    cfg: float = 1.0,
) -> Heatmap:
    """Where do the noise predictions under two prompts differ?

    The picture is noised `maps` times to the level sigma; each time both predictions are made from the same noised
    latent, and |eps_target - eps_source| is averaged over channels and maps. Pictures are evaluated one by one,
    because a model's rounding depends on the size of its batch: so a batch gives, bit for bit, what its pictures give
    alone.

    With equal negatives, guidance multiplies the difference by cfg everywhere, which no threshold relative to the mean
    can see. Then leave `negatives` out: two model evaluations a map instead of four.

    Args:
        model: MODEL.
        samples: (B, C, h, w) latents.
        pictures: for each of them the number that decides its noises.
        target, source: CONDITIONING.
        sigma: noise level, > 0.
        maps: noises averaged, >= 1.
        seed: 0 .. 2**64 - 1.
        negatives: CONDITIONING for target and source, if the predictions shall be guided.
        cfg: guidance, read with `negatives` only.

    Raises:
        ValueError: a prompt does not apply at sigma, or the model's predictions are not finite.
    """
    guider = _ContrastGuider(model, target, source, negatives, cfg)
    sampler = _ContrastSampler(pictures, maps)
    guider.sample(
        torch.zeros_like(samples),
        samples,
        sampler,
        torch.tensor([sigma, 0.0]),
        callback=latent_preview.prepare_callback(model, len(pictures) * maps),
        disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
        seed=seed,
    )
    if not torch.isfinite(sampler.difference).all():
        raise ValueError(
            "model gives predictions that are not finite; run it in float32 or bfloat16 (--force-fp32, --bf16-unet)."
        )
    cell = model.get_model_object("latent_format").spacial_downscale_ratio
    return Heatmap(sampler.difference.float().cpu(), cell)


class _ContrastGuider(comfy.samplers.CFGGuider):
    """A guider with a target and a source instead of a positive and a negative prompt."""

    def __init__(self, model, target: list, source: list, negatives: tuple[list, list] | None, cfg: float):
        super().__init__(model)
        # The host copies ControlNets that apply to both sides from the key "positive" to all others.
        conds = {"positive": target, "source": source}
        if negatives is not None:
            conds["target_negative"], conds["source_negative"] = negatives
        self.inner_set_conds(conds)
        self.set_cfg(cfg)

    def predict_both(self, x: torch.Tensor, sigma: torch.Tensor, model_options: dict) -> list[torch.Tensor]:
        """Denoised predictions for target and source at the same x (B, C, h, w) and sigma (B,)."""
        for name, conds in self.conds.items():
            if not any(_applies(cond, float(sigma[0])) for cond in conds):
                raise ValueError(
                    f"{'target' if name == 'positive' else name} does not apply at noise_strength's level "
                    f"(sigma {float(sigma[0]):.4g}); widen its timestep range or change noise_strength."
                )
        conds = list(self.conds.values())
        denoised = comfy.samplers.calc_cond_batch(self.inner_model, conds, x, sigma, model_options)
        if len(denoised) == 2:
            return denoised
        target, source, target_negative, source_negative = denoised
        return [
            target_negative + self.cfg * (target - target_negative),
            source_negative + self.cfg * (source - source_negative),
        ]


def _applies(cond: dict, sigma: float) -> bool:
    return cond.get("timestep_end", 0.0) <= sigma <= cond.get("timestep_start", float("inf"))


class _ContrastSampler(comfy.samplers.Sampler):
    """Does not move the latent. Leaves the mean difference (B, h, w) in `difference`."""

    def __init__(self, pictures: Sequence[int], maps: int):
        self._pictures = pictures
        self._maps = maps
        self.difference: torch.Tensor | None = None

    def sample(self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, disable_pbar=False):
        sigma = float(sigmas[0])
        self.difference = latent_image.new_zeros(len(latent_image), *latent_image.shape[2:])
        evaluations = len(self._pictures) * self._maps
        for k in range(evaluations):
            comfy.model_management.throw_exception_if_processing_interrupted()
            row, map_index = divmod(k, self._maps)
            clean = latent_image[row : row + 1]
            x = clean + sigma * picture_noise(extra_args["seed"], self._pictures[row], map_index, clean.shape).to(clean)
            target, source = model_wrap.predict_both(x, sigmas[:1], extra_args["model_options"])
            self.difference[row] += noise_difference(target, source, sigma)[0]
            if callback is not None:
                callback(k, target, x, evaluations)
        self.difference /= self._maps
        return latent_image
