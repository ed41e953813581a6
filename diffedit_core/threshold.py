"""From a heat map to a mask. Every picture is judged by its own heat map, whatever else is in the batch."""

import torch


def rescale(values: torch.Tensor, ratio: float) -> torch.Tensor:
    """Heat maps in 0 .. 1: cut off at `ratio` times each picture's own mean, which becomes 1.

    diffusers' rule for removing extremes (StableDiffusionDiffEditPipeline, mask_thresholding_ratio), which there takes
    the mean over the whole batch.

    Args:
        values: (pictures, height, width), >= 0.
        ratio: > 0.

    Raises:
        ValueError: a heat map is zero everywhere: the prompts agree.
    """
    cut = ratio * values.flatten(1).double().mean(dim=1)
    flat = [i for i, c in enumerate(cut.tolist()) if c == 0]
    if flat:
        raise ValueError(
            f"target and source make the model predict the same everywhere in picture {flat[0]}, so there is nothing "
            "to mask; change target or source so that they describe different things."
        )
    return (values.double() / cut[:, None, None]).clamp(0, 1).float()


def masked_cells(rescaled: torch.Tensor, threshold: float) -> torch.Tensor:
    """(pictures, height, width) float32: 1 where a rescaled heat map reaches `threshold` (0 .. 1), else 0.

    At threshold 0.5 and ratio 3 these are the cells above 1.5 times the mean, hence at most two thirds of a picture.
    """
    return (rescaled >= threshold).float()
