"""Drawn edits in the two other layouts that the editing benchmark reads: a folder, and PIE-Bench's."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from toyworld.edits import ToyEdit, mask_of, picture_of

from benchmarks.data.pictures import MAPPING, PIE_SIZE

KINDS = {"colour": "6", "object": "1"}
"""PIE-Bench's numbers for the kinds of edit."""


def write_folder(folder: Path, edits: dict[str, tuple[str, ToyEdit]]) -> Path:
    """Colour edits have a text file, object edits a JSON file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (kind, edit) in edits.items():
        picture_of(edit).save(folder / f"{name}.png")
        mask_of(edit).save(folder / f"{name}.mask.png")
        if kind == "colour":
            (folder / f"{name}.txt").write_text(f"{edit.source}\n{edit.target}\n")
        else:
            said = {"source": edit.source, "target": edit.target, "kind": kind}
            (folder / f"{name}.json").write_text(json.dumps(said, indent=1) + "\n")
    return folder


def write_pie_bench(folder: Path, edits: dict[str, tuple[str, ToyEdit]]) -> Path:
    """Enlarged to PIE-Bench's size; the toy model needs `--size 128`, its default."""
    mapping = {}
    for name, (kind, edit) in edits.items():
        number = f"{int(name):012d}"
        path = f"{KINDS[kind]}_toy/{number}.png"
        picture = folder / "annotation_images" / path
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture_of(edit).resize(PIE_SIZE, Image.Resampling.NEAREST).save(picture)
        mapping[number] = {
            "image_path": path,
            "original_prompt": edit.source,
            "editing_prompt": _bracketed(edit),
            "editing_type_id": KINDS[kind],
            "mask": list(runs_of(np.asarray(mask_of(edit).resize(PIE_SIZE, Image.Resampling.NEAREST)) > 0)),
        }
    (folder / MAPPING).write_text(json.dumps(mapping, indent=1) + "\n")
    return folder


def runs_of(mask: np.ndarray) -> tuple[int, ...]:
    """PIE-Bench's encoding of a mask (H, W); the reverse of `mask_of_runs`."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(mask, np.int8).ravel(), [0]])))
    starts, ends = edges[::2], edges[1::2]
    return tuple(np.column_stack([starts, ends - starts]).ravel().tolist())


def _bracketed(edit: ToyEdit) -> str:
    """The target prompt with the words in brackets that the source has not, as PIE-Bench marks them."""
    said = edit.source.split()
    return " ".join(word if word in said else f"[{word}]" for word in edit.target.split())
