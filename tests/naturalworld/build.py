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
from .network import new_unet


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
    words = load_file(weights / "text_encoder.safetensors")
    text = CaptionEncoder(words.pop("vocabulary").tolist())
    unet = with_weights(new_unet(text.width), load_file(weights / "unet.safetensors"))
    return load_autoencoder(weights / "autoencoder.safetensors"), unet, with_weights(text, words)


def load_autoencoder(file: Path) -> Autoencoder:
    return with_weights(Autoencoder(), load_file(file))


def with_weights(network, state: dict[str, torch.Tensor]):
    network.load_state_dict({key: tensor.float() for key, tensor in state.items()})
    return network.eval().requires_grad_(False)
