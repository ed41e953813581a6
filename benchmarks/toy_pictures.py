"""`python -m benchmarks.toy_pictures FOLDER`: drawn pictures of the toy world to edit, in each layout that is read.

FOLDER/csv/edits.csv, FOLDER/folder/ and FOLDER/pie_bench/ hold the same edits: half of them of the colour, half of the object.
"""

import argparse
import csv
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from .diffedit_tasks import Task, tasks
from .pictures_to_edit import MAPPING, PIE_SIZE, runs_of

KINDS = {"colour": "6", "object": "1"}
"""The kinds of edit, and PIE-Bench's numbers for them."""


def toy_edits(count: int, seed: int) -> dict[str, tuple[str, Task]]:
    """By name, (kind, task)."""
    drawn = {kind: tasks(kind, -(-count // 2), seed) for kind in KINDS}
    found = [(kind, drawn[kind][i]) for i in range(-(-count // 2)) for kind in KINDS]
    return {f"{i:03d}": one for i, one in enumerate(found[:count])}


def write_csv(folder: Path, edits: dict[str, tuple[str, Task]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "edits.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["picture", "source", "target", "mask", "kind"])
        for name, (kind, task) in edits.items():
            _picture(task).save(folder / f"{name}.png")
            _mask(task).save(folder / f"{name}_mask.png")
            writer.writerow([f"{name}.png", task.source, task.target, f"{name}_mask.png", kind])
    return path


def write_folder(folder: Path, edits: dict[str, tuple[str, Task]]) -> Path:
    """Colour edits have a text file, object edits a JSON file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (kind, task) in edits.items():
        _picture(task).save(folder / f"{name}.png")
        _mask(task).save(folder / f"{name}.mask.png")
        if kind == "colour":
            (folder / f"{name}.txt").write_text(f"{task.source}\n{task.target}\n")
        else:
            said = {"source": task.source, "target": task.target, "kind": kind}
            (folder / f"{name}.json").write_text(json.dumps(said, indent=1) + "\n")
    return folder


def write_pie_bench(folder: Path, edits: dict[str, tuple[str, Task]]) -> Path:
    """Enlarged to PIE-Bench's size; the toy model needs `--size 128`, its default."""
    mapping = {}
    for name, (kind, task) in edits.items():
        number = f"{int(name):012d}"
        path = f"{KINDS[kind]}_toy/{number}.png"
        picture = folder / "annotation_images" / path
        picture.parent.mkdir(parents=True, exist_ok=True)
        _picture(task).resize(PIE_SIZE, Image.Resampling.NEAREST).save(picture)
        mapping[number] = {
            "image_path": path,
            "original_prompt": task.source,
            "editing_prompt": _bracketed(task),
            "editing_type_id": KINDS[kind],
            "mask": list(runs_of(np.asarray(_mask(task).resize(PIE_SIZE, Image.Resampling.NEAREST)) > 0)),
        }
    (folder / MAPPING).write_text(json.dumps(mapping, indent=1) + "\n")
    return folder


def _picture(task: Task) -> Image.Image:
    return Image.fromarray((task.pixels * 255).round().astype(np.uint8))


def _mask(task: Task) -> Image.Image:
    return Image.fromarray(np.uint8(255) * task.truth)


def _bracketed(task: Task) -> str:
    """The target prompt with the words in brackets that the source has not, as PIE-Bench marks them."""
    said = task.source.split()
    return " ".join(word if word in said else f"[{word}]" for word in task.target.split())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.toy_pictures", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=48, help="pictures (48)")
    parser.add_argument("--seed", type=int, default=1, help="of the drawings (1)")
    args = parser.parse_args()
    edits = toy_edits(args.count, args.seed)
    for write, name in ((write_csv, "csv"), (write_folder, "folder"), (write_pie_bench, "pie_bench")):
        print(write(args.folder / name, edits))
    return 0


if __name__ == "__main__":
    sys.exit(main())
