"""The sampling that retraces an inversion, in the form that the host's samplers have."""

from collections.abc import Callable
from typing import Any

import comfy.model_management
import comfy.samplers
import torch

from .methods import METHODS, Blend, Path, as_it_is
from .trajectory import Trajectory

SamplerFunction = Callable[..., torch.Tensor]
"""(model, x, sigmas descending, extra_args=, callback=, disable=) -> the last state, as in comfy.k_diffusion.sampling."""


def way_back(trajectory: Trajectory, blend: Blend = as_it_is) -> SamplerFunction:
    """The step that belongs to the trajectory's method, from any of its levels.

    Args:
        blend: what happens between two steps of a method with levels of its own.
    """
    method = METHODS[trajectory.method]
    retrace = method.sample
    if retrace is None:
        return comfy.samplers.ksampler(method.sampler).sampler_function

    def sample(model, x, sigmas, extra_args: dict[str, Any], callback=None, disable=None) -> torch.Tensor:
        def denoise(state: torch.Tensor, sigma: float) -> torch.Tensor:
            comfy.model_management.throw_exception_if_processing_interrupted()
            return model(state, state.new_full((len(state),), sigma), **extra_args)

        # Where the states do not matter but for the first, `x` may stand between two of them.
        path = Path(x[None], sigmas[:1].tolist())
        if method.own_levels:
            path = trajectory.path(len(sigmas) - 1, x.device, blend)
        for i, step in enumerate(retrace(denoise, path, sigmas.tolist(), trajectory.noising)):
            if callback is not None:
                callback({"x": x, "i": i, "sigma": sigmas[i], "sigma_hat": sigmas[i], "denoised": step.denoised})
            x = step.state
        return x

    return sample
