"""The natural world's checkpoint in SD 1.5's format, from the trained weights: `python -m naturalworld.build MODELS`."""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from smallmodel.build import checkpoint, with_weights, write
from smallmodel.unet import UNet

from tools.comfyui.environment import NATURAL_CHECKPOINT

from .autoencoder import Autoencoder
from .contrast import CaptionEncoder
from .network import new_unet

WEIGHTS = Path(__file__).parent / "weights"


def load_parts(weights: Path = WEIGHTS) -> tuple[UNet, CaptionEncoder]:
    """What `train.py` stored, but for the autoencoder."""
    words = load_file(weights / "text_encoder.safetensors")
    text = CaptionEncoder(words.pop("vocabulary").tolist())
    unet = new_unet(text.width)
    return with_weights(unet, load_file(weights / "unet.safetensors")), with_weights(text, words)


def load_autoencoder(weights: Path = WEIGHTS) -> Autoencoder:
    """Needs the host, of whose layers it is made."""
    return with_weights(Autoencoder(), load_file(weights / "autoencoder.safetensors"))


def stored_checkpoint(weights: Path = WEIGHTS) -> dict[str, torch.Tensor]:
    return checkpoint(load_file(weights / "autoencoder.safetensors"), *load_parts(weights))


def main(models: Path) -> None:
    write(models / "checkpoints" / NATURAL_CHECKPOINT, stored_checkpoint())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
