"""A mask whose edge is as soft as the picture's: hard at a hard edge, fading where a thing blends into what is around it."""

import numpy as np
import torch

from ..mask.edges import guided


def softened(mask: torch.Tensor, picture: torch.Tensor, pixels: int) -> torch.Tensor:
    """The masks as linear functions of the picture's colours near their edges, and nowhere more than they were.

    Guided feathering (He, Sun, Tang: Guided Image Filtering, ECCV 2010, section 4). Farther than twice `pixels` from an edge
    the masks stay as they are, to rounding.

    Args:
        mask: (1 or B, H, W), 0 .. 1.
        picture: (1 or B, H, W, 3 or 4) sRGB, 0 .. 1, of the same size.
        pixels: to each side, >= 1, from which a pixel's linear function comes.

    Returns:
        (1 or B, H, W) on the mask's device: 0 where `mask` is 0.
    """
    colours, masks = picture[..., :3].float().cpu().numpy(), mask.float().cpu().numpy()
    found = [
        guided(masks[i % len(masks)], colours[i % len(colours)], 2 * pixels + 1) for i in range(max(len(masks), len(colours)))
    ]
    return torch.minimum(torch.from_numpy(np.stack(found)).clamp(min=0).to(mask), mask)
