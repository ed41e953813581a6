"""A TIME edit as a safetensors file: the factors in float32, and all else as JSON in the metadata, with a checksum of both.

What a file claims is looked at before its data is read: first the metadata, then the shapes, then the factors.
"""

import hashlib
import json
import math
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ..equations.prior import check_rho
from ..equations.solve import check_lambda
from ..equations.time_edit import TimeEdit, tuples
from ..prompts.fingerprint import Fingerprint
from ..prompts.pairs import ALIGNMENTS, PRESERVE_MODES, TOKENS
from .atomic import write_atomically

FORMAT = "time-diffedit TIME edit"
VERSION = "1"
FACTORS = ("left", "right")
LONGEST_REPORT = 16 * 2**20  # characters; an edit of a thousand pairs has about one million
MOST_PROMPTS = 100_000  # pairs, and prompts that are kept


def save_edit(path: Path, edit: TimeEdit) -> None:
    """Write `edit` to `path`, atomically."""
    report = json.dumps(edit.report(), allow_nan=False)
    tensors = {"left": edit.left.contiguous(), "right": edit.right.contiguous()}
    metadata = {"format": FORMAT, "version": VERSION, "edit": report, "sha256": checksum(report, tensors)}
    write_atomically(path, save(tensors, metadata))


def checksum(report: str, tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 of the report and of the tensors' numbers in their order, in hexadecimal."""
    digest = hashlib.sha256(report.encode())
    for tensor in tensors.values():
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def load_edit(path: Path, encoder: Fingerprint) -> TimeEdit:
    """The edit in `path`, if it was made with the text encoder that `encoder` is the fingerprint of.

    Raises ValueError naming the file if it cannot be read, is no TIME edit, is damaged, comes from a newer version of the
    pack, or belongs to another text encoder.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            _require_this_format(path, metadata)
            report = _report(metadata)
            fingerprint = _fingerprint(report)
            if not fingerprint.same_encoder(encoder):
                raise Refused(
                    f"file {path.name!r} is an edit for the text encoder {fingerprint}, but clip is {encoder}; connect the "
                    "clip that the edit was made with (LoRAs on it count), or compute the edit anew."
                )
            _check_shapes(file, fingerprint.width, report)
            # Copies: the file itself stays mapped into memory otherwise, and Windows would let nobody replace it.
            factors = {name: file.get_tensor(name).clone() for name in FACTORS}
        if metadata.get("sha256") != checksum(metadata["edit"], factors):
            raise ValueError("its checksum does not belong to what it holds")
        edit = TimeEdit.from_report(factors["left"], factors["right"], report)
        _check(edit)
    except Refused:
        raise
    except SafetensorError as error:
        raise ValueError(f"file {path.name!r} is damaged or no safetensors file ({error}); save the edit anew.") from None
    except OSError as error:
        raise ValueError(f"file {path.name!r} cannot be read ({error}); choose another, or refresh the page.") from None
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"file {path.name!r} is damaged ({error}); save the edit anew.") from None
    return edit


class Refused(ValueError):
    """The file is whole, but nothing that can be used here; the text says why."""


def _require_this_format(path: Path, metadata: dict[str, str]) -> None:
    if metadata.get("format") != FORMAT:
        raise Refused(f"file {path.name!r} holds no TIME edit; choose one that Save TIME Edit wrote.")
    version = metadata.get("version", "none")
    if version != VERSION:
        raise Refused(
            f"file {path.name!r} has version {version[:10]} of the format, and this pack reads version {VERSION}; update "
            "the pack."
        )


def _report(metadata: dict[str, str]) -> dict[str, Any]:
    """The settings and diagnostics, if they are of a size that an edit can have."""
    text = metadata["edit"]
    if len(text) > LONGEST_REPORT:
        raise ValueError(f"settings of {len(text)} characters, more than the {LONGEST_REPORT} that an edit can have")
    report = json.loads(text, parse_constant=_no_number)
    for name in ("pairs", "preserve"):
        if len(report[name]) > MOST_PROMPTS:
            raise ValueError(f"{len(report[name])} {name}, more than the {MOST_PROMPTS} that an edit can have")
    return report


def _no_number(name: str) -> None:
    raise ValueError(f"{name} among its numbers")


def _fingerprint(report: dict[str, Any]) -> Fingerprint:
    fingerprint = Fingerprint(**tuples(report["fingerprint"]))
    if not _fits(fingerprint, Fingerprint) or fingerprint.width < 1:
        raise TypeError("a fingerprint of another kind than expected")
    return fingerprint


def _check_shapes(file: Any, width: int, report: dict[str, Any]) -> None:
    """Of what the file says it holds, before it is read; no edit has more columns than its text has."""
    rank = report["diagnostics"]["rank"]
    shapes = [tuple(file.get_slice(name).get_shape()) for name in FACTORS]
    if type(rank) is not int or not 1 <= rank <= width or shapes != [(width, rank)] * len(FACTORS):
        raise ValueError(f"factors of shapes {shapes[0]} and {shapes[1]} for an edit of width {width} and rank {rank}")
    for name in FACTORS:
        if file.get_slice(name).get_dtype() != "F32":
            raise ValueError("factors that are not finite float32 numbers")


def _check(edit: TimeEdit) -> None:
    if not _fits(edit, TimeEdit):
        raise TypeError("settings of another kind than expected")
    settings = edit.settings
    weights = [settings.empty_weight, *(one.weight for one in (*edit.pairs, *edit.preserve))]
    if not edit.pairs or min(weights) <= 0:
        raise ValueError("no pairs, or a weight that is not above 0")
    check_lambda(settings.lamb)
    check_rho(settings.rho)
    for choice in (settings, *(pair.own for pair in edit.pairs if pair.own is not None)):
        if choice.alignment not in ALIGNMENTS or choice.tokens not in TOKENS:
            raise ValueError(f"alignment {choice.alignment!r} or tokens {choice.tokens!r}, which this pack does not know")
    if settings.preserve_mode not in PRESERVE_MODES:
        raise ValueError(f"preserve_mode {settings.preserve_mode!r}, which this pack does not know")
    if len(edit.diagnostics.preserve_price) not in (0, len(edit.diagnostics.kept_exactly)):
        raise ValueError("prices that do not belong to the prompts that it keeps exactly")
    pairs, by_pair = len(edit.pairs), len(edit.diagnostics.fit_by_pair)
    if len(edit.alignments) != pairs or not all(edit.alignments) or by_pair not in (0, pairs):
        raise ValueError(f"alignments and residuals that do not belong to its {pairs} pairs")
    for alignment in (alignment for tracks in edit.alignments for alignment in tracks):
        here, there = len(alignment.source), len(alignment.destination)
        if (len(alignment.source_kinds), len(alignment.destination_kinds)) != (here, there) or not all(
            0 <= first < here and 0 <= second < there for first, second in alignment.pairs
        ):
            raise ValueError("an alignment of tokens that are not there")
    if not all(torch.isfinite(factor).all() for factor in (edit.left, edit.right)):
        raise ValueError("factors that are not finite float32 numbers")


def _fits(value: Any, hint: Any) -> bool:
    """Whether `value` is what the type hint says, through dataclasses, tuples and unions. An int will do for a float, and a
    float is finite."""
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
    return type(value) is hint and (hint is not float or math.isfinite(value))
