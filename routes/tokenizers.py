"""The host's tokenizers by themselves, without a text encoder: those whose vocabularies come with the host.

Which one a workflow uses follows from its loader: from the type of a text encoder loader, or from the checkpoint, of which
only the header is read.
"""

import functools
import json
import logging
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import folder_paths
import torch

LONGEST_HEADER = 32 * 2**20
MOST_TENSORS = 100_000
SAFETENSORS_TYPES = {"F64": torch.float64, "F16": torch.float16, "BF16": torch.bfloat16, "F8_E4M3": torch.float8_e4m3fn}


@dataclass(frozen=True)
class Kind:
    """A tokenizer class of the host, "module:class", and the encoders whose tokens have rows; None for all of them."""

    tokenizer: str
    carrying: tuple[str, ...] | None = None


SD3 = Kind("comfy.text_encoders.sd3_clip:SD3Tokenizer")
PIXART = Kind("comfy.text_encoders.pixart_t5:PixArtTokenizer")
# By the number of files that the loader takes and its type.
LOADERS = {
    (1, "stable_diffusion"): Kind("comfy.sd1_clip:SD1Tokenizer"),
    (1, "stable_cascade"): Kind("comfy.sdxl_clip:StableCascadeTokenizer"),
    (1, "sd3"): SD3,
    (1, "stable_audio"): Kind("comfy.text_encoders.sa_t5:SAT5Tokenizer"),
    (1, "mochi"): Kind("comfy.text_encoders.genmo:MochiT5Tokenizer"),
    (1, "ltxv"): Kind("comfy.text_encoders.lt:LTXVT5Tokenizer"),
    (1, "pixart"): PIXART,
    (1, "chroma"): PIXART,
    (1, "cosmos"): Kind("comfy.text_encoders.cosmos:CosmosT5Tokenizer"),
    (1, "cogvideox"): Kind("comfy.text_encoders.cogvideo:CogVideoXTokenizer"),
    (2, "sdxl"): Kind("comfy.sdxl_clip:SDXLTokenizer"),
    (2, "sd3"): SD3,
    (2, "flux"): Kind("comfy.text_encoders.flux:FluxTokenizer", ("t5xxl",)),
    (3, "sd3"): SD3,
}
IN_CHECKPOINTS_ONLY = (
    Kind("comfy.text_encoders.sd2_clip:SD2Tokenizer"),
    Kind("comfy.text_encoders.aura_t5:AuraT5Tokenizer"),
)


class TokenizerOnly:
    """What `time_core.prompts.text.TextReader` needs of a CLIP to know its tokens."""

    def __init__(self, tokenizer: Any):
        self.tokenizer = tokenizer

    def tokenize(self, text: str, return_word_ids: bool = False) -> dict[str, Any]:
        return self.tokenizer.tokenize_with_weights(text, return_word_ids)


def kind_of_loader(files: int, name: str) -> Kind | None:
    """The kind that a loader of `files` text encoder files of the type `name` gives; None if it is not among ours."""
    return LOADERS.get((files, name))


def kind_of_checkpoint(name: str) -> Kind | None:
    """The kind in a checkpoint of the host's list; None if it is not there, no safetensors file or not among ours."""
    if not name.lower().endswith((".safetensors", ".sft")) or name not in folder_paths.get_filename_list("checkpoints"):
        return None
    path = folder_paths.get_full_path("checkpoints", name)
    if path is None:
        return None
    status = Path(path).stat()
    return _kind_of_file(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=4)
def tokenizing(kind: Kind) -> TokenizerOnly:
    return TokenizerOnly(_class(kind)())


@functools.lru_cache(maxsize=64)
def _kind_of_file(path: str, _changed: int, size: int) -> Kind | None:
    """By the host's own detection, on tensors that have shapes and no data."""
    from comfy import model_detection

    try:
        weights = _shapes(path, size)
        config = model_detection.model_config_from_unet(weights, model_detection.unet_prefix_from_state_dict(weights))
        clip_target = getattr(config, "clip_target", None)  # not every kind of model says
        target = clip_target and clip_target(state_dict=weights)
    except Exception as error:  # the header may be anything, and the host's detection takes what it reads for granted
        logging.debug("TIME & DiffEdit: the text encoder of %s is not known (%s)", path, error)
        return None
    known = {_class(kind): kind for kind in (*LOADERS.values(), *IN_CHECKPOINTS_ONLY)}
    return known.get(target.tokenizer) if target else None


def _shapes(path: str, size: int) -> dict[str, torch.Tensor]:
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(LONGEST_HEADER, size - 8):
            raise ValueError("no safetensors header")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    if len(header) > MOST_TENSORS:
        raise ValueError(f"{len(header)} tensors")
    return {
        name: torch.empty(entry["shape"], dtype=SAFETENSORS_TYPES.get(entry["dtype"], torch.float32), device="meta")
        for name, entry in header.items()
    }


def _class(kind: Kind) -> type:
    module, _, name = kind.tokenizer.partition(":")
    return getattr(import_module(module), name)
