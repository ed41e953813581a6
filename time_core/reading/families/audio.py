"""ACE-Step and Stable Audio: sound from text (comfy/ldm/ace, comfy/ldm/audio)."""

import re
from typing import Any, Protocol

import torch

from .family import Family, Layer, Weights, in_blocks
from .text_reading import Projection

STABLE_AUDIO = re.compile(r"diffusion_model\.transformer\.layers\.\d+\.cross_attn\.to_kv\.weight")


class AceStep(Protocol):
    genre_embedder: Layer


class StableAudio(Protocol):
    to_cond_embed: Layer


def _ace_text(network: AceStep, rows: torch.Tensor, extra: dict[str, Any]) -> torch.Tensor:
    return network.genre_embedder(rows)


def _stable_audio(weights: Weights) -> tuple[Projection, ...]:
    """Keys and values in one weight; differential attention has two sets of keys before the values."""
    found: list[Projection] = []
    for block, name in enumerate(name for name in weights if STABLE_AUDIO.fullmatch(name)):
        out, width = weights[name].shape
        keys = out // 3 * 2 if out == 3 * width else out // 2
        found += [Projection(name, (0, keys), "key", block), Projection(name, (keys, out - keys), "value", block)]
    return tuple(found)


def _stable_audio_text(network: StableAudio, rows: torch.Tensor, extra: dict[str, Any]) -> torch.Tensor:
    return network.to_cond_embed(rows)


ACE_STEP = Family(
    "ACE-Step",
    in_blocks(r"(?P<block>diffusion_model\.transformer_blocks\.\d+)\.cross_attn\.to_(?:(?P<key>k)|(?P<value>v))\.weight"),
    project=_ace_text,
    projector_weights=re.compile(r"diffusion_model\.genre_embedder\..*"),
    note="Speaker and lyrics pass the same keys and values and are changed by the edit as other text is.",
)
STABLE_AUDIO_1 = Family(
    "Stable Audio",
    _stable_audio,
    project=_stable_audio_text,
    projector_weights=re.compile(r"diffusion_model\.to_cond_embed\..*"),
    note="The two rows that say the duration pass the same keys and values.",
)
