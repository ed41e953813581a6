"""A model's weights as its patches make them, read without loading or changing the model."""

import comfy.lora
import torch
from comfy.model_patcher import ModelPatcher, get_key_weight


def current_weight(model: ModelPatcher, name: str) -> torch.Tensor:
    """The weight as the patches of `model` make it, float32 on the CPU, whether or not some model is loaded."""
    backup = model.backup.get(name)
    weight, _, convert = get_key_weight(model.model, name)
    if backup is not None:
        weight = backup.weight
    if convert is not None:
        weight = convert(weight)
    weight = weight.to(device="cpu", dtype=torch.float32, copy=True)
    return comfy.lora.calculate_weight(model.patches.get(name, []), weight, name)
