"""A TIME edit on the text instead of on the weights: W (I + P) c = W ((I + P) c)."""

import math
from typing import Any

import torch

from ..equations.time_edit import TimeEdit

BESIDE = {
    "conditioning_llama3": ("HiDream's", "Llama in every layer", "edit another model"),
    "conditioning_mt5xl": ("HunyuanDiT's", "mT5", "use TIME Edit Model, which edits what both of them give"),
}
"""By the extra that holds most of a prompt's rows: whose it is, which encoder's, and what to do instead."""


def edit_conditioning(conditioning: list[list[Any]], edit: TimeEdit, strength: float = 1.0) -> list[list[Any]]:
    """The host's conditioning [[rows (batch, n, text width), extras], ...] with every row c as c + strength P c.

    The same as the edit of a model's keys and values if the positive and the negative conditioning are both edited.
    What the extras hold, such as SDXL's pooled vector, stays. The input is left as it is.

    Raises ValueError if `strength` is not finite, the rows are of another width, most of the text does not stand in them (as
    for HiDream and HunyuanDiT), or the edit is one that only weights can take: of keys or values alone, of some layers, or of
    rows behind a model's own text projector.
    """
    check_edits_text(edit, strength)
    if not all(isinstance(rows, torch.Tensor) for rows, _ in conditioning):
        raise ValueError("conditioning holds no text, so there is nothing to edit; connect CLIP Text Encode.")
    for name, (model, encoder, remedy) in BESIDE.items():
        if any(name in extras for _, extras in conditioning):
            raise ValueError(
                f"conditioning is {model}, which reads the prompt from {encoder} as well ({name}), and an edit of the other "
                f"rows would leave that as it is; {remedy}."
            )
    return [[_edited(rows, edit, strength), dict(extras)] for rows, extras in conditioning]


def check_edits_text(edit: TimeEdit, strength: float) -> None:
    """Raise the ValueErrors of `edit_conditioning` that need no conditioning."""
    if not math.isfinite(strength):
        raise ValueError(f"strength is {strength}; it must be a finite number, such as 1.")
    settings = edit.settings
    if not (settings.edit_keys and settings.edit_values):
        raise ValueError(
            "time_edit is for keys or values alone; edited text changes both. Turn on edit_keys and edit_values, or use "
            "TIME Apply Edit on the model."
        )
    if settings.layers.strip() != "all":
        raise ValueError(
            f"time_edit is for the layers {settings.layers!r}; edited text reaches all. Set layers to all, or use TIME "
            "Apply Edit on the model."
        )
    if edit.fingerprint.projector:
        raise ValueError(
            f"time_edit was computed behind the text projector of {edit.fingerprint.projector}; compute it from clip alone "
            "(TIME Compute Edit without a model) to edit a conditioning."
        )


def _edited(rows: torch.Tensor, edit: TimeEdit, strength: float) -> torch.Tensor:
    if rows.shape[-1] != edit.text_width:
        raise ValueError(
            f"conditioning has rows of width {rows.shape[-1]}, but time_edit is for {edit.text_width} "
            f"({edit.fingerprint.encoder}); encode the prompt with the text encoder that the edit was computed with."
        )
    left, right = (factor.to(rows.device) for factor in (edit.left, edit.right))
    text = rows.to(torch.float32)
    return (text + strength * (text @ right) @ left.T).to(rows.dtype)
