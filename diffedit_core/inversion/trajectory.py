"""The way from a picture to its noise, state by state."""

from dataclasses import dataclass, replace

import torch

from ..model.model_kind import ModelKind
from ..model.noising import Noising
from .methods import METHODS, Blend, Path
from .methods.step import each
from .schedule import steps_walked

TINY = 1e-12
"""Stands for a noise level of 0 where one is divided by."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The states of an inversion: what travels on a TRAJECTORY socket.

    The tensors are shared by everything downstream, not copied: do not write to them.

    Attributes:
        states: (n + 1, B, C, ..., h, w) float32 in raw model space, clean first.
        sigmas: (n + 1,) float32, ascending from 0, one for each state.
        method: one of METHODS.
        cfg: guidance of the inversion.
        clean: (B, C, ..., h, w) the LATENT samples as given, in latent space; what is restored outside a mask.
        model: the kind of model that made it.
        noising: how its states are made of picture and noise.
        batch_index: the LATENT's batch_index, if it had one.
        kept: (n, B, C, ..., h, w) what the method's way back needs beside the states, or None.
    """

    states: torch.Tensor
    sigmas: torch.Tensor
    method: str
    cfg: float
    clean: torch.Tensor
    model: ModelKind
    noising: Noising
    batch_index: tuple[int, ...] | None = None
    kept: torch.Tensor | None = None

    @property
    def memory(self) -> int:
        """Bytes of its tensors."""
        return sum(tensor.nbytes for tensor in (self.states, self.clean, self.kept) if tensor is not None)

    def up_to(self, share: float) -> "Trajectory":
        """Only the first `share` (0 .. 1) of the steps from the picture, rounded half up and at least one."""
        return self._first(steps_walked(len(self.sigmas) - 1, share))

    def path(self, steps: int, device: torch.device, blend: Blend) -> Path:
        """What the method's way back over the last `steps` steps starts from, on `device`."""
        part = self._first(steps)
        return Path(part.states, part.sigmas.tolist(), part.kept, device, blend)

    def _first(self, steps: int) -> "Trajectory":
        kept = None if self.kept is None else self.kept[:steps]
        return replace(self, states=self.states[: steps + 1], sigmas=self.sigmas[: steps + 1], kept=kept)

    def require_levels(self, sigmas: torch.Tensor, own: bool) -> None:
        """Refuse a sampling schedule that this trajectory cannot serve.

        Args:
            sigmas: (m,) descending.
            own: must its levels be those of the trajectory?

        Raises:
            ValueError: it is too short, does not fall, starts above the last state, or leaves the levels where it must not.
        """
        if sigmas.ndim != 1 or len(sigmas) < 2:
            raise ValueError(f"sigmas has the shape {tuple(sigmas.shape)}; it must be a list of at least 2 noise levels.")
        if not torch.isfinite(sigmas).all():
            raise ValueError("sigmas contains values that are not finite; connect a scheduler that fits the model.")
        if sigmas[-1] < 0 or not (sigmas[:-1] >= sigmas[1:]).all():
            raise ValueError("sigmas must fall, from high to 0, as schedulers give it; do not flip it first.")
        top = float(self.sigmas[-1])
        if float(sigmas[0]) > top * (1 + 1e-5):
            raise ValueError(
                f"sigmas starts at {float(sigmas[0]):.6g}, above the trajectory's last level {top:.6g}; "
                "invert with more strength, or start lower (Split Sigmas)."
            )
        levels = self.sigmas.flip(0)[-len(sigmas) :]
        fewest = METHODS[self.method].fewest_steps
        if own and len(sigmas) - 1 < fewest:
            raise ValueError(
                f"trajectory was made by {self.method}, which asks the model only from its second step on, and "
                f"{len(sigmas) - 1} is walked; walk {fewest} or more (more steps or strength in DDIM Invert, a higher start "
                "here), or choose another method or sampler."
            )
        if own and not (len(levels) == len(sigmas) and torch.allclose(levels.cpu(), sigmas.cpu().float(), rtol=1e-5, atol=0)):
            raise ValueError(
                f"trajectory was made by {self.method}, which leads back only over its own levels; connect the SIGMAS of "
                "DDIM Invert, or their last part, or invert with another method."
            )

    def state_at(self, sigma: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The state at any noise level, linear between the stored ones, and its slope d state / d sigma there.

        At a stored level the state is the stored one, exactly, and the slope that of the segment *below*, along which
        a sampler goes on from there. Above the last level the last segment is continued.

        States under noises of their own lie on no curve: the mean of two has less noise than its level asks for, and is
        given as much as is missing; the slope is that of the noise which the state then has, straight to the picture.

        Args:
            sigma: scalar or (B,), on the device where the state is wanted; only the states that are read go there.

        Returns:
            Two tensors (B, C, ..., h, w).
        """
        level = sigma.to(self.sigmas).reshape(-1).expand(self.states.shape[1])
        upper = torch.searchsorted(self.sigmas, level.contiguous()).clamp(1, len(self.sigmas) - 1)
        rows = torch.arange(len(level), device=upper.device)
        above, below = (self.states[i, rows].to(sigma.device) for i in (upper, upper - 1))
        levels = (level, self.sigmas[upper], self.sigmas[upper - 1])
        at, sigma_above, sigma_below = (each(s.to(sigma.device), above) for s in levels)
        slope = (above - below) / (sigma_above - sigma_below)
        state = above - (sigma_above - at) * slope
        if not METHODS[self.method].own_noises:
            return state, slope
        clean = self.states[0].to(state)
        picture = clean * each(at.new_tensor([self.noising.signal(s) for s in level.tolist()]), at)
        share = (at - sigma_below) / (sigma_above - sigma_below)
        noise_left = ((share * sigma_above) ** 2 + ((1 - share) * sigma_below) ** 2).sqrt()
        state = state + (at / noise_left.clamp(min=TINY) - 1) * (state - picture)
        return state, (state - clean) / at.clamp(min=TINY)
