"""The toy world's CLIP: a narrow ViT of its own beside the toy model's text encoder, both projected to one space.

Scattered into zeros (`layers.py`) they are a ViT-L/14 and a CLIP-L in the formats of the host's CLIP loaders.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file
from smallmodel.layers import Axis, LayerNorm, Linear, leading, scatter, widen
from smallmodel.text_encoder import HOST_WIDTH, PREFIX, Layer, TextEncoder, host_layers, host_weights
from torch import nn

from .stored import WEIGHTS, load_text_encoder

PATCH = 14
PICTURE = 224
PATCHES = (PICTURE // PATCH) ** 2
HOST_VISION_WIDTH = 1024
HOST_VISION_LAYERS = 24
EMBEDDING = 64  # of the host's 768
REGIONS = 16  # as many as a ViT-L has heads


class VisionEncoder(nn.Module):
    """Pictures as the host's `clip_preprocess` makes them, (B, 3, 224, 224), to embeddings (B, EMBEDDING).

    In the last layer the class token reads the patches by one head for each of 4 x 4 regions, whose places are written into
    the first channels of the position rows: shapes are learned from that in minutes, and otherwise not.
    """

    def __init__(self, width: int = 96, layers: int = 2, heads: int = 2, hidden: int = 192):
        super().__init__()
        axis = leading(width, HOST_VISION_WIDTH)
        self.patch = Linear(leading(3 * PATCH**2, 3 * PATCH**2), axis, bias=False)
        self.begin = nn.Parameter(torch.randn(width) * 0.1)
        self.position = nn.Parameter(torch.cat([torch.zeros(1, width), _waves(width)]))
        self.before, self.after = LayerNorm(axis), LayerNorm(axis)
        reading = Layer(axis, REGIONS, 4 * width, head=width // 8)
        self.layers = nn.ModuleList([*(Layer(axis, heads, hidden, head=16) for _ in range(layers)), reading])
        self.projection = Linear(axis, leading(EMBEDDING, HOST_WIDTH), bias=False)
        with torch.no_grad():
            for layer in self.layers:
                layer.mlp.fc1.weight.mul_(2)  # the host's quick GELU is nearly linear at the usual size
            self._read_regions(reading.self_attn)
        self.mark_regions()

    @property
    def axis(self) -> Axis:
        return self.patch.out

    @torch.no_grad()
    def mark_regions(self) -> None:
        """Write the regions' places into the first channels, and keep all else out of them."""
        self.position[1:, :REGIONS] = _regions()
        self.position[0, :REGIONS], self.begin[:REGIONS], self.patch.weight[:REGIONS] = 0, 0, 0
        for layer in self.layers[:-1]:
            for last in (layer.self_attn.out_proj, layer.mlp.fc2):
                last.weight[:REGIONS], last.bias[:REGIONS] = 0, 0

    def _read_regions(self, attention) -> None:
        head = len(attention.k_proj.bias) // REGIONS
        for region in range(REGIONS):
            row = head * region
            attention.q_proj.weight[row], attention.k_proj.weight[row] = 0, 0
            attention.q_proj.bias[row], attention.k_proj.weight[row, region] = 4, 2

    def rows(self, pictures):
        """(B, 1 + PATCHES, width): the class token and the patches before the last layer."""
        patches = self.patch(nn.functional.unfold(pictures, PATCH, stride=PATCH).transpose(1, 2))
        begin = self.begin.expand(len(patches), 1, -1)
        x = self.before(torch.cat([begin, patches], 1) + self.position)
        for layer in self.layers[:-1]:
            x = layer(x)
        return x

    def forward(self, pictures):
        return self.projection(self.after(self.layers[-1](self.rows(pictures), rows=1)[:, 0]))


def grid() -> torch.Tensor:
    """(PATCHES, 2): x and y of every patch, counted in patches."""
    side = torch.arange(PICTURE // PATCH, dtype=torch.float32)
    y, x = torch.meshgrid(side, side, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], 1)


def _waves(width: int) -> torch.Tensor:
    """Positions (PATCHES, width) as sines and cosines, as ViTs have them that learn fast (Beyer et al., 2022)."""
    frequencies = 100.0 ** -torch.linspace(0, 1, width // 4)
    angles = (grid()[:, :, None] * frequencies).flatten(1)
    return torch.cat([angles.sin(), angles.cos()], 1) * 0.7


def _regions(reach: float = 1.6) -> torch.Tensor:
    """(PATCHES, REGIONS): how near each patch is to the middle of each region, up to 3."""
    middles = torch.linspace(2.2, 12.8, 4)
    centres = torch.stack([middles.repeat(4), middles.repeat_interleave(4)], 1)
    return 3 * torch.exp(-(torch.cdist(grid(), centres) ** 2) / (2 * reach**2))


class TextProjection(Linear):
    """The text encoder's row of the end token (B, width) to embeddings (B, EMBEDDING)."""

    def __init__(self, width: int):
        super().__init__(leading(width, HOST_WIDTH), leading(EMBEDDING, HOST_WIDTH), bias=False)


def load_clip_parts(weights: Path = WEIGHTS) -> tuple[VisionEncoder, TextProjection]:
    stored = {key: tensor.float() for key, tensor in load_file(weights / "clip.safetensors").items()}
    parts = nn.ModuleDict({"vision": VisionEncoder(), "text": TextProjection(load_text_encoder(weights).width)})
    parts.load_state_dict(stored)
    parts.eval().requires_grad_(False)
    return parts["vision"], parts["text"]


def host_vision_weights(vision: VisionEncoder) -> dict[str, torch.Tensor]:
    """A CLIP ViT-L/14 that computes the same embeddings, followed by zeros."""
    narrow = widen(vision)
    rows = leading(1 + PATCHES, 1 + PATCHES)
    wide = {
        "embeddings.class_embedding": scatter(vision.begin, vision.axis),
        "embeddings.patch_embedding.weight": narrow["patch.weight"].unflatten(1, (3, PATCH, PATCH)),
        "embeddings.position_embedding.weight": scatter(vision.position, rows, vision.axis),
    }
    for ours, name in (("before", "pre_layrnorm"), ("after", "post_layernorm")):
        wide |= {f"{name}.{kind}": narrow[f"{ours}.{kind}"] for kind in ("weight", "bias")}
    layers = host_layers(narrow, HOST_VISION_LAYERS, HOST_VISION_WIDTH)
    wide |= {f"encoder.{key}": tensor for key, tensor in layers.items()}
    named = {f"vision_model.{key}": tensor for key, tensor in wide.items()}
    return named | {"visual_projection.weight": narrow["projection.weight"]}


def host_text_weights(encoder: TextEncoder, projection: TextProjection) -> dict[str, torch.Tensor]:
    """A CLIP-L text encoder with its projection."""
    wide = {"text_model." + key.removeprefix(PREFIX): tensor for key, tensor in host_weights(encoder).items()}
    return wide | {"text_projection.weight": scatter(projection.weight, projection.out, projection.into)}


def clip_text_file(weights: Path = WEIGHTS) -> dict[str, torch.Tensor]:
    """What the host's Load CLIP reads."""
    _, projection = load_clip_parts(weights)
    return {key: _compact(tensor) for key, tensor in host_text_weights(load_text_encoder(weights), projection).items()}


def clip_vision_file(weights: Path = WEIGHTS) -> dict[str, torch.Tensor]:
    """What the host's Load CLIP Vision reads."""
    vision, _ = load_clip_parts(weights)
    return {key: _compact(tensor) for key, tensor in host_vision_weights(vision).items()}


def _compact(tensor: torch.Tensor) -> torch.Tensor:
    """As stored: float16, and layers of zeros in a byte each, which keeps a ViT-L at 300 MB."""
    return tensor.to(torch.float16 if tensor.any() else torch.float8_e4m3fn).contiguous()
