"""Small pictures of latents, without a VAE."""

import numpy as np
import torch
from latent_preview import Latent2RGBPreviewer


def latent_pictures(model, samples: torch.Tensor) -> torch.Tensor | None:
    """What the host shows while it samples, one pixel a latent cell; None if it knows no colours for this family.

    Args:
        model: MODEL.
        samples: LATENT's (B, C, [frames,] h, w).

    Returns:
        (B * frames, h, w, 3) sRGB, 0 .. 1, clip after clip.
    """
    latent_format = model.get_model_object("latent_format")
    if latent_format.latent_rgb_factors is None:
        return None
    previewer = Latent2RGBPreviewer(
        latent_format.latent_rgb_factors, latent_format.latent_rgb_factors_bias, latent_format.latent_rgb_factors_reshape
    )
    latents = latent_format.process_in(samples.float().cpu())
    frames = latents.movedim(2, 1).flatten(0, 1).unsqueeze(2) if latents.ndim == 5 else latents
    pictures = [np.asarray(previewer.decode_latent_to_preview(one)) for one in frames.split(1)]
    return torch.from_numpy(np.stack(pictures)).float() / 255
