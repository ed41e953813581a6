"""The natural world's checkpoint in SD 1.5's format, from the trained weights: `python -m naturalworld.build MODELS`."""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from toyworld.build import VAE_SCALE, write
from toyworld.layers import widen
from toyworld.text_encoder import host_weights
from toyworld.unet import UNet

from tools.comfyui.environment import NATURAL_CHECKPOINT

from .autoencoder import Autoencoder
from .contrast import CaptionEncoder
from .network import new_unet

WEIGHTS = Path(__file__).parent / "weights"


def checkpoint(autoencoder: dict[str, torch.Tensor], unet: UNet, text: CaptionEncoder) -> dict[str, torch.Tensor]:
    """All weights under the keys and in the shapes of an SD 1.5 checkpoint with TAESD's VAE, float16.

    `autoencoder`: the weights of an `Autoencoder`, whose layers are the host's.
    """
    parts = {f"model.diffusion_model.{key}": tensor for key, tensor in widen(unet).items()}
    parts |= {f"first_stage_model.taesd_{key}": tensor for key, tensor in autoencoder.items()}
    parts |= host_weights(text)
    stored = {key: tensor.detach().half().contiguous() for key, tensor in parts.items()}
    stored["first_stage_model.vae_scale"] = torch.tensor(VAE_SCALE)
    stored["first_stage_model.vae_shift"] = torch.tensor(0.0)
    return stored


def load_parts(weights: Path = WEIGHTS) -> tuple[UNet, CaptionEncoder]:
    """What `train.py` stored, but for the autoencoder."""
    words = load_file(weights / "text_encoder.safetensors")
    text = CaptionEncoder(words.pop("vocabulary").tolist())
    unet = new_unet(text.width)
    return with_weights(unet, load_file(weights / "unet.safetensors")), with_weights(text, words)


def load_autoencoder(weights: Path = WEIGHTS) -> Autoencoder:
    """Needs the host, of whose layers it is made."""
    return with_weights(Autoencoder(), load_file(weights / "autoencoder.safetensors"))


def with_weights(network, state: dict[str, torch.Tensor]):
    network.load_state_dict({key: tensor.float() for key, tensor in state.items()})
    return network.eval().requires_grad_(False)


def stored_checkpoint(weights: Path = WEIGHTS) -> dict[str, torch.Tensor]:
    return checkpoint(load_file(weights / "autoencoder.safetensors"), *load_parts(weights))


def main(models: Path) -> None:
    write(models / "checkpoints" / NATURAL_CHECKPOINT, stored_checkpoint())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
