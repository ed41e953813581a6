"""A TIME edit as a safetensors file: the factors in float32, and all else as JSON in the metadata."""

import json
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..equations.fingerprint import Fingerprint
from ..equations.time_edit import TimeEdit
from .atomic import write_atomically

FORMAT = "time-diffedit TIME edit"
VERSION = "1"
FACTORS = ("left", "right")


def save_edit(path: Path, edit: TimeEdit) -> None:
    """Write `edit` to `path`, atomically."""
    metadata = {"format": FORMAT, "version": VERSION, "edit": json.dumps(edit.report())}
    tensors = {"left": edit.left.contiguous(), "right": edit.right.contiguous()}
    write_atomically(path, lambda temporary: save_file(tensors, temporary, metadata))


def load_edit(path: Path, encoder: Fingerprint) -> TimeEdit:
    """The edit in `path`, if it was made with the text encoder that `encoder` is the fingerprint of.

    Raises ValueError naming the file if it is no TIME edit, is damaged, comes from a newer version of the pack, or
    belongs to another text encoder.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            # Copies: the file itself stays mapped into memory otherwise, and Windows would let nobody replace it.
            factors = {name: file.get_tensor(name).clone() for name in FACTORS if name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"file {path.name!r} is damaged or no safetensors file ({error}); save the edit anew.") from None
    if metadata.get("format") != FORMAT:
        raise ValueError(f"file {path.name!r} holds no TIME edit; choose one that Save TIME Edit wrote.")
    version = metadata.get("version", "none")
    if version != VERSION:
        raise ValueError(
            f"file {path.name!r} has version {version[:10]} of the format, and this pack reads version {VERSION}; update "
            "the pack."
        )
    try:
        edit = TimeEdit.from_report(factors["left"], factors["right"], json.loads(metadata["edit"]))
        _check(edit)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"file {path.name!r} is damaged ({error}); save the edit anew.") from None
    if not edit.fingerprint.same_encoder(encoder):
        raise ValueError(
            f"file {path.name!r} is an edit for the text encoder {edit.fingerprint}, but clip is {encoder}; connect the "
            "clip that the edit was made with (LoRAs on it count), or compute the edit anew."
        )
    return edit


def _check(edit: TimeEdit) -> None:
    left, right = edit.left, edit.right
    if not _fits(edit, TimeEdit):
        raise TypeError("settings of another kind than expected")
    pairs, by_pair = len(edit.pairs), len(edit.diagnostics.fit_by_pair)
    if len(edit.alignments) != pairs or not all(edit.alignments) or by_pair not in (0, pairs):
        raise ValueError(f"alignments and residuals that do not belong to its {pairs} pairs")
    for alignment in (alignment for tracks in edit.alignments for alignment in tracks):
        here, there = len(alignment.source), len(alignment.destination)
        if (len(alignment.source_kinds), len(alignment.destination_kinds)) != (here, there) or not all(
            0 <= first < here and 0 <= second < there for first, second in alignment.pairs
        ):
            raise ValueError("an alignment of tokens that are not there")
    if left.dim() != 2 or left.shape != right.shape or left.shape != (edit.fingerprint.width, edit.diagnostics.rank):
        raise ValueError(
            f"factors of shapes {tuple(left.shape)} and {tuple(right.shape)} for an edit of width {edit.fingerprint.width} "
            f"and rank {edit.diagnostics.rank}"
        )
    for factor in (left, right):
        if factor.dtype != torch.float32 or not torch.isfinite(factor).all():
            raise ValueError("factors that are not finite float32 numbers")


def _fits(value: Any, hint: Any) -> bool:
    """Whether `value` is what the type hint says, through dataclasses, tuples and unions. An int will do for a float."""
    if isinstance(hint, type) and is_dataclass(hint):
        return isinstance(value, hint) and all(_fits(getattr(value, name), of) for name, of in get_type_hints(hint).items())
    options = get_args(hint)
    if get_origin(hint) is tuple:
        if not isinstance(value, tuple):
            return False
        items = options[:1] * len(value) if options[-1] is Ellipsis else options
        return len(items) == len(value) and all(map(_fits, value, items))
    if options:
        return any(_fits(value, option) for option in options)
    if hint is float and type(value) is int:
        float(value)  # OverflowError for what JSON can hold and no float can
        return True
    return type(value) is hint
