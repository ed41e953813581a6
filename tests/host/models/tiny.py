"""Tiny models made of the host's own classes, with seeded random weights on the CPU."""

import functools

import comfy.model_management
import comfy.sample
import comfy.sd
import comfy.supported_models
import torch
from comfy.clip_vision import ClipVisionModel
from comfy.model_patcher import ModelPatcher
from comfy.sd1_clip import SD1ClipModel, SD1Tokenizer
from comfy.supported_models_base import ClipTarget

CPU = torch.device("cpu")
UNET = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "num_res_blocks": [1, 1],
    "channel_mult": [1, 2],
    "transformer_depth": [1, 1],
    "transformer_depth_middle": 1,
    "transformer_depth_output": [1, 1, 1, 1],
    "use_spatial_transformer": True,
    "use_linear_in_transformer": False,
    "legacy": False,
    "context_dim": 768,
    "adm_in_channels": None,
    "dtype": torch.float32,
}
VISION = {
    "hidden_act": "quick_gelu",
    "hidden_size": 32,
    "image_size": 28,
    "intermediate_size": 64,
    "model_type": "clip_vision_model",
    "num_attention_heads": 2,
    "num_channels": 3,
    "num_hidden_layers": 2,
    "patch_size": 14,
    "projection_dim": 768,
}


def initialise(module: torch.nn.Module, seed: int) -> None:
    """Fill the weights, which the host leaves unset. Norms become the identity: embeddings are as long as CLIP's."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.dim() > 1:
                parameter.normal_(0.0, 0.05, generator=generator)
            else:
                parameter.fill_(1.0 if name.endswith("weight") else 0.0)


def unet(seed: int = 0, **changes) -> ModelPatcher:
    """A small SD 1.x UNet, or what `changes` to its configuration make of it."""
    model = comfy.supported_models.SD15({**UNET, **changes}).get_model({}, device=CPU)
    initialise(model, seed)
    return ModelPatcher(model, load_device=CPU, offload_device=CPU)


@functools.cache
def clip() -> comfy.sd.CLIP:
    """One text encoder for all tests; see `new_clip`."""
    return new_clip(seed=1)


def new_clip(seed: int) -> comfy.sd.CLIP:
    """The text encoder of SD 1.x with its real tokenizer and width, and two layers instead of twelve."""
    target = ClipTarget(SD1Tokenizer, SD1ClipModel)
    small = {"clip_l_model_config": {"num_hidden_layers": 2}, "load_device": CPU, "offload_device": CPU}
    encoder = comfy.sd.CLIP(target, model_options=small)
    initialise(encoder.cond_stage_model, seed)
    return encoder


def clip_vision(**changes) -> ClipVisionModel:
    """CLIP_VISION of CLIP's kind, of the host's class; `changes` to VISION."""
    model = ClipVisionModel({**VISION, **changes})
    initialise(model.model, seed=3)
    return model


def sample(model: ModelPatcher, positive, negative, steps: int = 4, seed: int = 0, cfg: float = 5.0) -> torch.Tensor:
    """An 8 x 8 latent by the host's sampler: euler on the normal schedule."""
    latent = torch.zeros(1, 4, 8, 8)
    noise = comfy.sample.prepare_noise(latent, seed)
    return comfy.sample.sample(model, noise, steps, cfg, "euler", "normal", positive, negative, latent, seed=seed)


def weights(model: ModelPatcher) -> dict[str, torch.Tensor]:
    """A copy of the model's weights as they are."""
    return {name: weight.clone() for name, weight in model.model.state_dict().items()}


def patched(model: ModelPatcher, name: str) -> torch.Tensor:
    """The weight `name` as the host computes it from the patches of `model`, without changing the model."""
    return model.patch_weight_to_device(name, device_to=CPU, return_weight=True)
