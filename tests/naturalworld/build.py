"""The natural world's checkpoint in SD 1.5's format, from the trained weights."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from toyworld.build import VAE_SCALE
from toyworld.layers import widen
from toyworld.text_encoder import host_weights
from toyworld.unet import UNet

from .autoencoder import Autoencoder
from .contrast import CaptionEncoder


def checkpoint(autoencoder: Autoencoder, unet: UNet, text: CaptionEncoder) -> dict[str, torch.Tensor]:
    """All weights under the keys and in the shapes of an SD 1.5 checkpoint with TAESD's VAE, float16."""
    parts = {f"model.diffusion_model.{key}": tensor for key, tensor in widen(unet).items()}
    for half in ("encoder", "decoder"):
        weights = getattr(autoencoder, half).state_dict()
        parts |= {f"first_stage_model.taesd_{half}.{key}": tensor for key, tensor in weights.items()}
    parts |= host_weights(text)
    stored = {key: tensor.detach().half().contiguous() for key, tensor in parts.items()}
    stored["first_stage_model.vae_scale"] = torch.tensor(VAE_SCALE)
    stored["first_stage_model.vae_shift"] = torch.tensor(0.0)
    return stored


def load_parts(weights: Path) -> tuple[Autoencoder, UNet, CaptionEncoder]:
    """What `train.py` stored."""

    def read(name: str) -> dict[str, torch.Tensor]:
        return load_file(weights / f"{name}.safetensors")

    words = read("text_encoder")
    text = CaptionEncoder(words.pop("vocabulary").tolist())
    autoencoder, unet = Autoencoder(), UNet(text=text.width)
    for network, state in ((autoencoder, read("autoencoder")), (unet, read("unet")), (text, words)):
        network.load_state_dict({key: tensor.float() for key, tensor in state.items()})
        network.eval().requires_grad_(False)
    return autoencoder, unet, text
