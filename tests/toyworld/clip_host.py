"""The toy world's CLIP in the host's hands: as the host's loaders give it, and in its narrow form, for measuring.

The narrow form is the same function (tests/host/toyworld/test_toy_clip.py compares both) at a hundredth of the cost of a ViT-L.
"""

import json
from pathlib import Path
from typing import Any

import torch
from smallmodel.text_encoder import HOST_WIDTH
from torch import nn

from tools.comfyui.environment import TOY_CLIP, TOY_CLIP_VISION

from .clip_model import EMBEDDING, VisionEncoder, load_clip_parts
from .stored import WEIGHTS, load_text_encoder


def load_text_half(models: Path, **options) -> Any:
    """CLIP as Load CLIP gives it; `models` is the host's folder."""
    import comfy.sd

    return comfy.sd.load_clip([str(models / "text_encoders" / TOY_CLIP)], model_options=options)


def narrow_text_half(models: Path) -> Any:
    """The same without the layers of zeros, and in the precision that a CPU computes in."""
    layers = len(load_text_encoder().layers)
    return load_text_half(models, clip_l_model_config={"num_hidden_layers": layers}, dtype=torch.float32)


def load_vision_half(models: Path) -> Any:
    """CLIP_VISION as Load CLIP Vision gives it."""
    import comfy.clip_vision

    return comfy.clip_vision.load(str(models / "clip_vision" / TOY_CLIP_VISION))


class NarrowVisionModel(nn.Module):
    """The narrow ViT behind the call signature of the host's CLIPVisionModelProjection; of its outputs only the embedding."""

    def __init__(self, vision: VisionEncoder):
        super().__init__()
        self.vision = vision

    def forward(self, pixel_values, intermediate_output=None):
        embedding = nn.functional.pad(self.vision(pixel_values), (0, HOST_WIDTH - EMBEDDING))
        nothing = embedding.new_zeros(len(embedding), 0)
        return nothing, nothing, embedding, None


def narrow_vision_half(weights: Path = WEIGHTS) -> Any:
    """CLIP_VISION of the host's class, its preprocessing included, with the narrow network inside."""
    import comfy.clip_vision
    import comfy.model_patcher

    host = Path(comfy.clip_vision.__file__).parent / "clip_vision_config_vitl.json"
    half = comfy.clip_vision.ClipVisionModel(json.loads(host.read_text()) | {"num_hidden_layers": 0})
    half.model = NarrowVisionModel(load_clip_parts(weights)[0])
    half.patcher = comfy.model_patcher.ModelPatcher(half.model, half.load_device, torch.device("cpu"))
    return half
