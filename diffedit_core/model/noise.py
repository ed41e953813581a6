"""Everything that is drawn here, from streams that depend on their key alone."""

from collections.abc import Sequence

import numpy as np
import torch


def generator(*key: int) -> torch.Generator:
    """A generator on the CPU for this key, each number >= 0. SeedSequence keeps the streams of neighbouring keys apart."""
    state = np.random.SeedSequence(key).generate_state(1, dtype=np.uint64)
    return torch.Generator().manual_seed(int(state[0]))


def picture_noise(seed: int, picture: int, map_index: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Standard normal noise that depends on nothing but its arguments, float32 on the CPU.

    Every picture and map has a generator of its own, so that neither the size nor the order of a batch nor the number
    of maps changes a noise, and the process-wide generator stays untouched.

    Args:
        seed: 0 .. 2**64 - 1.
        picture: index of the picture, as in a LATENT's batch_index.
        map_index: which of the picture's noises.
        shape: of the result, usually (channels, height, width).
    """
    return torch.randn(shape, generator=generator(seed, picture, map_index))


def batch_noise(seed: int, pictures: Sequence[int], map_index: int, like: torch.Tensor) -> torch.Tensor:
    """One `picture_noise` for each of the pictures, with the shape, device and type of `like` (B, C, ..., h, w)."""
    return torch.stack([picture_noise(seed, number, map_index, like.shape[1:]) for number in pictures]).to(like)
