"""The checkpoint in SD 1.5's format that a narrow U-Net, a narrow text encoder and a TAESD make."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import save_file
from torch import nn

from .layers import widen
from .text_encoder import TextEncoder, host_weights
from .unet import UNet

VAE_SCALE = 0.18215  # of SD 1.x latents

Network = TypeVar("Network", bound=nn.Module)


def checkpoint(taesd: Mapping[str, torch.Tensor], unet: UNet, text: TextEncoder) -> dict[str, torch.Tensor]:
    """All weights under the keys and in the shapes of an SD 1.5 checkpoint, float16.

    `taesd`: the weights of `encoder` and `decoder` in TAESD's layers, which the host accepts as a checkpoint's VAE.
    """
    parts = {f"model.diffusion_model.{key}": tensor for key, tensor in widen(unet).items()}
    parts |= {f"first_stage_model.taesd_{key}": tensor for key, tensor in taesd.items()}
    parts |= host_weights(text)
    stored = {key: tensor.detach().half().contiguous() for key, tensor in parts.items()}
    stored["first_stage_model.vae_scale"] = torch.tensor(VAE_SCALE)
    stored["first_stage_model.vae_shift"] = torch.tensor(0.0)
    return stored


def with_weights(network: Network, stored: Mapping[str, torch.Tensor]) -> Network:
    """`network` with weights that were stored in half precision, no more to be trained."""
    network.load_state_dict({key: tensor.float() for key, tensor in stored.items()})
    return network.eval().requires_grad_(False)


def half(module: nn.Module) -> dict[str, torch.Tensor]:
    """Its weights as they are stored."""
    return {key: tensor.half().contiguous() for key, tensor in module.state_dict().items()}


def write(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Never half a file under its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(tensors, partial)
    partial.replace(path)
