"""The trained weights of the toy world's networks, as they lie in `weights`."""

from pathlib import Path

from safetensors.torch import load_file

from .text_encoder import TextEncoder
from .unet import UNet

WEIGHTS = Path(__file__).parent / "weights"


def load_unet(weights: Path = WEIGHTS) -> UNet:
    unet = UNet()
    unet.load_state_dict({key: tensor.float() for key, tensor in load_file(weights / "unet.safetensors").items()})
    return unet.eval().requires_grad_(False)


def load_text_encoder(weights: Path = WEIGHTS) -> TextEncoder:
    stored = load_file(weights / "text_encoder.safetensors")
    encoder = TextEncoder(stored.pop("vocabulary").tolist())
    encoder.load_state_dict({key: tensor.float() for key, tensor in stored.items()})
    return encoder.eval().requires_grad_(False)
