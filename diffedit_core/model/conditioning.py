"""Questions about a CONDITIONING: a list of [embedding, options]."""

from collections.abc import Iterator
from typing import Any

import torch


def same_conditioning(a: Any, b: Any) -> bool:
    """Do two conditionings, or parts of them, say the same? Tensors count by value, unknown objects by identity."""
    if a is b:
        return True
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b.to(a.device))
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_conditioning(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same_conditioning, a, b))
    return isinstance(a, (str, bytes, int, float, bool)) and a == b


def require_one_prompt(conditioning: list, input_name: str) -> None:
    """Refuse a conditioning with a row for each picture of a batch.

    Raises:
        ValueError: an embedding or a mask has several rows.
    """
    for embedding, options in conditioning:
        for value in (embedding, options.get("mask")):
            if isinstance(value, torch.Tensor) and value.ndim == 3 and len(value) > 1:
                raise ValueError(
                    f"{input_name} has {len(value)} rows, one for each picture of a batch, but it is read as one "
                    "prompt for all pictures; run the pictures one by one."
                )


def require_areas(size: tuple[int, ...], conditionings: dict[str, list | None]) -> None:
    """Refuse prompts for an area of which no cell lies in the picture; one that only ends beyond it is cut by the host.

    Args:
        size: (..., h, w) in cells.

    Raises:
        ValueError: such a prompt.
    """
    for name, conditioning in conditionings.items():
        for _, options in conditioning or []:
            area = options.get("area") or ()  # sizes, then where they begin; in cells, or "percentage" and shares
            in_shares = area[:1] == ("percentage",)
            numbers = area[1:] if in_shares else area
            begins = numbers[len(numbers) // 2 :]
            sides = size[len(size) - len(begins) :]
            for begin, side in zip(begins, sides, strict=True):
                if (round(begin * side) if in_shares else begin) >= side:
                    raise ValueError(
                        f"{name} is for an area that begins at {begin:g} of a side of {side} latent cells, beyond the picture; "
                        "set the area anew for this picture, as a share of it, or leave it out."
                    )


def control_hints(options: dict) -> Iterator[torch.Tensor]:
    """The pictures (pictures, ...) that the ControlNets on a prompt were given, of the last one first."""
    control = options.get("control")
    while control is not None:
        if control.cond_hint_original is not None:
            yield control.cond_hint_original
        control = control.previous_controlnet


def of_picture(conditioning: list, row: int, pictures: int) -> list:
    """The conditioning with the second picture (inpainting, instruction models) that belongs to this row of a batch."""

    def rows(value: torch.Tensor) -> torch.Tensor:
        return value[row : row + 1] if len(value) == pictures else value

    def mine(name: str, value: Any) -> Any:
        if value is not None and name in ("concat_latent_image", "concat_mask"):
            return rows(value)
        return [rows(each) for each in value or ()] if name == "reference_latents" else value

    return [[embedding, {name: mine(name, value) for name, value in options.items()}] for embedding, options in conditioning]
