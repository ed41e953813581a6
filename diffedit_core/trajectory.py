"""The way from a picture to its noise, state by state."""

from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True)
class ModelKind:
    """What two models must share for one to follow the other's trajectory. Their weights may differ.

    Attributes:
        model: class of the model, e.g. "BaseModel".
        config: class of its configuration, e.g. "SD15".
        latent_format: class of its latent format, e.g. "SD15".
        prediction: what it predicts, e.g. "EPS".
        sigma_max: its highest noise level.
    """

    model: str
    config: str
    latent_format: str
    prediction: str
    sigma_max: float

    def __str__(self) -> str:
        return (
            f"{self.config} ({self.model}, {self.prediction} prediction, {self.latent_format} latents, "
            f"sigma up to {self.sigma_max:.6g})"
        )


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The states of an inversion: what travels on a TRAJECTORY socket.

    The tensors are shared by everything downstream, not copied: do not write to them.

    Attributes:
        states: (n + 1, B, C, h, w) float32 in raw model space, clean first.
        sigmas: (n + 1,) float32, ascending from 0, one for each state.
        method: one of inversion.METHODS.
        cfg: guidance of the inversion.
        clean: (B, C, h, w) the LATENT samples as given, in latent space; what is restored outside a mask.
        model: the kind of model that made it.
        batch_index: the LATENT's batch_index, if it had one.
    """

    states: torch.Tensor
    sigmas: torch.Tensor
    method: str
    cfg: float
    clean: torch.Tensor
    model: ModelKind
    batch_index: tuple[int, ...] | None = None

    def to(self, device: torch.device) -> "Trajectory":
        """The same with states and sigmas on `device`."""
        return replace(self, states=self.states.to(device), sigmas=self.sigmas.to(device))

    def state_at(self, sigma: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The state at any noise level, linear between the stored ones, and its slope d state / d sigma there.

        At a stored level the state is the stored one, exactly, and the slope that of the segment *below*, along which
        a sampler goes on from there. Above the last level the last segment is continued.

        Args:
            sigma: scalar or (B,).

        Returns:
            Two tensors (B, C, h, w).
        """
        sigma = sigma.to(self.sigmas).reshape(-1).expand(self.states.shape[1])
        upper = torch.searchsorted(self.sigmas, sigma.contiguous()).clamp(1, len(self.sigmas) - 1)
        rows = torch.arange(len(sigma), device=upper.device)
        above, below = self.states[upper, rows], self.states[upper - 1, rows]
        sigma_above, sigma_below, sigma = (s[:, None, None, None] for s in (self.sigmas[upper], self.sigmas[upper - 1], sigma))
        slope = (above - below) / (sigma_above - sigma_below)
        return above - (sigma_above - sigma) * slope, slope
