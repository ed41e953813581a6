"""Layers of a narrow network that, scattered into zeros, is exactly a wide one.

ComfyUI recognises SD 1.5 by its widths (320 channels, 768 text dimensions, 8 heads), not by its values. A channel that is
zero everywhere costs nothing, so we train narrow layers and remember where each channel sits in the host's layer (`Axis`);
`widen` then writes the wide weights. Only the normalisations must know about the zeros, because they average over them.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

HOST_CHANNELS = 320
HOST_HEADS = 8
HOST_HEAD = 40
NORM_GROUPS = 32
GROUP = HOST_CHANNELS // NORM_GROUPS


@dataclass(frozen=True)
class Axis:
    """Where each narrow channel sits in the host's axis of `full` channels."""

    index: tuple[int, ...]
    full: int

    def __len__(self) -> int:
        return len(self.index)

    def __add__(self, other: "Axis") -> "Axis":
        """The axis of a concatenation."""
        return Axis(self.index + tuple(self.full + i for i in other.index), self.full + other.full)


def leading(narrow: int, full: int) -> Axis:
    """The first `narrow` of `full` channels."""
    return Axis(tuple(range(narrow)), full)


def grouped(active: int) -> Axis:
    """`active` channels in each of the 32 normalisation groups of a 320-channel feature map."""
    return Axis(tuple(GROUP * g + j for g in range(NORM_GROUPS) for j in range(active)), HOST_CHANNELS)


def per_head(active: int, heads: int = HOST_HEADS, head: int = HOST_HEAD) -> Axis:
    """`active` channels in each attention head."""
    return Axis(tuple(head * h + j for h in range(heads) for j in range(active)), heads * head)


class Linear(nn.Linear):
    def __init__(self, into: Axis, out: Axis, bias: bool = True):
        super().__init__(len(into), len(out), bias=bias)
        self.into, self.out = into, out


class Conv(nn.Conv2d):
    def __init__(self, into: Axis, out: Axis, kernel: int = 3, stride: int = 1):
        super().__init__(len(into), len(out), kernel, padding=kernel // 2, stride=stride)
        self.into, self.out = into, out


def _moments_among_zeros(values: torch.Tensor, share: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and variance over the last axis when `values` are only this share of the numbers and the rest are zero."""
    variance, mean = torch.var_mean(values, -1, unbiased=False, keepdim=True)
    wide_mean = share * mean
    return wide_mean, share * (variance + mean * mean) - wide_mean * wide_mean


class GroupNorm(nn.Module):
    """The host's GroupNorm(32) as seen by the active channels.

    `segments` are (groups, active, full) per group; a skip concatenation has two, and no group straddles them.
    """

    def __init__(self, out: Axis, segments: list[tuple[int, int, int]], eps: float = 1e-5):
        super().__init__()
        self.out, self.segments, self.eps = out, segments, eps
        # sqrt(active / full) undoes the shrinking of the variance by the zeros.
        self.weight = nn.Parameter(torch.cat([torch.full((n * a,), math.sqrt(a / f)) for n, a, f in segments]))
        self.bias = nn.Parameter(torch.zeros(len(out)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed, first = [], 0
        for groups, active, full in self.segments:
            part = x[:, first : first + groups * active].float()
            values = part.reshape(len(x), groups, -1)
            mean, variance = _moments_among_zeros(values, active / full)
            normed.append(((values - mean) * torch.rsqrt(variance + self.eps)).reshape(part.shape))
            first += groups * active
        return torch.cat(normed, 1) * self.weight[:, None, None] + self.bias[:, None, None]


class LayerNorm(nn.Module):
    """The host's LayerNorm as seen by the active channels."""

    def __init__(self, out: Axis, eps: float = 1e-5):
        super().__init__()
        self.out, self.eps, self.share = out, eps, len(out) / out.full
        self.weight = nn.Parameter(torch.full((len(out),), math.sqrt(self.share)))
        self.bias = nn.Parameter(torch.zeros(len(out)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.float()
        mean, variance = _moments_among_zeros(x, self.share)
        return (x - mean) * torch.rsqrt(variance + self.eps) * self.weight + self.bias


def attend(q, k, v, heads: int, host_head: int, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Attention with the host's scale, 1/sqrt of its head width.

    Written out on the CPU: for heads this small its fused attention is slow in the backward pass.
    """
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
    if q.is_cuda:
        mask = None if mask is None else mask.to(q.dtype)
        fused = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=host_head**-0.5)
        return fused.transpose(1, 2).flatten(2)
    scores = (q * host_head**-0.5) @ k.transpose(-1, -2)
    if mask is not None:
        scores = scores + mask
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


def gelu_gate(x: torch.Tensor) -> torch.Tensor:
    value, gate = x.chunk(2, -1)
    return value * F.gelu(gate)


def widen(module: nn.Module) -> dict[str, torch.Tensor]:
    """The host-shaped weights of all layers in `module`, by name."""
    wide = {}
    for name, layer in module.named_modules():
        if isinstance(layer, (Linear, Conv)):
            wide[f"{name}.weight"] = scatter(layer.weight, layer.out, layer.into)
            if layer.bias is not None:
                wide[f"{name}.bias"] = scatter(layer.bias, layer.out)
        elif isinstance(layer, (GroupNorm, LayerNorm)):
            wide[f"{name}.weight"] = scatter(layer.weight, layer.out)
            wide[f"{name}.bias"] = scatter(layer.bias, layer.out)
    return wide


def scatter(narrow: torch.Tensor, *axes: Axis) -> torch.Tensor:
    """Write a narrow tensor into zeros, axis by axis; axes not named stay as they are."""
    wide = narrow.detach()
    for dim, axis in enumerate(axes):
        zeros = wide.new_zeros([*wide.shape[:dim], axis.full, *wide.shape[dim + 1 :]])
        wide = zeros.index_copy(dim, torch.tensor(axis.index), wide)
    return wide
