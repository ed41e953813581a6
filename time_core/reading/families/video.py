"""Wan and LTX-Video: text passes a projector of the model before the keys and values (comfy/ldm/wan, comfy/ldm/lightricks)."""

import re
from typing import Any, Protocol

import torch

from .family import Family, Layer, in_blocks


class Wan(Protocol):
    text_embedding: Layer


class LTXVideo(Protocol):
    caption_projection: Layer


def _wan_text(network: Wan, rows: torch.Tensor, extra: dict[str, Any]) -> torch.Tensor:
    return network.text_embedding(rows)


def _ltx_text(network: LTXVideo, rows: torch.Tensor, extra: dict[str, Any]) -> torch.Tensor:
    return network.caption_projection(rows)


WAN = Family(
    "Wan",
    # k_img and v_img, which read a picture, do not fit.
    in_blocks(r"(?P<block>diffusion_model\.(?:vace_)?blocks\.\d+)\.cross_attn\.(?:(?P<key>k)|(?P<value>v))\.weight"),
    project=_wan_text,
    projector_weights=re.compile(r"diffusion_model\.text_embedding\..*"),
)
LTXV = Family(
    "LTX-Video",
    in_blocks(r"(?P<block>diffusion_model\.transformer_blocks\.\d+)\.attn2\.to_(?:(?P<key>k)|(?P<value>v))\.weight"),
    project=_ltx_text,
    projector_weights=re.compile(r"diffusion_model\.caption_projection\..*"),
)
