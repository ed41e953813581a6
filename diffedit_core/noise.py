"""The noises of a mask."""

import numpy as np
import torch


def picture_noise(seed: int, picture: int, map_index: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Standard normal noise that depends on nothing but its arguments, float32 on the CPU.

    Every picture and map has a generator of its own, so that neither the size nor the order of a batch nor the number
    of maps changes a noise, and the process-wide generator stays untouched. SeedSequence keeps the streams of
    neighbouring seeds and indices apart.

    Args:
        seed: 0 .. 2**64 - 1.
        picture: index of the picture, as in a LATENT's batch_index.
        map_index: which of the picture's noises.
        shape: of the result, usually (channels, height, width).
    """
    state = np.random.SeedSequence([seed, picture, map_index]).generate_state(1, dtype=np.uint64)
    return torch.randn(shape, generator=torch.Generator().manual_seed(int(state[0])))
