"""DiffEdit, step 3: sample inside the mask, retrace the trajectory outside it, with any sampler of the host."""

from collections.abc import Callable
from dataclasses import dataclass

import comfy.model_management
import comfy.samplers
import comfy.utils
import latent_preview
import torch

from ..inversion.methods import METHODS
from ..inversion.trajectory import Trajectory
from ..inversion.way_back import SamplerFunction, way_back
from ..model.host_model import hears_of_mask, model_kind, noising, require_finite
from .background import Background, background
from .blend import BackgroundBlend
from .virtual_denoiser import VirtualDenoiser

AS_INVERTED = "as inverted"
LARGEST_SEED = 2**64 - 1  # the host adds 1 on the CPU (k_diffusion/sampling.py, default_noise_sampler)

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
    "exp_heun_2_x0",
    "euler_cfg_pp",
    "dpmpp_2m_cfg_pp",
    "res_multistep_cfg_pp",
    "gradient_estimation_cfg_pp",
)
"""The host's samplers that neither add noise nor draw any (heunpp2 draws, unused) and walk down to 0 (dpm_fast and
dpm_adaptive stop at the level before, with its noise in the picture). euler is DDIM."""


@dataclass(frozen=True)
class Injection:
    """How the background is kept.

    Attributes:
        background: one of background.BACKGROUNDS.
        begin, end: shares of the sampling steps, 0 .. 1, between which it is in force. With end = 1 the result outside
            the mask is the original latent, bit for bit; with less, the model may touch the whole picture at the end.
        seed: of the noise, where the background has one.
    """

    background: str = "trajectory"
    begin: float = 0.0
    end: float = 1.0
    seed: int = 0

    def __post_init__(self):
        if not 0 <= self.begin < self.end <= 1:
            raise ValueError(
                f"inject_begin is {self.begin:g} and inject_end {self.end:g}; they must be shares of the steps with "
                "0 <= inject_begin < inject_end <= 1."
            )

    def levels(self, sigmas: torch.Tensor) -> tuple[float, float]:
        """(above, until): it is in force at levels until < sigma <= above of this schedule."""
        steps = len(sigmas) - 1
        first = min(steps - 1, round(steps * self.begin))
        behind = max(first + 1, round(steps * self.end))
        above = float("inf") if first == 0 else float(sigmas[first])
        until = -1.0 if behind == steps else float(sigmas[behind])
        return above, until


def require_own_trajectory(model, trajectory: Trajectory) -> None:
    """Refuse a trajectory made by another kind of model. Other weights (a LoRA, a TIME edit) are welcome.

    Raises:
        ValueError: the model does not sample from noise, or the kinds differ.
    """
    noising(model)
    kind = model_kind(model)
    if kind != trajectory.model:
        raise ValueError(
            f"trajectory was made with {trajectory.model}, but model is {kind}; "
            "run DDIM Invert with the model that samples, or one of its kind."
        )


def sampler_function(sampler_name: str, trajectory: Trajectory) -> SamplerFunction:
    """The host's sampler of this name, or the trajectory's own way back.

    Raises:
        ValueError: not AS_INVERTED and none of SAMPLERS.
    """
    if sampler_name == AS_INVERTED:
        return way_back(trajectory)
    if sampler_name not in SAMPLERS:
        raise ValueError(
            f"sampler_name is {sampler_name!r}; choose {AS_INVERTED} or one that adds no noise: {', '.join(SAMPLERS)}."
        )
    return comfy.samplers.ksampler(sampler_name).sampler_function


def reads_negative(sampler_name: str) -> bool:
    """Does this one of the host's samplers ask for the negative prompt by itself, whatever the guidance?"""
    return sampler_name.endswith("_cfg_pp")


def sample_masked(
    guider: comfy.samplers.CFGGuider,
    sampler: "TrajectorySampler",
    sigmas: torch.Tensor,
    seed: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sample from a state of a trajectory down to 0.

    Where the mask is 0 both results are the trajectory's `clean`, bit for bit, if the injection lasts to the end.

    Args:
        guider: with prompts, for a model of the trajectory's kind.
        sampler: which also holds the trajectory and the mask.
        sigmas: (m + 1,) descending, from at most the trajectory's last level.
        seed: handed to the host, for model patches and samplers that draw noise.

    Returns:
        LATENT samples (B, C, ..., h, w) of the result and of the model's last estimate of it.
    """
    trajectory, model = sampler.trajectory, guider.model_patcher
    last = {}
    samples = guider.sample(
        torch.zeros_like(trajectory.clean),
        trajectory.clean,
        sampler,
        sigmas,
        denoise_mask=sampler.mask if hears_of_mask(model) else None,
        callback=latent_preview.prepare_callback(model, len(sigmas) - 1, last),
        disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
        seed=seed % LARGEST_SEED,
    )
    # A sampler need not report anything: dpm_adaptive takes no step where there is only one level above 0.
    denoised = model.model.process_latent_out(last["x0"].float().cpu()) if "x0" in last else samples
    if sampler.mask is None or not sampler.keeps_outside(sigmas):
        samples = samples.to(comfy.model_management.intermediate_device(), comfy.model_management.intermediate_dtype())
        return samples, denoised.to(samples)
    clean, mask = trajectory.clean, sampler.mask
    return _outside_restored(samples, clean, mask), _outside_restored(denoised, clean, mask)


class TrajectorySampler(comfy.samplers.Sampler):
    """A sampler of the host, started from a state of a trajectory: what travels on a SAMPLER socket.

    The host's own KSAMPLER would add noise to the clean latent and, outside a mask, blend towards that.

    Attributes:
        trajectory, mask, injection, own_levels: as given.
    """

    def __init__(
        self,
        function: SamplerFunction,
        trajectory: Trajectory,
        mask: torch.Tensor | None,
        injection: Injection,
        own_levels: bool = False,
        options: dict | None = None,
    ):
        """
        Args:
            function: the sampler.
            trajectory: where it starts from.
            mask: (B or 1, 1, ..., h, w), 1 = repaint; None: the host's noise mask, if there is one, else everywhere.
            injection: of the background.
            own_levels: can it only walk over the trajectory's levels?
            options: further arguments of the sampler.
        """
        self._function = function
        self.trajectory = trajectory
        self.mask = mask
        self.injection = injection
        self.own_levels = own_levels
        self._options = options or {}

    def keeps_outside(self, sigmas: torch.Tensor) -> bool:
        """Does the outside of a mask end on the original on this schedule?"""
        return self.injection.end == 1 and bool(sigmas[-1] == 0)

    def sample(self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, disable_pbar=False):
        if noise.shape != self.trajectory.clean.shape:
            raise ValueError(
                f"the latent to sample has the shape {tuple(noise.shape)}, but trajectory is of "
                f"{tuple(self.trajectory.clean.shape)}; connect the latent that was inverted."
            )
        self.trajectory.require_levels(sigmas, self.own_levels)
        mask = denoise_mask if self.mask is None else self.mask.to(noise.device)
        at = None if mask is None else mask_at(mask, model_wrap, sigmas)
        trajectory, injection = self.trajectory, self.injection
        clean = trajectory.states[0].to(noise.device)
        outside = background(injection.background, trajectory, injection.seed, *injection.levels(sigmas), noise.device)
        blend = BackgroundBlend(outside, clean, at, sigmas, extra_args) if self._blends(outside) else None
        if blend is None:
            function, model = self._function, VirtualDenoiser(model_wrap, outside, at)
        else:
            function, model = way_back(trajectory, blend), model_wrap

        def report(info: dict) -> None:
            if callback is not None:
                denoised = info["denoised"] if blend is None else blend.estimate(info["denoised"], info["i"])
                callback(info["i"], denoised, info["x"], len(sigmas) - 1)

        start, _ = trajectory.state_at(sigmas[0])
        samples = function(model, start, sigmas, extra_args=extra_args, callback=report, disable=disable_pbar, **self._options)
        require_finite(samples)
        if mask is not None and self.keeps_outside(sigmas):
            samples = _outside_restored(samples, clean, mask)
        return model_wrap.inner_model.model_sampling.inverse_noise_scaling(sigmas[-1], samples)

    def _blends(self, outside: Background) -> bool:
        """Is the background blended into the states between steps, and not into the model's answers? What ddpm keeps leads to
        the picture by answers that are the picture, too, and by no other noise than its own."""
        return self.own_levels and (outside.shown or not METHODS[self.trajectory.method].own_noises)


def sampler_of(name: str, trajectory: Trajectory, mask: torch.Tensor | None, injection: Injection) -> TrajectorySampler:
    """
    Raises:
        ValueError: unknown sampler.
    """
    own_levels = name == AS_INVERTED and METHODS[trajectory.method].own_levels
    return TrajectorySampler(sampler_function(name, trajectory), trajectory, mask, injection, own_levels)


def from_sampler(
    sampler: comfy.samplers.KSAMPLER | None, trajectory: Trajectory, mask: torch.Tensor | None, injection: Injection
) -> TrajectorySampler:
    """The same for a SAMPLER of the host; None is the trajectory's own way back.

    Raises:
        ValueError: a sampler of another make, which starts and blends in its own way.
    """
    if sampler is None:
        return sampler_of(AS_INVERTED, trajectory, mask, injection)
    if not isinstance(sampler, comfy.samplers.KSAMPLER):
        raise ValueError(
            f"sampler is a {type(sampler).__name__}, which brings its own way to start; connect KSamplerSelect or another node "
            "that gives a plain sampler, or leave it out."
        )
    return TrajectorySampler(sampler.sampler_function, trajectory, mask, injection, options=sampler.extra_options)


def mask_at(mask: torch.Tensor, model_wrap, sigmas: torch.Tensor) -> Callable[[torch.Tensor, dict], torch.Tensor]:
    """Differential Diffusion and its like let the mask depend on the noise level."""

    def at(sigma: torch.Tensor, extra: dict) -> torch.Tensor:
        function = extra["model_options"].get("denoise_mask_function")
        if function is None:
            return mask
        return function(sigma, mask, extra_options={"model": model_wrap, "sigmas": sigmas})

    return at


def _outside_restored(samples: torch.Tensor, clean: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return torch.where(mask.to(clean.device) == 0, clean, samples.to(clean))
