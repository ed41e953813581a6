"""`python -m benchmarks.data.toy_pictures FOLDER`: drawn pictures of the toy world to edit, in each layout that is read.

FOLDER/csv/edits.csv, FOLDER/folder/ and FOLDER/pie_bench/ hold the same edits: half of them of the colour, half of the object.
"""

import argparse
import csv
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from .pictures import MAPPING, PIE_SIZE, runs_of
from .toy_edits import ToyEdit, toy_edits

KINDS = {"colour": "6", "object": "1"}
"""The kinds of edit, and PIE-Bench's numbers for them."""


def named_edits(count: int, seed: int) -> dict[str, tuple[str, ToyEdit]]:
    """By name, (kind, edit)."""
    drawn = {kind: toy_edits(kind, -(-count // 2), seed) for kind in KINDS}
    found = [(kind, drawn[kind][i]) for i in range(-(-count // 2)) for kind in KINDS]
    return {f"{i:03d}": one for i, one in enumerate(found[:count])}


def write_csv(folder: Path, edits: dict[str, tuple[str, ToyEdit]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "edits.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["picture", "source", "target", "mask", "kind"])
        for name, (kind, edit) in edits.items():
            _picture(edit).save(folder / f"{name}.png")
            _mask(edit).save(folder / f"{name}_mask.png")
            writer.writerow([f"{name}.png", edit.source, edit.target, f"{name}_mask.png", kind])
    return path


def write_folder(folder: Path, edits: dict[str, tuple[str, ToyEdit]]) -> Path:
    """Colour edits have a text file, object edits a JSON file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (kind, edit) in edits.items():
        _picture(edit).save(folder / f"{name}.png")
        _mask(edit).save(folder / f"{name}.mask.png")
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
        _picture(edit).resize(PIE_SIZE, Image.Resampling.NEAREST).save(picture)
        mapping[number] = {
            "image_path": path,
            "original_prompt": edit.source,
            "editing_prompt": _bracketed(edit),
            "editing_type_id": KINDS[kind],
            "mask": list(runs_of(np.asarray(_mask(edit).resize(PIE_SIZE, Image.Resampling.NEAREST)) > 0)),
        }
    (folder / MAPPING).write_text(json.dumps(mapping, indent=1) + "\n")
    return folder


def _picture(edit: ToyEdit) -> Image.Image:
    return Image.fromarray((edit.pixels * 255).round().astype(np.uint8))


def _mask(edit: ToyEdit) -> Image.Image:
    return Image.fromarray(np.uint8(255) * edit.truth)


def _bracketed(edit: ToyEdit) -> str:
    """The target prompt with the words in brackets that the source has not, as PIE-Bench marks them."""
    said = edit.source.split()
    return " ".join(word if word in said else f"[{word}]" for word in edit.target.split())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data.toy_pictures", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=48, help="pictures (48)")
    parser.add_argument("--seed", type=int, default=1, help="of the drawings (1)")
    args = parser.parse_args()
    edits = named_edits(args.count, args.seed)
    for write, name in ((write_csv, "csv"), (write_folder, "folder"), (write_pie_bench, "pie_bench")):
        print(write(args.folder / name, edits))
    return 0


if __name__ == "__main__":
    sys.exit(main())
