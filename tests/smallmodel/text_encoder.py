"""The narrow text encoder: a causal CLIP block stack over the few tokens the toy world uses."""

import torch
import torch.nn.functional as F
from torch import nn

from .layers import Axis, LayerNorm, Linear, attend, leading, scatter, widen

HOST_VOCABULARY = 49408
HOST_WIDTH = 768
HOST_LAYERS = 12
HOST_HEADS = 12
HOST_HEAD = 64
FEED_FORWARD = 4  # times the width
POSITIONS = 77
OWN_POSITIONS = 16  # later positions share the last row: they only ever hold padding
PREFIX = "cond_stage_model.transformer.text_model."


class SelfAttention(nn.Module):
    def __init__(self, width: Axis, heads: int, head: int):
        super().__init__()
        inner = Axis(tuple(HOST_HEAD * h + j for h in range(heads) for j in range(head)), width.full)
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj = (Linear(width, inner) for _ in range(3))
        self.out_proj = Linear(inner, width)

    def forward(self, x, readers, mask):
        mixed = attend(self.q_proj(readers), self.k_proj(x), self.v_proj(x), self.heads, HOST_HEAD, mask)
        return self.out_proj(mixed)


class FeedForward(nn.Module):
    def __init__(self, width: Axis, hidden: int):
        super().__init__()
        inner = leading(hidden, FEED_FORWARD * width.full)
        self.fc1, self.fc2 = Linear(width, inner), Linear(inner, width)

    def forward(self, x):
        x = self.fc1(x)
        return self.fc2(x * torch.sigmoid(1.702 * x))  # CLIP's quick GELU


class Layer(nn.Module):
    """A layer of CLIP, of its text or its vision half. `head`: channels of each, by default an equal share of the width."""

    def __init__(self, width: Axis, heads: int, hidden: int, head: int | None = None):
        super().__init__()
        self.layer_norm1, self.layer_norm2 = LayerNorm(width), LayerNorm(width)
        self.self_attn = SelfAttention(width, heads, head or len(width) // heads)
        self.mlp = FeedForward(width, hidden)

    def forward(self, x, mask=None, rows=None):
        """(B, n, width) to (B, n, width), or to the first `rows` of n only, where no more are read."""
        normed = self.layer_norm1(x)
        x = x[:, :rows] + self.self_attn(normed, normed[:, :rows], mask)
        return x + self.mlp(self.layer_norm2(x))


class TextEncoder(nn.Module):
    """Token ids (B, n) to rows (B, n, width). Tokens outside `vocabulary` (CLIP ids) have no embedding of their own."""

    def __init__(self, vocabulary, width: int = 128, layers: int = 2, heads: int = 4, hidden: int = 384):
        super().__init__()
        self.vocabulary, self.width = list(vocabulary), width
        axis = leading(width, HOST_WIDTH)
        self.token = nn.Parameter(torch.randn(len(self.vocabulary), width) * 0.5)
        self.position = nn.Parameter(torch.randn(OWN_POSITIONS, width) * 0.1)
        self.layers = nn.ModuleList([Layer(axis, heads, hidden) for _ in range(layers)])
        self.final = LayerNorm(axis)
        row_of_token = torch.full((HOST_VOCABULARY,), -1)
        row_of_token[torch.tensor(self.vocabulary)] = torch.arange(len(self.vocabulary))
        self.register_buffer("row_of_token", row_of_token, persistent=False)
        self.register_buffer("mask", torch.full((POSITIONS, POSITIONS), float("-inf")).triu(1), persistent=False)
        self.register_buffer("row_of_position", torch.arange(POSITIONS).clamp(max=OWN_POSITIONS - 1), persistent=False)
        for layer in self.layers:
            layer.self_attn.out_proj.weight.data.mul_(0.5)
            layer.mlp.fc2.weight.data.mul_(0.5)
            for name, parameter in layer.named_parameters():
                if name.endswith("bias"):
                    nn.init.zeros_(parameter)

    def forward(self, ids):
        n = ids.shape[1]
        rows = self.row_of_token[ids]
        x = F.embedding(rows.clamp(min=0), self.token) * (rows >= 0)[..., None] + self.position[self.row_of_position[:n]]
        for layer in self.layers:
            x = layer(x, self.mask[:n, :n])
        return self.final(x)


def host_weights(encoder: TextEncoder) -> dict[str, torch.Tensor]:
    """CLIP-L weights that compute the same rows. Layers of zeros pass their input on unchanged."""
    width = leading(encoder.width, HOST_WIDTH)
    vocabulary = Axis(tuple(encoder.vocabulary), HOST_VOCABULARY)
    narrow = widen(encoder)
    wide = {
        "embeddings.token_embedding.weight": scatter(encoder.token, vocabulary, width),
        "embeddings.position_embedding.weight": scatter(
            encoder.position[encoder.row_of_position], leading(POSITIONS, POSITIONS), width
        ),
        "final_layer_norm.weight": narrow["final.weight"],
        "final_layer_norm.bias": narrow["final.bias"],
    }
    wide |= {f"encoder.{key}": tensor for key, tensor in host_layers(narrow, HOST_LAYERS, HOST_WIDTH).items()}
    return {PREFIX + key: tensor for key, tensor in wide.items()}


def host_layers(narrow: dict[str, torch.Tensor], layers: int, width: int) -> dict[str, torch.Tensor]:
    """All layers of a CLIP half, named `layers.0.…`: those in `narrow`, then zeros, which hold no memory of their own."""
    square, vector = (width, width), (width,)
    shapes = {"layer_norm1": vector, "layer_norm2": vector}
    shapes |= {f"self_attn.{part}": square for part in ("q_proj", "k_proj", "v_proj", "out_proj")}
    shapes |= {"mlp.fc1": (FEED_FORWARD * width, width), "mlp.fc2": (width, FEED_FORWARD * width)}
    wide = {}
    for layer in range(layers):
        for name, shape in shapes.items():
            for kind, size in (("weight", shape), ("bias", shape[:1])):
                key = f"layers.{layer}.{name}.{kind}"
                wide[key] = narrow[key] if key in narrow else torch.zeros(()).expand(size)
    return wide
