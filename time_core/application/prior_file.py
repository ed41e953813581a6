"""A prior as a safetensors file: its directions in float32, and what it is of as JSON in the metadata, with a checksum."""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ..equations.prior import Prior
from ..equations.time_edit import tuples
from ..prompts.fingerprint import Fingerprint
from .atomic import write_atomically
from .edit_file import checksum

FORMAT = "time-diffedit TIME prior"
VERSION = "1"
TENSORS = ("basis", "values")
LONGEST_REPORT = 2**16  # characters


def save_prior(path: Path, prior: Prior) -> None:
    """Write `prior` to `path`, atomically. Raises OSError where that is not possible."""
    report = json.dumps(
        {"prompts": prior.prompts, "digest": prior.digest, "fingerprint": asdict(prior.fingerprint)}, allow_nan=False
    )
    tensors = {"basis": prior.basis.contiguous(), "values": prior.values.contiguous()}
    metadata = {"format": FORMAT, "version": VERSION, "prior": report, "sha256": checksum(report, tensors)}
    write_atomically(path, save(tensors, metadata))


def load_prior(path: Path, digest: str, reading: Fingerprint) -> Prior | None:
    """The prior in `path` if it is one of the prompts with this `digest`, for rows that are made as `reading` tells; None if
    there is no such file, or it is damaged or something else."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if (metadata.get("format"), metadata.get("version")) != (FORMAT, VERSION):
                return None
            text = metadata["prior"]
            if len(text) > LONGEST_REPORT:
                return None
            report = json.loads(text)
            fingerprint = Fingerprint(**tuples(report["fingerprint"]))
            width, rank = file.get_slice("basis").get_shape()
            if (
                not width == fingerprint.width == reading.width
                or not 1 <= rank <= width
                or file.get_slice("values").get_shape() != [rank]
            ):
                return None
            tensors = {name: file.get_tensor(name).clone() for name in TENSORS}
        prior = Prior(tensors["basis"], tensors["values"], int(report["prompts"]), str(report["digest"]), fingerprint)
        prior.check_encoder(reading)
    except (OSError, SafetensorError, AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        return None
    whole = (
        metadata.get("sha256") == checksum(text, tensors) and all(map(_is_finite, tensors.values())) and prior.values.min() > 0
    )
    return prior if whole and prior.digest == digest else None


def _is_finite(tensor: torch.Tensor) -> bool:
    return tensor.dtype == torch.float32 and bool(torch.isfinite(tensor).all())
