"""How noise covers a clean picture: the one thing in which the families of models differ here.

Everywhere sampling integrates dx/dsigma = (x - denoised) / sigma. What a state x is made of depends on the family.
"""

import math
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Noising:
    """state = signal(sigma) * clean + sigma * noise_scale * noise.

    Attributes:
        flow: rectified flow (SD3, Flux, Wan): signal = 1 - sigma. Otherwise signal = 1 (SD 1.x, SDXL, EDM, Cosmos).
        velocity: the network predicts v (SD 2.x-768); only diffusers' DDIM step needs to know.
        sigma_data: where signal = 1, the network's input is x / sqrt(sigma^2 + sigma_data^2).
        linear_input: its input is x / (1 + sigma) instead (Cosmos-Predict2).
        noise_scale: of flow models whose noise is not of unit variance.
    """

    flow: bool = False
    velocity: bool = False
    sigma_data: float = 1.0
    linear_input: bool = False
    noise_scale: float = 1.0

    def signal(self, sigma: float) -> float:
        """The clean picture's share of a state."""
        return 1.0 - sigma if self.flow else 1.0

    def noised(self, clean: torch.Tensor, noise: torch.Tensor, sigma: float) -> torch.Tensor:
        """The state of `clean` at sigma under `noise`, all of one shape."""
        return self.signal(sigma) * clean + sigma * self.noise_scale * noise

    def noise_of(self, state: torch.Tensor, clean: torch.Tensor, sigma: float) -> torch.Tensor:
        """The noise that makes `clean` the given state; the inverse of `noised`."""
        return (state - self.signal(sigma) * clean) / (sigma * self.noise_scale)

    def same_input(self, x: torch.Tensor, sigma: float, next_sigma: float) -> torch.Tensor:
        """The state at `next_sigma` that looks to the network as x does at `sigma`."""
        return x * (self.input_scale(sigma) / self.input_scale(next_sigma))

    def input_scale(self, sigma: float) -> float:
        """What the network's input is, in states."""
        if self.flow:
            return 1.0
        if self.linear_input:
            return 1.0 / (1.0 + sigma)
        return 1.0 / math.sqrt(sigma**2 + self.sigma_data**2)

    def sigma_at(self, noise_to_signal: float) -> float:
        """The sigma at which noise and clean picture stand in this ratio; the same ratio is the same noise level in
        every family, and a sigma of SD 1.x *is* the ratio. Pictures of EDM models have the spread sigma_data, others 1.

        Args:
            noise_to_signal: >= 0.
        """
        ratio = noise_to_signal / self.noise_scale
        return ratio / (1.0 + ratio) if self.flow else ratio * self.sigma_data
