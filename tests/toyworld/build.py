"""Build the toy models, in the host's formats, from the trained weights: `python -m toyworld.build MODELS`, some seconds."""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from smallmodel.build import checkpoint, write

from tools.comfyui.environment import TOY_CHECKPOINT, TOY_CLIP, TOY_CLIP_VISION

from .autoencoder import encoder_weights
from .caption_models import make_blip, make_t5
from .clip_model import clip_text_file, clip_vision_file
from .stored import WEIGHTS, load_text_encoder, load_unet


def stored_checkpoint(weights: Path = WEIGHTS) -> dict[str, torch.Tensor]:
    vae = {f"encoder.{key}": tensor for key, tensor in encoder_weights().items()}
    vae |= {f"decoder.{key}": tensor for key, tensor in load_file(weights / "decoder.safetensors").items()}
    return checkpoint(vae, load_unet(weights), load_text_encoder(weights))


def main(models: Path) -> None:
    """The checkpoint, both halves of CLIP and the captioning models, in a `models` folder of the host."""
    write(models / "checkpoints" / TOY_CHECKPOINT, stored_checkpoint())
    write(models / "text_encoders" / TOY_CLIP, clip_text_file())
    write(models / "clip_vision" / TOY_CLIP_VISION, clip_vision_file())
    make_blip(models / "captioning" / "toy-blip")
    make_t5(models / "captioning" / "toy-t5")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
