"""Wan and LTX-Video: text passes a projector of the model before the keys and values (comfy/ldm/wan, comfy/ldm/lightricks)."""

import re
from typing import Any

import torch

from .family import Family, in_blocks


def _wan_text(model: torch.nn.Module, rows: torch.Tensor, extra: dict[str, Any]) -> torch.Tensor:
    return model.diffusion_model.text_embedding(rows)


def _ltx_text(model: torch.nn.Module, rows: torch.Tensor, extra: dict[str, Any]) -> torch.Tensor:
    return model.diffusion_model.caption_projection(rows)


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
