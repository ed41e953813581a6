"""DiffEdit, step 3: sample inside the mask, retrace the trajectory outside it, with any deterministic host sampler."""

import comfy.model_management
import comfy.samplers
import comfy.utils
import latent_preview
import torch

from .host_model import model_kind
from .trajectory import Trajectory
from .virtual_denoiser import VirtualDenoiser

SAMPLERS = (
    "euler",
    "heun",
    "dpm_2",
    "lms",
    "dpmpp_2m",
    "ipndm",
    "ipndm_v",
    "deis",
    "res_multistep",
    "gradient_estimation",
)
"""The host's samplers that neither add noise nor draw any (heunpp2 draws, unused). euler is DDIM."""


def require_own_trajectory(model, trajectory: Trajectory) -> None:
    """Refuse a trajectory made by another kind of model. Other weights (a LoRA, a TIME edit) are welcome.

    Raises:
        ValueError: the kinds differ.
    """
    kind = model_kind(model)
    if kind != trajectory.model:
        raise ValueError(
            f"trajectory was made with {trajectory.model}, but model is {kind}; "
            "run DDIM Invert with the model that samples, or one of its kind."
        )


def sample_masked(
    model,
    positive: list,
    negative: list,
    trajectory: Trajectory,
    mask: torch.Tensor | None,
    cfg: float,
    sampler_name: str,
    seed: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sample from the last state of a trajectory down to 0.

    Where the mask is 0 both results are `trajectory.clean`, bit for bit.

    Args:
        model: MODEL of the trajectory's kind.
        positive, negative: CONDITIONING.
        trajectory: of B pictures.
        mask: (B or 1, 1, h, w), 1 = repaint; None repaints everywhere.
        cfg: guidance.
        sampler_name: one of SAMPLERS.
        seed: handed to the host; nothing here draws noise.

    Returns:
        LATENT samples (B, C, h, w) of the result and of the model's last estimate of it.

    Raises:
        ValueError: unknown sampler.
    """
    if sampler_name not in SAMPLERS:
        raise ValueError(f"sampler_name is {sampler_name!r}; choose one that adds no noise: {', '.join(SAMPLERS)}.")
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    sigmas = trajectory.sigmas.flip(0)
    last = {}
    samples = guider.sample(
        torch.zeros_like(trajectory.clean),
        trajectory.clean,
        _TrajectorySampler(comfy.samplers.ksampler(sampler_name).sampler_function, trajectory),
        sigmas,
        denoise_mask=mask,
        callback=latent_preview.prepare_callback(model, len(sigmas) - 1, last),
        disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
        seed=seed,
    )
    denoised = model.model.process_latent_out(last["x0"].float().cpu())
    return _outside_restored(samples, trajectory.clean, mask), _outside_restored(denoised, trajectory.clean, mask)


class _TrajectorySampler(comfy.samplers.Sampler):
    """A sampler of the host, started from a trajectory's last state.

    The host's own KSAMPLER would add noise to the clean latent and, outside a mask, blend towards that.
    """

    def __init__(self, sampler_function, trajectory: Trajectory):
        self._sampler_function = sampler_function
        self._trajectory = trajectory

    def sample(self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, disable_pbar=False):
        def mask_at(sigma: torch.Tensor, extra: dict) -> torch.Tensor:
            # Differential Diffusion and its like let the mask depend on the noise level.
            function = extra["model_options"].get("denoise_mask_function")
            if function is None:
                return denoise_mask
            return function(sigma, denoise_mask, extra_options={"model": model_wrap, "sigmas": sigmas})

        def report(info: dict) -> None:
            if callback is not None:
                callback(info["i"], info["denoised"], info["x"], len(sigmas) - 1)

        trajectory = self._trajectory.to(noise.device)
        return self._sampler_function(
            VirtualDenoiser(model_wrap, trajectory, None if denoise_mask is None else mask_at),
            trajectory.states[-1].clone(),
            sigmas,
            extra_args=extra_args,
            callback=report,
            disable=disable_pbar,
        )


def _outside_restored(samples: torch.Tensor, clean: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    samples = samples.to(clean)
    return samples if mask is None else torch.where(mask.to(clean.device) == 0, clean, samples)
