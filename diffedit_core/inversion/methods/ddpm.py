"""Edit-friendly DDPM inversion (Huberman-Spiegelglas, Kulikov, Michaeli, CVPR 2024, arXiv 2304.06140)."""

from collections.abc import Iterator, Sequence

import torch

from ...model.noise import batch_noise
from ...model.noising import Noising
from .method import Method, Options, Path
from .step import Denoise, Step


def invert(
    denoise: Denoise, clean: torch.Tensor, sigmas: Sequence[float], noising: Noising, options: Options
) -> Iterator[Step]:
    """Every state is the clean picture under a noise of its own, independent of the others. What the ancestral sampling
    step from each state misses the one below by is kept, and added on the way back.

    The rest of the last step, to the clean picture, is kept as well, so that the way back is exact.
    """
    below = clean
    for i in range(1, len(sigmas)):
        x = noising.noised(clean, batch_noise(options.seed, options.pictures, i, clean), sigmas[i])
        denoised = denoise(x, sigmas[i])
        yield Step(x, denoised, model_calls=1, kept=below - _ancestral(x, denoised, sigmas[i], sigmas[i - 1], noising))
        below = x


def sample(denoise: Denoise, path: Path, sigmas: Sequence[float], noising: Noising) -> Iterator[Step]:
    """Ancestral sampling with the kept noises."""
    x = path.blend(path.state(0), None, 0)
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i])
        below = _ancestral(x, denoised, sigmas[i], sigmas[i + 1], noising) + path.kept_of(i)
        x = path.blend(below, x, i + 1)
        yield Step(x, denoised, model_calls=1)


def _ancestral(x: torch.Tensor, denoised: torch.Tensor, sigma: float, next_sigma: float, noising: Noising) -> torch.Tensor:
    """The mean of an ancestral step (eta = 1): down to s_next^2 / s, from where fresh noise would lead up to s_next."""
    down = next_sigma**2 / sigma
    return noising.signal(next_sigma) / noising.signal(down) * torch.lerp(denoised, x, down / sigma)


METHOD = Method(invert, "arXiv 2304.06140", sample=sample, own_levels=True, keeps=True, own_noises=True)
