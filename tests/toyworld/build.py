"""Build the toy models, in the host's formats, from the trained weights: `python -m toyworld.build MODELS`, some seconds."""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from tools.comfyui.environment import TOY_CHECKPOINT, TOY_CLIP, TOY_CLIP_VISION

from .autoencoder import encoder_weights
from .caption_models import make_blip, make_t5
from .clip_model import clip_text_file, clip_vision_file
from .layers import widen
from .stored import WEIGHTS, load_text_encoder, load_unet
from .text_encoder import host_weights

VAE_SCALE = 0.18215  # of SD 1.x latents


def checkpoint(weights: Path = WEIGHTS) -> dict[str, torch.Tensor]:
    """All weights under the keys and in the shapes of an SD 1.5 checkpoint, float16."""
    vae = {f"taesd_encoder.{key}": tensor for key, tensor in encoder_weights().items()}
    vae |= {f"taesd_decoder.{key}": tensor for key, tensor in load_file(weights / "decoder.safetensors").items()}
    parts = {f"model.diffusion_model.{key}": tensor for key, tensor in widen(load_unet(weights)).items()}
    parts |= {f"first_stage_model.{key}": tensor for key, tensor in vae.items()}
    parts |= host_weights(load_text_encoder(weights))
    half = {key: tensor.half().contiguous() for key, tensor in parts.items()}
    half["first_stage_model.vae_scale"] = torch.tensor(VAE_SCALE)
    half["first_stage_model.vae_shift"] = torch.tensor(0.0)
    return half


def write(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Never half a file under its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(tensors, partial)
    partial.replace(path)


def main(models: Path) -> None:
    """The checkpoint, both halves of CLIP and the captioning models, in a `models` folder of the host."""
    write(models / "checkpoints" / TOY_CHECKPOINT, checkpoint())
    write(models / "text_encoders" / TOY_CLIP, clip_text_file())
    write(models / "clip_vision" / TOY_CLIP_VISION, clip_vision_file())
    make_blip(models / "captioning" / "toy-blip")
    make_t5(models / "captioning" / "toy-t5")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
