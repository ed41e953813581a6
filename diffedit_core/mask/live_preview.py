"""Progress of a contrast, with the heat map so far as a picture."""

import comfy.utils
import torch
from comfy.cli_args import LatentPreviewMethod, args
from PIL import Image

from .heat_colours import heat_colours


class HeatPreview:
    """The host's progress bar over `total` maps, with pictures unless the user's preview method is "none"."""

    def __init__(self, total: int, cell: int):
        self._bar = comfy.utils.ProgressBar(total)
        self._total, self._cell, self._done = total, cell, 0
        self._pictures = args.preview_method != LatentPreviewMethod.NoPreviews

    def update(self, maps: int, heat: torch.Tensor | None = None) -> None:
        """`maps` more are done; `heat` ([frames,] height, width) is what they show so far, in any unit.

        Raises:
            InterruptProcessingException: the user interrupted.
        """
        self._done += maps
        picture = None
        if heat is not None and self._pictures:
            picture = ("JPEG", heat_picture(heat, self._cell), args.preview_size)
        self._bar.update_absolute(self._done, self._total, picture)


def heat_picture(heat: torch.Tensor, cell: int) -> Image.Image:
    """Heat ([frames,] height, width) in colours from 0 to its highest value, the mean of all frames, `cell` pixels a cell."""
    heat = heat.reshape(-1, *heat.shape[-2:]).mean(dim=0)
    colours = heat_colours(heat / heat.max().clamp(min=torch.finfo(heat.dtype).tiny))
    picture = Image.fromarray((255 * colours).round().to(torch.uint8).numpy())
    return picture.resize((picture.width * cell, picture.height * cell), Image.Resampling.NEAREST)
