"""Toy denoisers of every kind, and the walks of the inversion methods on them."""

import math

import comfy.k_diffusion.sampling
import comfy.model_sampling
import torch
from time_diffedit.diffedit_core.inversion.methods import Options, Path, method_named
from time_diffedit.diffedit_core.inversion.schedule import leading_sigmas
from time_diffedit.diffedit_core.model.noising import Noising

SAMPLING = comfy.model_sampling.ModelSamplingDiscrete()
SIGMAS = leading_sigmas(SAMPLING.sigmas, 50, 0.8)
FLOW = SIGMAS / (1 + SIGMAS)
KINDS = {"eps": Noising(), "v": Noising(velocity=True), "flow": Noising(flow=True)}


def network(network_input: torch.Tensor, timestep: float) -> torch.Tensor:
    """A smooth, non-linear, spatially coupled prediction."""
    neighbours = network_input.roll(1, -1) + network_input.roll(1, -2) - network_input.roll(1, 1)
    return torch.tanh(0.6 * network_input + 0.3 * neighbours + 0.2 * math.cos(timestep / 90))


def denoise_as(kind: str):
    """The same network, read as a prediction of noise, v or flow, in the host's space."""

    def denoise(x: torch.Tensor, sigma) -> torch.Tensor:
        sigma = float(torch.as_tensor(sigma).flatten()[0])
        if kind == "flow":
            return x - sigma * network(x, 1000 * sigma)
        scale = math.sqrt(1 + sigma**2)
        out = network(x / scale, int(SAMPLING.timestep(torch.tensor([sigma]))))
        return x - sigma * out if kind == "eps" else x / scale**2 - out * sigma / scale

    return denoise


denoise = denoise_as("eps")


def levels(kind: str) -> torch.Tensor:
    return FLOW if kind == "flow" else SIGMAS


def clean(batch: int = 2, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, 4, 8, 8, generator=torch.Generator().manual_seed(seed))


def walk(method: str, kind: str = "eps", model=None, sigmas=None, start=None, refinements: int = 3) -> Path:
    """Up, and everything that the way back needs."""
    start = clean() if start is None else start
    sigmas = (levels(kind) if sigmas is None else sigmas).tolist()
    options = Options(refinements, seed=5, pictures=range(len(start)))
    steps = list(method_named(method).invert(model or denoise_as(kind), start, sigmas, KINDS[kind], options))
    kept = None if steps[0].kept is None else torch.stack([s.kept for s in steps])
    return Path(torch.stack([start, *(s.state for s in steps)]), sigmas, kept)


def states(method: str, refinements: int = 3, sigmas=None, start=None) -> torch.Tensor:
    return walk(method, sigmas=sigmas, start=start, refinements=refinements).states


def back(method: str, path: Path, kind: str = "eps", model=None) -> torch.Tensor:
    """Down with the sampling that belongs to the method."""
    model, sigmas = model or denoise_as(kind), path.sigmas[::-1]
    if method_named(method).sample is None:
        return decoded(path.states[-1], torch.tensor(path.sigmas), model)
    return list(method_named(method).sample(model, path, sigmas, KINDS[kind]))[-1].state


def decoded(state: torch.Tensor, sigmas: torch.Tensor = SIGMAS, model=denoise) -> torch.Tensor:
    """The host's euler down from the last of these ascending levels."""
    return comfy.k_diffusion.sampling.sample_euler(
        lambda x, sigma: model(x, sigma), state, sigmas.flip(0), extra_args={}, disable=True
    )


def error(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).square().mean().sqrt())
