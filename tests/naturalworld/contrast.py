"""Contrast: captions and pictures that belong together become alike, as in CLIP (Radford et al., 2021). Nothing else."""

import math

import torch
import torch.nn.functional as F
from smallmodel.text_encoder import POSITIONS, TextEncoder
from torch import nn

EMBEDDING = 128
OWN_POSITIONS = 32  # later ones share the last row; captions are shorter, so that those only ever hold padding
WARMEST, COLDEST = math.log(10.0), math.log(100.0)  # of the scale for the cosines, as a logarithm


class CaptionEncoder(TextEncoder):
    """The drawn world's causal CLIP blocks, wider, deeper and with places for longer captions."""

    def __init__(self, vocabulary: list[int], width: int = 192, layers: int = 4, heads: int = 6, hidden: int = 576):
        super().__init__(vocabulary, width, layers, heads, hidden)
        self.position = nn.Parameter(torch.randn(OWN_POSITIONS, width) * 0.1)
        self.register_buffer("row_of_position", torch.arange(POSITIONS).clamp(max=OWN_POSITIONS - 1), persistent=False)


class PictureEncoder(nn.Module):
    """Pictures (B, 3, H, W) in 0..1 to embeddings (B, EMBEDDING); a convolution network that is used for learning only."""

    def __init__(self, widths: tuple[int, ...] = (32, 64, 128, 192, 256)):
        super().__init__()
        layers, before = [], 3
        for width in widths:
            layers += [nn.Conv2d(before, width, 3, stride=2, padding=1), nn.GroupNorm(8, width), nn.SiLU()]
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.GroupNorm(8, width), nn.SiLU()]
            before = width
        self.body = nn.Sequential(*layers)
        self.projection = nn.Linear(2 * before, EMBEDDING)

    def forward(self, pictures):
        seen = self.body(pictures - 0.5)
        return self.projection(torch.cat([seen.mean((2, 3)), seen.amax((2, 3))], 1))


class Contrast(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.pictures = PictureEncoder()
        self.captions = nn.Linear(width, EMBEDDING, bias=False)
        self.scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self, rows: torch.Tensor, ends: torch.Tensor, which: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
        """CLIP's loss. `rows` (B, n, width) of captions, `ends` (B,) where each ends, `which` (B,) its number."""
        own = torch.arange(len(which), device=which.device)
        said = F.normalize(self.captions(rows[own, ends]), dim=1)
        seen = F.normalize(self.pictures(pictures), dim=1)
        with torch.autocast(pictures.device.type, enabled=False):  # bfloat16 is too coarse for cosines
            logits = self.scale.clamp(WARMEST, COLDEST).exp() * seen.float() @ said.float().T
        same = (which[:, None] == which[None]) & (own[:, None] != own[None])
        logits = logits.masked_fill(same, float("-inf"))  # a caption is no wrong answer to itself
        return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
