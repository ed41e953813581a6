"""Captioning models as folders: each a sub-folder in the format of Hugging Face's transformers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
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
    if name not in found:
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
        for folder in sorted(root.iterdir()) if root.is_dir() else ():
            if folder.name not in found and _is_of(kind, folder):
                found[folder.name] = folder
    return found


def _is_of(kind: Kind, folder: Path) -> bool:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # no model, or one that cannot be read
        return False
    if not isinstance(config, dict) or config.get("model_type") != kind.model_type:
        return False
    # The same type also names models that answer questions or only encode.
    return kind.architecture in (config.get("architectures") or [kind.architecture])
