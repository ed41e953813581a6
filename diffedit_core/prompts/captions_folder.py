"""Captioning models as folders: each a sub-folder in the format of Hugging Face's transformers."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Kind:
    """A kind of captioning model: how its config.json names it, and what its folder needs besides the weights.

    Of a tuple in `needs` any one file will do, and the first is what published models have.
    """

    name: str
    model_type: str
    architecture: str
    example: str
    needs: tuple[tuple[str, ...], ...]


BLIP = Kind(
    name="BLIP",
    model_type="blip",
    architecture="BlipForConditionalGeneration",
    example="Salesforce/blip-image-captioning-large",
    needs=(("preprocessor_config.json", "processor_config.json"), ("tokenizer.json",), ("tokenizer_config.json",)),
)
T5 = Kind(
    name="Flan-T5",
    model_type="t5",
    architecture="T5ForConditionalGeneration",
    example="google/flan-t5-large",
    needs=(("tokenizer.json",), ("tokenizer_config.json",)),
)


LONGEST_CONFIG = 2**20  # bytes; those of published models have some thousand


def listed(roots: Sequence[str], kind: Kind) -> list[str]:
    """The names of the folders in `roots` that say they are of this kind, sorted."""
    return sorted(_found(roots, kind))


def find(roots: Sequence[str], kind: Kind, name: str, label: str) -> Path:
    """The folder that `listed` calls `name`; no other can be reached. `label` is what messages call the roots.

    Raises:
        ValueError: it is not there, or a file is missing. transformers itself goes on without some of them.
    """
    found = _found(roots, kind)
    if not found:
        raise ValueError(f"model: {label} has no {kind.name} model. {_what_to_do(kind, label)}")
    if name not in tuple(found):  # a list is hashed by no dictionary
        raise ValueError(
            f"model is {name!r}, but the {kind.name} models in {label} are {', '.join(map(repr, sorted(found)))}; choose "
            "one of them, or refresh the page."
        )
    if not any(found[name].glob("*.safetensors")):
        raise ValueError(
            f"model: {label}/{name} has no weights in .safetensors format, and others, such as pytorch_model.bin, are not "
            f"read because they can hold programs. {_what_to_do(kind, label)}"
        )
    for names in kind.needs:
        if not any((found[name] / file).is_file() for file in names):
            raise ValueError(f"model: {label}/{name} has no {names[0]}. {_what_to_do(kind, label)}")
    return found[name]


def _what_to_do(kind: Kind, label: str) -> str:
    name = kind.example.partition("/")[2]
    small = ", ".join(names[0] for names in kind.needs)
    return (
        f"What is needed, for instance from {kind.example} on Hugging Face in the folder {label}/{name}: config.json, {small}, "
        "model.safetensors (of large models all numbered .safetensors files and model.safetensors.index.json)."
    )


def _found(roots: Sequence[str], kind: Kind) -> dict[str, Path]:
    """{name: folder}; of folders of the same name the first root's."""
    found: dict[str, Path] = {}
    for root in map(Path, roots):
        for folder in _inside(root):
            if folder.name not in found and _is_of(kind, folder):
                found[folder.name] = folder
    return found


def _inside(root: Path) -> list[Path]:
    try:
        return sorted(root.iterdir()) if root.is_dir() else []
    except OSError as error:
        _warn(f"TIME-DiffEdit: the folder {root} cannot be listed ({error}); its captioning models are left out.")
        return []


def _is_of(kind: Kind, folder: Path) -> bool:
    """A listing must not fail, whatever lies there: what cannot be read as a model's description is none, and is logged."""
    file = folder / "config.json"
    try:
        if not file.is_file():  # nothing, or a pipe that would never end
            return False
        if file.stat().st_size > LONGEST_CONFIG:
            raise ValueError(f"it is longer than {LONGEST_CONFIG} bytes")
        config = json.loads(file.read_text(encoding="utf-8"))
        architectures = config.get("architectures") or [kind.architecture]
        if not isinstance(architectures, list):
            raise TypeError("its architectures are no list")
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        _warn(f"TIME-DiffEdit: {file} describes no captioning model ({error}); its folder is left out.")
        return False
    # The same type also names models that answer questions or only encode.
    return config.get("model_type") == kind.model_type and kind.architecture in architectures


@cache
def _warn(message: str) -> None:
    """Once: the host lists the models again whenever a page is loaded."""
    logging.warning(message)
