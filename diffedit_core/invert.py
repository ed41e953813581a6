"""DiffEdit, step 2: run sampling backwards with the host's guider."""

import math
from typing import NamedTuple

import comfy.model_management
import comfy.samplers
import comfy.utils
import latent_preview
import torch

from .host_model import model_kind
from .inversion import Stepper, invert, stepper
from .trajectory import Trajectory

HIGHEST_FAITHFUL_CFG = 2.0


class Inversion(NamedTuple):
    """What an inversion gives.

    Attributes:
        samples: (B, C, h, w) the noisiest state, as LATENT samples.
        trajectory: all states.
        info: what was done, in words.
    """

    samples: torch.Tensor
    trajectory: Trajectory
    info: str


def negative_is_read(model, cfg: float) -> bool:
    """Does the host evaluate a negative prompt at this guidance?"""
    return not math.isclose(cfg, 1.0) or model.model_options.get("disable_cfg1_optimization", False)


def invert_latent(
    model,
    samples: torch.Tensor,
    positive: list,
    negative: list | None,
    sigmas: torch.Tensor,
    cfg: float,
    method: str,
    refinements: int,
    batch_index: tuple[int, ...] | None = None,
) -> Inversion:
    """Find the noise from which sampling under `positive` makes these pictures.

    Args:
        model: MODEL.
        samples: (B, C, h, w) latents.
        positive, negative: CONDITIONING; negative may be None where `negative_is_read` says no.
        sigmas: (n + 1,) ascending from 0.
        cfg: guidance.
        method, refinements: see `inversion.stepper`.
        batch_index: carried in the trajectory.

    Raises:
        ValueError: unknown method, or the model's predictions are not finite.
    """
    guider = comfy.samplers.CFGGuider(model)
    guider.inner_set_conds({"positive": positive} if negative is None else {"positive": positive, "negative": negative})
    guider.set_cfg(cfg)
    sampler = _InversionSampler(stepper(method, refinements))
    noisiest = guider.sample(
        torch.zeros_like(samples),
        samples,
        sampler,
        sigmas,
        callback=latent_preview.prepare_callback(model, len(sigmas) - 1),
        disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
    )
    states = torch.stack(sampler.states)
    if not torch.isfinite(states).all():
        raise ValueError(
            "model gives predictions that are not finite; run it in float32 or bfloat16 (--force-fp32, --bf16-unet)."
        )
    trajectory = Trajectory(states, sigmas, method, cfg, samples.clone(), model_kind(model), batch_index)
    noisiest = noisiest.to(comfy.model_management.intermediate_device(), comfy.model_management.intermediate_dtype())
    return Inversion(noisiest, trajectory, _in_words(trajectory, sampler, negative is not None))


class _InversionSampler(comfy.samplers.Sampler):
    """Walks up instead of down. Leaves all states in `states`, and what is known of the steps that led to them."""

    def __init__(self, step: Stepper):
        self._step = step
        self.states: list[torch.Tensor] = []
        self.model_calls = 0
        self.residuals: list[torch.Tensor | None] = []

    def sample(self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, disable_pbar=False):
        def denoise(x: torch.Tensor, sigma: float) -> torch.Tensor:
            comfy.model_management.throw_exception_if_processing_interrupted()
            return model_wrap(x, x.new_full((len(x),), sigma), **extra_args)

        storage = comfy.model_management.intermediate_device()
        self.states.append(latent_image.to(storage, copy=True))
        for i, step in enumerate(invert(self._step, denoise, latent_image, sigmas)):
            self.states.append(step.state.to(storage))
            self.model_calls += step.model_calls
            self.residuals.append(step.residual)
            if callback is not None:
                callback(i, step.denoised, step.state, len(sigmas) - 1)
        return step.state


def _in_words(trajectory: Trajectory, sampler: _InversionSampler, guided: bool) -> str:
    steps = len(trajectory.sigmas) - 1
    lines = [
        f"{trajectory.method}: {steps} step{'s' * (steps != 1)} up to sigma {trajectory.sigmas[-1]:.4g}, "
        f"{sampler.model_calls * (2 if guided else 1)} model calls a picture, cfg {trajectory.cfg:g}.",
    ]
    if sampler.residuals[0] is not None:
        residuals = [float(residual.max()) for residual in sampler.residuals]
        worst = max(range(steps), key=residuals.__getitem__)
        lines.append(
            f"Worst residual {residuals[worst]:.2e} at step {worst + 1} (sigma {trajectory.sigmas[worst + 1]:.4g}): "
            "one sampling step back misses the state before by that much (root mean square), measured before the last "
            "refinement."
        )
    if trajectory.cfg > HIGHEST_FAITHFUL_CFG:
        lines.append(
            f"Warning: at cfg {trajectory.cfg:g} an inversion no longer leads back to the picture; "
            f"stay at 1, or at most {HIGHEST_FAITHFUL_CFG:g}."
        )
    return "\n".join(lines)
