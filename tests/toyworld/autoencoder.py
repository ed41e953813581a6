"""Pictures to latents and back, in the layers of TAESD, which the host accepts as a checkpoint's VAE.

The encoder is written down, not trained: exact 8 x 8 average pooling into opponent axes (luminance, red-green, yellow-blue)
of about unit variance, and the luminance difference of the left and right half of each cell. The decoder is trained.
"""

import torch
import torch.nn.functional as F
from torch import nn

MEANS = (0.66, 0.06, 0.10)
SCALES = (5.0, 5.0, 4.0, 8.0)
CELL = 8
WIDTH = 64


def encode(pixels: torch.Tensor) -> torch.Tensor:
    """Pictures (B, 3, H, W) in 0..1 to latents (B, 4, H/8, W/8)."""
    r, g, b = F.avg_pool2d(pixels, CELL).unbind(1)
    halves = F.avg_pool2d(pixels.mean(1, keepdim=True), (CELL, CELL // 2))[:, 0]
    axes = (
        (r + g + b) / 3 - MEANS[0],
        r - g - MEANS[1],
        (r + g) / 2 - b - MEANS[2],
        halves[..., 0::2] - halves[..., 1::2],
    )
    return torch.stack([axis * scale for axis, scale in zip(axes, SCALES, strict=True)], 1)


def encoder_weights() -> dict[str, torch.Tensor]:
    """`encode` as TAESD encoder weights, without a prefix. Residual blocks of zeros pass their input on."""

    def kernel(out: int, into: int) -> torch.Tensor:
        return torch.zeros(out, into, 3, 3)

    weights = {}
    for block in (1, 3, 4, 5, 7, 8, 9, 11, 12, 13):
        for conv in (0, 2, 4):
            weights[f"{block}.conv.{conv}.weight"] = kernel(WIDTH, WIDTH)
            weights[f"{block}.conv.{conv}.bias"] = torch.zeros(WIDTH)
    copy = kernel(WIDTH, 3)
    for channel in range(3):
        copy[channel, channel, 1, 1] = 1.0
    weights |= {"0.weight": copy, "0.bias": torch.zeros(WIDTH)}
    for halving in (2, 6, 10):
        pool = kernel(WIDTH, WIDTH)
        for channel in range(3):
            pool[channel, channel, 1:, 1:] = 0.25
        if halving == 10:
            for channel in range(3):
                pool[3, channel, 1:, 1] = 0.5 / 3  # luminance of the left half
                pool[4, channel, 1:, 2] = 0.5 / 3  # and of the right half
        weights[f"{halving}.weight"] = pool
    final, bias = kernel(4, WIDTH), torch.zeros(4)
    final[0, :3, 1, 1] = SCALES[0] / 3
    final[1, 0, 1, 1], final[1, 1, 1, 1] = SCALES[1], -SCALES[1]
    final[2, :2, 1, 1], final[2, 2, 1, 1] = SCALES[2] / 2, -SCALES[2]
    final[3, 3, 1, 1], final[3, 4, 1, 1] = SCALES[3], -SCALES[3]
    for axis in range(3):
        bias[axis] = -MEANS[axis] * SCALES[axis]
    return weights | {"14.weight": final, "14.bias": bias}


def new_decoder() -> nn.Module:
    """TAESD's decoder with weights ready for training."""
    from comfy.taesd.taesd import Decoder

    decoder = Decoder(4)
    for name, layer in decoder.named_modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if name.endswith("conv.4"):
                layer.weight.data.mul_(0.1)
            layer.requires_grad_(True)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    last = decoder[len(decoder) - 1]
    last.weight.data.mul_(0.1)
    nn.init.constant_(last.bias, 0.7)
    return decoder
