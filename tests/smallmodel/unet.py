"""The narrow UNet. Module names are the host's (`comfy.ldm.modules.diffusionmodules.openaimodel`), so that keys match."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from .layers import (
    HOST_CHANNELS,
    HOST_HEAD,
    HOST_HEADS,
    Axis,
    Conv,
    GroupNorm,
    LayerNorm,
    Linear,
    attend,
    gelu_gate,
    grouped,
    leading,
    per_head,
)

HOST_TEXT = 768
HOST_TIME = 1280
HOST_FEED_FORWARD = 1280
LATENT_CHANNELS = 4


class CrossAttention(nn.Module):
    def __init__(self, channels: Axis, context: Axis, head: int):
        super().__init__()
        inner = per_head(head)
        self.to_q = Linear(channels, inner, bias=False)
        self.to_k = Linear(context, inner, bias=False)
        self.to_v = Linear(context, inner, bias=False)
        self.to_out = nn.Sequential(Linear(inner, channels), nn.Identity())
        self.hook: dict = {}

    def forward(self, x, context):
        q, k, v = self.to_q(x), self.to_k(context), self.to_v(context)
        if hook := self.hook.get("optimized_attention_override"):  # as the host's own attention asks it
            return self.to_out(hook(_attention, q, k, v, HOST_HEADS, scale=HOST_HEAD**-0.5, transformer_options=self.hook))
        return self.to_out(_attention(q, k, v, HOST_HEADS))


def _attention(q, k, v, heads: int, **_):
    return attend(q, k, v, heads, HOST_HEAD)


class GatedProjection(nn.Module):
    def __init__(self, channels: Axis, hidden: Axis):
        super().__init__()
        self.proj = Linear(channels, hidden + hidden)

    def forward(self, x):
        return gelu_gate(self.proj(x))


class FeedForward(nn.Module):
    def __init__(self, channels: Axis):
        super().__init__()
        hidden = leading(3 * len(channels), HOST_FEED_FORWARD)
        self.net = nn.Sequential(GatedProjection(channels, hidden), nn.Identity(), Linear(hidden, channels))

    def forward(self, x):
        return self.net(x)


class TransformerBlock(nn.Module):
    def __init__(self, channels: Axis, text: Axis, head: int):
        super().__init__()
        self.attn1 = CrossAttention(channels, channels, head)
        self.ff = FeedForward(channels)
        self.attn2 = CrossAttention(channels, text, head)
        self.norm1, self.norm2, self.norm3 = LayerNorm(channels), LayerNorm(channels), LayerNorm(channels)

    def forward(self, x, context):
        y = self.norm1(x)
        x = x + self.attn1(y, y)
        x = x + self.attn2(self.norm2(x), context)
        return x + self.ff(self.norm3(x))


class SpatialTransformer(nn.Module):
    def __init__(self, active: int, text: Axis):
        super().__init__()
        channels = grouped(active)
        self.norm = GroupNorm(channels, [(32, active, 10)], eps=1e-6)
        self.proj_in = Conv(channels, channels, kernel=1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(channels, text, head=4 * active)])
        self.proj_out = zeroed(Conv(channels, channels, kernel=1))

    def forward(self, x, time, context):
        y = self.proj_in(self.norm(x)).flatten(2).transpose(1, 2)
        for block in self.transformer_blocks:
            y = block(y, context)
        return x + self.proj_out(y.transpose(1, 2).unflatten(2, x.shape[2:]))


class ResBlock(nn.Module):
    """`skip`: active channels per group of the skip connection that is concatenated to the input, if there is one."""

    def __init__(self, active_in: int, active_out: int, time: Axis, skip: int | None = None):
        super().__init__()
        into, out = grouped(active_in), grouped(active_out)
        segments = [(32, active_in, 10)]
        if skip is not None:
            into = into + grouped(skip)
            segments = [(16, 2 * active_in, 20), (16, 2 * skip, 20)]
        self.in_layers = nn.Sequential(GroupNorm(into, segments), nn.SiLU(), Conv(into, out))
        self.emb_layers = nn.Sequential(nn.SiLU(), Linear(time, out))
        self.out_layers = nn.Sequential(
            GroupNorm(out, [(32, active_out, 10)]), nn.SiLU(), nn.Identity(), zeroed(Conv(out, out))
        )
        # The host uses a convolution exactly where the full widths differ.
        self.skip_connection = nn.Identity() if into.full == out.full else Conv(into, out, kernel=1)

    def forward(self, x, time, context):
        y = self.in_layers(x) + self.emb_layers(time)[:, :, None, None]
        return self.skip_connection(x) + self.out_layers(y)


class Downsample(nn.Module):
    def __init__(self, active_in: int, active_out: int):
        super().__init__()
        self.op = Conv(grouped(active_in), grouped(active_out), stride=2)

    def forward(self, x, time, context):
        return self.op(x)


class Upsample(nn.Module):
    def __init__(self, active_in: int, active_out: int):
        super().__init__()
        self.conv = Conv(grouped(active_in), grouped(active_out))

    def forward(self, x, time, context):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class InputConv(Conv):
    def forward(self, x, time, context):
        return super().forward(x)


def zeroed(layer: nn.Module) -> nn.Module:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def timestep_embedding(t: torch.Tensor) -> torch.Tensor:
    half = HOST_CHANNELS // 2
    frequencies = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32, device=t.device) / half)
    angles = t[:, None].float() * frequencies[None]
    return torch.cat([angles.cos(), angles.sin()], -1)


class UNet(nn.Module):
    """Noise prediction (B, 4, h, w) from a noised latent, timesteps (B,) in 0..999 and text rows (B, n, text).

    `active[l]` is the number of active channels per normalisation group at level l, `transformers[l]` whether the level
    reads the text. The width changes only in Down- and Upsample, so that every ResBlock keeps the host's skip rule.
    """

    def __init__(self, active=(2, 4), transformers=(False, True), time: int = 192, text: int = 128):
        super().__init__()
        self.config = {"active": active, "transformers": transformers, "time": time, "text": text}
        text_axis, time_axis = leading(text, HOST_TEXT), leading(time, HOST_TIME)
        self.time_embed = nn.Sequential(
            Linear(leading(HOST_CHANNELS, HOST_CHANNELS), time_axis), nn.SiLU(), Linear(time_axis, time_axis)
        )

        def level(block: ResBlock, width: int, reads_text: bool) -> nn.ModuleList:
            return nn.ModuleList([block, SpatialTransformer(width, text_axis)] if reads_text else [block])

        width = active[0]
        self.input_blocks = nn.ModuleList([nn.ModuleList([InputConv(leading(4, 4), grouped(width))])])
        skips = [width]
        for depth, width in enumerate(active):
            self.input_blocks.append(level(ResBlock(width, width, time_axis), width, transformers[depth]))
            skips.append(width)
            if depth + 1 < len(active):
                self.input_blocks.append(nn.ModuleList([Downsample(width, active[depth + 1])]))
                skips.append(active[depth + 1])
        self.middle_block = level(ResBlock(width, width, time_axis), width, True)
        self.middle_block.append(ResBlock(width, width, time_axis))
        self.output_blocks = nn.ModuleList()
        for depth in reversed(range(len(active))):
            for last in (False, True):
                block = level(ResBlock(width, active[depth], time_axis, skips.pop()), active[depth], transformers[depth])
                width = active[depth]
                if last and depth > 0:
                    block.append(Upsample(width, active[depth - 1]))
                    width = active[depth - 1]
                self.output_blocks.append(block)
        final = grouped(width)
        self.out = nn.Sequential(
            GroupNorm(final, [(32, width, 10)]),
            nn.SiLU(),
            zeroed(Conv(final, leading(LATENT_CHANNELS, LATENT_CHANNELS))),
        )

    def forward(self, x, t, context):
        time = self.time_embed(timestep_embedding(t))
        skips = []
        for block in self.input_blocks:
            for layer in block:
                x = layer(x, time, context)
            skips.append(x)
        for layer in self.middle_block:
            x = layer(x, time, context)
        for block in self.output_blocks:
            x = torch.cat([x, skips.pop()], 1)
            for layer in block:
                x = layer(x, time, context)
        return self.out(x)
