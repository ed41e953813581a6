"""Checkpoints of random weights: U-Net and text encoder, without an autoencoder, in float16."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from tools.release.random_checkpoint import random_weight, shapes

AUTOENCODER = "first_stage_model."


def write_checkpoint(kind: str, path: Path, device: torch.device, seed: int = 1) -> None:
    """Drawn on `device`, where a card is a hundred times as fast as a processor."""
    generator = torch.Generator(device).manual_seed(seed)
    weights = {}
    for name, like in shapes(kind):
        if not name.startswith(AUTOENCODER):
            weight = random_weight(name, like, generator)
            weights[name] = (weight.half() if weight.is_floating_point() else weight).cpu().contiguous()
    partial = path.with_suffix(".partial")
    save_file(weights, partial)
    partial.replace(path)
