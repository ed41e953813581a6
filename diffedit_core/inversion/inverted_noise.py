"""An inversion as a NOISE of the host."""

import math
from collections.abc import Callable

import torch

from .trajectory import Trajectory


class InvertedNoise:
    """The noise with which the host's own sampling (SamplerCustomAdvanced) starts from a trajectory's last state.

    The host makes its first state from a noise and a latent. Whatever latent it is given, this noise makes it the
    trajectory's last state; with the picture itself as the latent, a noise mask keeps the background, since the host
    then covers it with this same noise at every level.

    Attributes:
        seed: read by the host for model patches that draw noise.
    """

    def __init__(self, trajectory: Trajectory, process_in: Callable[[torch.Tensor], torch.Tensor], sigma_max: float):
        """
        Args:
            trajectory: of B pictures.
            process_in: from latent space to raw model space, the latent format's.
            sigma_max: the model's highest level, at which the host scales noises differently.
        """
        self.seed = 0
        self._trajectory = trajectory
        self._process_in = process_in
        self._sigma_max = sigma_max

    def generate_noise(self, latent: dict) -> torch.Tensor:
        """
        Args:
            latent: LATENT of the trajectory's shape.

        Returns:
            (B, C, ..., h, w) float32 on the CPU.

        Raises:
            ValueError: another shape.
        """
        samples, state = latent["samples"], self._trajectory.states[-1]
        if samples.shape != state.shape:
            raise ValueError(
                f"noise comes from an inversion of the shape {tuple(state.shape)}, but the latent to sample has the shape "
                f"{tuple(samples.shape)}; connect the latent that was inverted, or one of its size."
            )
        # The host leaves an empty latent as it is.
        picture = self._process_in(samples.float().cpu()) if torch.count_nonzero(samples) > 0 else samples.float().cpu()
        noising, sigma = self._trajectory.noising, float(self._trajectory.sigmas[-1])
        noise = noising.noise_of(state.cpu(), picture, sigma)
        at_the_top = sigma > self._sigma_max or math.isclose(sigma, self._sigma_max, rel_tol=1e-5)
        if at_the_top and not noising.flow and not noising.linear_input:
            noise = noise * (sigma / math.sqrt(1 + sigma**2))
        return noise
