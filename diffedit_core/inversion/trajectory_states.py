"""States of a trajectory for looking at."""

import torch

from .methods.step import each
from .trajectory import Trajectory


def spread_states(trajectory: Trajectory, count: int) -> torch.Tensor:
    """`count` states of each picture, evenly spread from the noisiest to the clean one, both included.

    They are scaled as diffusers scales the latents that its invert(decode_latents=True) decodes, so that noise and
    picture together are as strong as a picture.

    Args:
        trajectory: of B pictures, n + 1 states.
        count: >= 1; more than there are gives all. 1 gives the noisiest.

    Returns:
        (B * count, C, ..., h, w) in raw model space, the states of the first picture first.
    """
    last = len(trajectory.sigmas) - 1
    count = min(count, last + 1)
    chosen = [last] if count == 1 else [round(last * (1 - i / (count - 1))) for i in range(count)]
    states, sigmas = trajectory.states[chosen], trajectory.sigmas[chosen]
    made_of = trajectory.noising
    scales = states.new_tensor([made_of.input_scale(sigma) / made_of.input_scale(0.0) for sigma in sigmas.tolist()])
    states = states * each(scales, states)
    return states.transpose(0, 1).flatten(0, 1)
