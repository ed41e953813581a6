"""A full-size checkpoint of random weights, to run the pack at real sizes where no trained model is at hand:

    python -m tools.release.random_checkpoint {sd15,sdxl,small} FILE [--seed N] [--dtype fp16|fp32]

Names and shapes come from the host's own classes, so it loads as SD 1.5 or SDXL does. Its pictures are noise. `small` is an
SD 1.5 with the least U-Net that the host still takes for one.
"""

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file

from ..comfyui.library import load_host

SHARED = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 320,
    "use_spatial_transformer": True,
    "legacy": False,
    "use_temporal_attention": False,
}
SD15 = SHARED | {
    "num_res_blocks": [2, 2, 2, 2],
    "channel_mult": [1, 2, 4, 4],
    "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
    "transformer_depth_middle": 1,
    "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
    "use_linear_in_transformer": False,
    "context_dim": 768,
    "adm_in_channels": None,
}
SDXL = SHARED | {
    "num_res_blocks": [2, 2, 2],
    "channel_mult": [1, 2, 4],
    "transformer_depth": [0, 0, 2, 2, 10, 10],
    "transformer_depth_middle": 10,
    "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
    "use_linear_in_transformer": True,
    "context_dim": 2048,
    "adm_in_channels": 2816,
    "num_classes": "sequential",
    "num_head_channels": 64,
}
SMALL = SD15 | {
    "num_res_blocks": [1, 1],
    "channel_mult": [1, 1],
    "transformer_depth": [1, 1],
    "transformer_depth_output": [1, 1, 1, 1],
}
VAE = {
    "double_z": True,
    "z_channels": 4,
    "resolution": 256,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 128,
    "ch_mult": [1, 2, 4, 4],
    "num_res_blocks": 2,
    "attn_resolutions": [],
    "dropout": 0.0,
}
EMBEDDING_SCALE = 0.02  # about CLIP's
LOGIT_SCALE = math.log(100)  # CLIP's


def shapes(kind: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Every weight of a checkpoint under the name it is saved by, as a tensor without contents."""
    import comfy.supported_models
    from comfy.ldm.models.autoencoder import AutoencoderKL

    sd15, sdxl = comfy.supported_models.SD15, comfy.supported_models.SDXL
    model, unet = {"sd15": (sd15, SD15), "sdxl": (sdxl, SDXL), "small": (sd15, SMALL)}[kind]
    config = model(unet | {"dtype": torch.float16})
    with torch.device("meta"):
        autoencoder = AutoencoderKL(ddconfig=VAE, embed_dim=VAE["z_channels"])
    network = config.get_model({}, device="meta").diffusion_model
    text = config.clip_target().clip(device="meta", dtype=torch.float16, model_options={})
    yield from config.process_unet_state_dict_for_saving(network.state_dict()).items()
    yield from config.process_clip_state_dict_for_saving(text.state_dict()).items()
    yield from config.process_vae_state_dict_for_saving(autoencoder.state_dict()).items()


def random_weight(name: str, like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Values that keep the size of what passes: norms are the identity, maps have variance 1 / inputs, biases are 0.

    Drawn where `generator` is.
    """
    if not like.is_floating_point():
        return torch.arange(like.numel()).reshape(like.shape)
    if name.endswith("logit_scale"):
        return torch.full(like.shape, LOGIT_SCALE)
    if like.dim() < 2:
        return torch.full(like.shape, 1.0 if name.endswith("weight") else 0.0)
    scale = EMBEDDING_SCALE if "embedding" in name.rpartition("transformer.")[2] else like[0].numel() ** -0.5
    return torch.empty(like.shape, device=generator.device).normal_(0.0, scale, generator=generator)


def write(kind: str, path: Path, seed: int, dtype: str) -> None:
    generator = torch.Generator().manual_seed(seed)
    kept = {"fp16": torch.float16, "fp32": torch.float32}[dtype]
    weights = {}
    for name, like in shapes(kind):
        weight = random_weight(name, like, generator)
        weights[name] = weight.to(kept) if weight.is_floating_point() else weight
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(weights, partial)
    partial.replace(path)
    count = sum(weight.numel() for weight in weights.values())
    print(f"{path}: {count / 1e6:.0f} M weights, {path.stat().st_size / 1e9:.2f} GB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("sd15", "sdxl", "small"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dtype", choices=("fp16", "fp32"), default="fp16")
    arguments = parser.parse_args()
    load_host()
    write(arguments.kind, arguments.file, arguments.seed, arguments.dtype)


if __name__ == "__main__":
    main()
