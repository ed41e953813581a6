"""FlowEdit (Kulikov, Kleiner, Huberman-Spiegelglas, Michaeli, ICCV 2025, arXiv 2412.08629), inside a mask: from the picture
straight to the edited one, without walking back to noise.

At every level the picture is covered with fresh noise. What separates the edited picture from it moves by the difference of the
two velocities, each at its own state under that one noise:

    z_src  =  signal(sigma) x0 + sigma noise
    z_tar  =  z_edit + z_src - x0
    dz_edit  =  dsigma mask (v_target(z_tar) - v_source(z_src))

Published for flow, where v = (x - denoised) / sigma. That is dx/dsigma of all families here, also of those that add noise to a
picture which keeps its size (see `noising`): there, too, the way of the target less that of the source is a way from x0 without
noise, and z_tar has the noise that the model expects at sigma. With edit = z_edit - x0 = z_tar - z_src, for all of them:

    d edit / d sigma  =  mask (edit - (denoised_target(z_tar) - denoised_source(z_src))) / sigma

Only how z_src is made depends on the family. Where the mask is 0 the edit is 0, exactly, and so it is everywhere if both sides
predict the same.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch

from ..model.noising import Noising

TARGET, SOURCE = "target", "source"

Denoise = Callable[[str, torch.Tensor, float], torch.Tensor]
"""(TARGET or SOURCE, x (B, C, ..., h, w), sigma) -> denoised, of x's shape."""


class Step(NamedTuple):
    """
    Attributes:
        edit: (B, C, ..., h, w) what the picture has changed by so far.
        change: the same shape, what the two sides now say that it should change by.
    """

    edit: torch.Tensor
    change: torch.Tensor


def flow_edit(
    denoise: Denoise,
    clean: torch.Tensor,
    sigmas: Sequence[float],
    noises: Callable[[int], Iterable[torch.Tensor]],
    mask_at: Callable[[float], torch.Tensor],
    made_of: Noising,
) -> Iterator[Step]:
    """One Euler step after another, from no edit to the whole one.

    Args:
        denoise: predictions of both sides; called twice for each noise.
        clean: x0 (B, C, ..., h, w), in the model's space.
        sigmas: (n + 1) levels, descending, to 0.
        noises: for the step of this index, standard normal noises of clean's shape over which the change is averaged.
        mask_at: for a level, 0 .. 1, broadcast to clean; 1 = may change.
        made_of: of the model.
    """
    edit = torch.zeros_like(clean)
    for index, (sigma, following) in enumerate(pairwise(sigmas)):
        changes = [_change(denoise, made_of.noised(clean, noise, sigma), edit, sigma) for noise in noises(index)]
        change = torch.stack(changes).mean(dim=0)
        edit = edit + (following - sigma) / sigma * mask_at(sigma) * (edit - change)
        yield Step(edit, change)


def _change(denoise: Denoise, z_src: torch.Tensor, edit: torch.Tensor, sigma: float) -> torch.Tensor:
    return denoise(TARGET, z_src + edit, sigma) - denoise(SOURCE, z_src, sigma)
