"""Which picture lies under which heat map."""

import torch

from .heatmap import Heatmap
from .masks import cropped


def pictures_of(heatmap: Heatmap, picture: torch.Tensor) -> tuple[torch.Tensor, list[int]]:
    """The pictures to show under the heat maps.

    Args:
        heatmap: of pictures, or of video clips.
        picture: IMAGE (B, H, W, C): one for all, or one for each; of video the frames of one clip or of all, one clip
            after the other. Other numbers repeat in order.

    Returns:
        The pictures that are needed, cropped as VAE Encode crops if they have the size that it was given, else whole; and
        for each picture, or each latent frame of each clip, which of them is its own.
    """
    _, pictures, *frames, height, width = heatmap.values.shape
    owners = [i % len(picture) for i in range(pictures)]
    if frames:
        owners = [i for clip in range(pictures) for i in _frames_of_clip(heatmap, clip, len(picture))]
    needed = sorted(set(owners))
    shown = cropped(cropped(picture[needed], 1, height, heatmap.cell), 2, width, heatmap.cell)
    return shown, [needed.index(owner) for owner in owners]


def _frames_of_clip(heatmap: Heatmap, clip: int, count: int) -> list[int]:
    """For each latent frame of a clip the first picture frame that it covers."""
    clips, frames = heatmap.values.shape[1:3]
    covered = [max(0, 1 + (frame - 1) * heatmap.cell_frames) for frame in range(frames)]
    each = count // clips if count // clips > covered[-1] else count
    return [(clip * each + min(frame, each - 1)) % count for frame in covered]
