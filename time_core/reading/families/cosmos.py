"""Cosmos 1, Cosmos-Predict2 and Anima (comfy/ldm/cosmos, comfy/ldm/anima)."""

import re
from typing import Any, Protocol

import torch

from .family import Family, Weights, in_blocks
from .text_reading import Projection

COSMOS_1_KEY = re.compile(r"(?P<block>diffusion_model\.blocks\.block\d+)\.blocks\.\d+\.block\.attn\.to_k\.0\.weight")
PREDICT2 = r"(?P<block>diffusion_model\.blocks\.\d+)\.cross_attn\.(?:(?P<key>k)|(?P<value>v))_proj\.weight"


class Anima(Protocol):
    def preprocess_text_embeds(
        self, text_embeds: torch.Tensor, text_ids: torch.Tensor, t5xxl_weights: torch.Tensor | None
    ) -> torch.Tensor: ...


def _cosmos_1(weights: Weights) -> tuple[Projection, ...]:
    """Self-attention has the same names, but its keys read rows as wide as its queries."""
    found: list[Projection] = []
    for name in weights:
        match = COSMOS_1_KEY.fullmatch(name)
        if match and weights[name].shape[1] != weights[name.replace(".to_k.0.", ".to_q.0.")].shape[1]:
            block = len(found) // 2
            found.append(Projection(name, None, "key", block))
            found.append(Projection(name.replace(".to_k.0.", ".to_v.0."), None, "value", block))
    return tuple(found)


def _predict2(weights: Weights) -> tuple[Projection, ...]:
    return () if _has_adapter(weights) else in_blocks(PREDICT2)(weights)


def _anima(weights: Weights) -> tuple[Projection, ...]:
    return in_blocks(PREDICT2)(weights) if _has_adapter(weights) else ()


def _has_adapter(weights: Weights) -> bool:
    return any(name.startswith("diffusion_model.llm_adapter.") for name in weights)


def _through_the_adapter(network: Anima, rows: torch.Tensor, extra: dict[str, Any]) -> torch.Tensor:
    """As Anima.extra_conds in comfy/model_base.py."""
    ids, token_weights = extra["t5xxl_ids"], extra.get("t5xxl_weights")
    if token_weights is not None:
        token_weights = token_weights.unsqueeze(0).unsqueeze(-1).to(rows)
    ids = ids.unsqueeze(0).to(rows.device)
    return network.preprocess_text_embeds(rows, ids, t5xxl_weights=token_weights)


COSMOS_1 = Family("Cosmos 1", _cosmos_1)
COSMOS_PREDICT2 = Family("Cosmos-Predict2", _predict2)
ANIMA = Family(
    "Anima",
    _anima,
    project=_through_the_adapter,
    projector_weights=re.compile(r"diffusion_model\.llm_adapter\..*"),
    track="t5xxl",
)
