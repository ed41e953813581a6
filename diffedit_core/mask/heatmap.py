"""How much two predictions differ, cell by cell."""

from dataclasses import dataclass, replace

import torch

# Why a heat map that was to be focused on the words that change is not: the keys of the view's sentences.
NO_TWO_PROMPTS = "compare"  # another comparison than that of two prompts of one model, or prompts that were combined of several
NO_WORD_CHANGES = "words"
NOTHING_HEARD = "model"  # which reads words and picture in one attention, or does not ask the hook


@dataclass(frozen=True, eq=False)
class Heatmap:
    """The mean differences of noise predictions: what travels on a HEATMAP socket.

    The tensor is shared, not copied: do not write to it.

    Attributes:
        values: (pairs, pictures, [frames,] height, width) float32 on the CPU, >= 0, one value a latent cell, not rescaled.
            A pair is one contrast, such as of a target and a source prompt. A video clip counts as one picture.
        cell: picture pixels along a side of a cell.
        cell_frames: picture frames that a latent frame covers; the first one always covers one.
        detail: values along a side of a cell: 1, or `cell` where there is one a pixel.
        unfocused: NO_TWO_PROMPTS, NO_WORD_CHANGES or NOTHING_HEARD, if the last pair was to be focused and is not.
    """

    values: torch.Tensor
    cell: int = 8
    cell_frames: int = 1
    detail: int = 1
    unfocused: str = ""

    @property
    def rim(self) -> int:
        """Values by which a mask has to grow to hold what it found: a pixel at the edge of a thing has both colours."""
        return 1 if self.detail > 1 else 0

    @property
    def pixels(self) -> int:
        """Picture pixels along a side of a value."""
        return self.cell // self.detail

    def and_of(self, earlier: "Heatmap") -> "Heatmap":
        """All pairs of both, those of `earlier` first.

        Raises:
            ValueError: they are of different pictures.
        """
        self.require_same_pictures(earlier)
        return replace(self, values=torch.cat([earlier.values, self.values]))

    def require_same_pictures(self, earlier: "Heatmap") -> None:
        """Raises ValueError unless `earlier` is of as many pictures of the same size."""
        here, there = ((tuple(h.values.shape[1:]), h.cell, h.cell_frames) for h in (self, earlier))
        if here != there:
            raise ValueError(
                f"heatmap is of {_size(earlier)}, but latent is of {_size(self)}; connect a heat map of the same pictures."
            )


def _size(heatmap: Heatmap) -> str:
    pictures, *size = heatmap.values.shape[1:]
    return f"{pictures} picture(s) of {' x '.join(map(str, size))} cells of {heatmap.cell} pixels"


def noise_difference(target: torch.Tensor, source: torch.Tensor, sigma: float) -> torch.Tensor:
    """Mean over the channels of |eps_target - eps_source|, as in diffusers' StableDiffusionDiffEditPipeline.

    With eps = (x - denoised) / sigma and the same x on both sides, x cancels. For flow models the same expression is
    the difference of their velocities.

    Args:
        target, source: (pictures, channels, [frames,] height, width) denoised predictions at the same x.
        sigma: noise level of x, > 0.

    Returns:
        (pictures, [frames,] height, width)
    """
    return ((target - source).abs() / sigma).mean(dim=1)
