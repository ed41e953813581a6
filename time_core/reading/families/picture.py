"""PixArt, HunyuanDiT and Stable Cascade's stage C (comfy/ldm/pixart, comfy/ldm/hydit, comfy/ldm/cascade)."""

import re
from typing import Any, Protocol

import torch

from .family import Family, Layer, Weights, fused_in_blocks
from .text_reading import Projection

CASCADE_MAPPER = re.compile(r"diffusion_model\.(?:down|up)_blocks\.\d+\.\d+\.kv_mapper\.1\.weight")


class CaptionEmbedder(Protocol):
    y_proj: Layer


class PixArt(Protocol):
    y_embedder: CaptionEmbedder


class HunyuanDiT(Protocol):
    """`text_embedding_padding` (text_len + text_len_t5, width) holds a row for each place of both encoders."""

    mlp_t5: Layer
    text_embedding_padding: torch.Tensor
    text_len: int
    text_len_t5: int


class CascadeC(Protocol):
    clip_txt_mapper: Layer
    clip_norm: Layer


def _pixart_text(network: PixArt, rows: torch.Tensor, extra: dict[str, Any]) -> torch.Tensor:
    return network.y_embedder.y_proj(rows)


def _hunyuan_text(network: HunyuanDiT, rows: torch.Tensor, extra: dict[str, Any]) -> torch.Tensor:
    """BERT's rows as they are, then mT5's behind the model's own layers; padding is the model's own, as in its forward."""
    second = network.mlp_t5(extra["conditioning_mt5xl"].to(rows))
    padding = network.text_embedding_padding.to(rows)
    masks = [extra[name].bool().to(rows.device).unsqueeze(2) for name in ("attention_mask", "attention_mask_mt5xl")]
    first = torch.where(masks[0][:, -network.text_len :], rows[:, -network.text_len :], padding[: network.text_len])
    second_end = second[:, -network.text_len_t5 :]
    second_end = torch.where(masks[1][:, -network.text_len_t5 :], second_end, padding[network.text_len :])
    before = rows[:, : -network.text_len], second[:, : -network.text_len_t5]
    return torch.cat([before[0], first, before[1], second_end], dim=1)


def _cascade_mappers(weights: Weights) -> tuple[Projection, ...]:
    """Every block maps the text before its keys and values; editing the map edits both alike."""
    names = [name for name in weights if CASCADE_MAPPER.fullmatch(name)]
    has_text = "diffusion_model.clip_txt_mapper.weight" in weights  # stage B reads the pooled vector alone
    return tuple(Projection(name, None, "entry", block) for block, name in enumerate(names)) if has_text else ()


def _cascade_text(network: CascadeC, rows: torch.Tensor, extra: dict[str, Any]) -> torch.Tensor:
    return torch.nn.functional.silu(network.clip_norm(network.clip_txt_mapper(rows)))


PIXART = Family(
    "PixArt",
    fused_in_blocks(r"diffusion_model\.blocks\.\d+\.cross_attn\.kv_linear\.weight"),
    project=_pixart_text,
    projector_weights=re.compile(r"diffusion_model\.y_embedder\.y_proj\..*"),
)
HUNYUAN_DIT = Family(
    "HunyuanDiT",
    fused_in_blocks(r"diffusion_model\.blocks\.\d+\.attn2\.kv_proj\.weight"),
    project=_hunyuan_text,
    projector_weights=re.compile(r"diffusion_model\.(?:mlp_t5\..*|text_embedding_padding)"),
    note="A pooled vector of mT5's rows also enters with the timestep; an edit leaves it as it is.",
)
CASCADE_C = Family(
    "Stable Cascade, stage C",
    _cascade_mappers,
    project=_cascade_text,
    projector_weights=re.compile(r"diffusion_model\.clip_txt_mapper\..*"),
    note="The pooled text vector and image vectors pass the same map and are changed by the edit as other text is.",
)
