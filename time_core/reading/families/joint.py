"""Models with joint attention: the one weight that reads every text row, and nothing else, is where text enters."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch

from .family import Family, Layer, Weights
from .text_reading import Projection


class QwenImage(Protocol):
    txt_norm: Layer


class Lumina2(Protocol):
    cap_embedder: Sequence[Layer]


class CaptionEmbedding(Protocol):
    caption_embedder: Sequence[Layer]


class OmniGen2(Protocol):
    time_caption_embed: CaptionEmbedding


def _one_layer(name: str, *others: str) -> Callable[[Weights], tuple[Projection, ...]]:
    """A `find` for one weight of this name in models that also have weights that begin with each of `others`."""

    def find(weights: Weights) -> tuple[Projection, ...]:
        here = f"diffusion_model.{name}" in weights
        if here and all(any(key.startswith(f"diffusion_model.{other}") for key in weights) for other in others):
            return (Projection(f"diffusion_model.{name}", None, "entry", 0),)
        return ()

    return find


def _flux(weights: Weights) -> tuple[Projection, ...]:
    found = _one_layer("txt_in.weight", "double_blocks.0.txt_attn.qkv.weight")(weights)
    return () if "diffusion_model.txt_norm.scale" in weights or "diffusion_model.txt_norm.weight" in weights else found


def _qwen_text(network: QwenImage, rows: torch.Tensor, extra: dict[str, Any]) -> torch.Tensor:
    return network.txt_norm(rows)


def _lumina_text(network: Lumina2, rows: torch.Tensor, extra: dict[str, Any]) -> torch.Tensor:
    return network.cap_embedder[0](rows)


def _omnigen_text(network: OmniGen2, rows: torch.Tensor, extra: dict[str, Any]) -> torch.Tensor:
    return network.time_caption_embed.caption_embedder[0](rows)


SD3 = Family(
    "SD3",
    _one_layer("context_embedder.weight", "joint_blocks.0."),
    entry=True,
    note="A pooled text vector enters with the timestep; an edit leaves it as it is.",
)
FLUX = Family(
    "Flux, Chroma",
    _flux,
    entry=True,
    note="Flux also reads a pooled text vector, which an edit leaves as it is.",
)
AURA_FLOW = Family("AuraFlow", _one_layer("cond_seq_linear.weight", "double_layers.0."), entry=True)
QWEN_IMAGE = Family(
    "Qwen-Image",
    _one_layer("txt_in.weight", "transformer_blocks.0.attn.add_k_proj.weight"),
    project=_qwen_text,
    projector_weights=re.compile(r"diffusion_model\.txt_norm\..*"),
    entry=True,
)
LUMINA_2 = Family(
    "Lumina 2, Z-Image",
    _one_layer("cap_embedder.1.weight", "context_refiner.0."),
    project=_lumina_text,
    projector_weights=re.compile(r"diffusion_model\.cap_embedder\.0\..*"),
    entry=True,
)
OMNIGEN_2 = Family(
    "OmniGen2",
    _one_layer("time_caption_embed.caption_embedder.1.weight", "context_refiner.0."),
    project=_omnigen_text,
    projector_weights=re.compile(r"diffusion_model\.time_caption_embed\.caption_embedder\.0\..*"),
    entry=True,
)
KANDINSKY_5 = Family(
    "Kandinsky 5",
    _one_layer("text_embeddings.in_layer.weight", "text_transformer_blocks.0."),
    entry=True,
    note="Text passes transformer blocks that know the timestep before its cross-attention, whose keys and values "
    "therefore read no fixed rows; where it enters, it is exact.",
)
