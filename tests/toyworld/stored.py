"""The trained weights of the toy world's networks, as they lie in `weights`."""

from pathlib import Path

from safetensors.torch import load_file
from smallmodel.build import with_weights
from smallmodel.text_encoder import TextEncoder
from smallmodel.unet import UNet

WEIGHTS = Path(__file__).parent / "weights"


def load_unet(weights: Path = WEIGHTS) -> UNet:
    return with_weights(UNet(), load_file(weights / "unet.safetensors"))


def load_text_encoder(weights: Path = WEIGHTS) -> TextEncoder:
    stored = load_file(weights / "text_encoder.safetensors")
    return with_weights(TextEncoder(stored.pop("vocabulary").tolist()), stored)
