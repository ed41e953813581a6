"""Captions: image quality and agreement with the prompt, of the unedited model and of models with edits.

Protocol: the TIME paper draws captions of MS-COCO with edited models and reports FID and CLIP score. Caption i is drawn with
the edit of row i of a TIMED file, in turn. The Fréchet distance is torchmetrics', of the embeddings of the judge's CLIP vision
instead of Inception's, so it compares within a report and not with published FID.
"""

import base64
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from PIL import Image
from torchmetrics.image.fid import FrechetInceptionDistance

from ..data.timed import TimedRow, read_timed
from ..report.bootstrap import over_seeds
from ..report.report import Report, Sheet, Table
from ..run.measurement import NOT_DECISIVE, Measurement, Workplace
from ..run.values import Outcome, Results, Task, chunks, pixels_digest
from .timed import BASELINE, Variant, thumbnail

PICTURES = {".png", ".jpg", ".jpeg", ".webp"}
NOTE = (
    "CLIP score: 100 times the cosine, mean over captions, 95 % bootstrap interval over captions. Fréchet distance: in the "
    "judge's embedding, of unit length, times 100. It is too large with fewer pictures than the embedding has dimensions."
)


@dataclass(frozen=True)
class Captions(Measurement):
    """Caption i has the seed `first_seed` + i with every model."""

    file: str
    captions: tuple[str, ...]
    reference: tuple[Path, ...] = field(metadata=NOT_DECISIVE)
    rows: tuple[TimedRow, ...]
    problems: tuple[str, ...]
    variants: tuple[Variant, ...]
    first_seed: int = 1
    pictures_per_task: int = 8
    name: ClassVar[str] = "captions"

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a text file, one caption a line")
        parser.add_argument("--reference", type=Path, help="a folder of real pictures, for the Fréchet distance")
        parser.add_argument("--edits", type=Path, help="a CSV in TIMED's columns; caption i gets the edit of row i, in turn")
        parser.add_argument("--lambdas", type=float, nargs="*", default=[0.1], help="of the edits (0.1)")
        parser.add_argument("--rows", type=int, help="draw the first N captions only")
        parser.add_argument("--first-seed", type=int, default=1, help="of the first caption; the others follow (1)")

    @classmethod
    def from_arguments(cls, args: Namespace) -> Self:
        """Raises ValueError if there is no caption, no reference picture, or a judge without an embedding."""
        captions = [line.strip() for line in args.file.read_text(encoding="utf-8").splitlines() if line.strip()][: args.rows]
        if not captions:
            raise ValueError(f"{args.file} holds no caption; write one a line.")
        if args.judge not in ("clip", "toy-clip"):
            raise ValueError("captions are judged by CLIP's embedding: add --judge clip (or toy-clip for the toy world).")
        files = sorted(path for path in args.reference.iterdir() if path.suffix.lower() in PICTURES) if args.reference else []
        if args.reference and len(files) < 2:
            raise ValueError(f"--reference {args.reference} holds {len(files)} pictures; a distance needs at least two.")
        rows, problems = read_timed(args.edits) if args.edits else ([], [])
        edited = [Variant(f"TIME, lambda {lamb:g}", {"lamb": lamb}) for lamb in args.lambdas] if rows else []
        return cls(
            args.file.name,
            tuple(captions),
            tuple(files),
            tuple(rows),
            tuple(problems),
            (BASELINE, *edited),
            args.first_seed,
            args.pictures_per_task,
        )

    def settings(self) -> dict:
        return super().settings() | {"reference": [path.name for path in self.reference]}

    def next_tasks(self, results: Results) -> list[Task]:
        tasks = []
        for variant in self.variants:
            for chosen in chunks(range(len(self.captions)), self.pictures_per_task):
                payload = {"variant": variant.name, "captions": list(chosen)}
                tasks.append(Task(f"{variant.name}/{chosen[0]}", payload, len(chosen)))
        for chosen in chunks(range(len(self.reference)), self.pictures_per_task):
            files = [str(self.reference[i]) for i in chosen]
            tasks.append(Task(f"reference/{chosen[0]}", {"files": files}, len(files)))
        return tasks

    def work(self, worker: Workplace, task: Task) -> Outcome:
        if "files" in task.payload:
            found = [
                worker.judge.embeddings(np.asarray(Image.open(path).convert("RGB"))[None]) for path in task.payload["files"]
            ]
            return Outcome({"embeddings": [_packed(embedding[0]) for embedding in found]})
        variant = next(variant for variant in self.variants if variant.name == task.payload["variant"])
        rows, first = [], None
        for i in task.payload["captions"]:
            edits = variant.edits(self.rows[i % len(self.rows)], self.rows) if variant.inputs is not None else []
            made = worker.host.pictures(self.captions[i], [self.first_seed + i], edits)
            first = made[0] if first is None else first
            rows.append(
                {
                    "caption": i,
                    "clip score": 100 * float(worker.judge.scores(made, [self.captions[i]])[0, 0]),
                    "embedding": _packed(worker.judge.embeddings(made)[0]),
                    "pixels": pixels_digest(made[0]),
                }
            )
        return Outcome({"pictures": rows}, {"first": thumbnail(first)})

    def report(self, results: Results) -> Report:
        errors = [f"{task}: {result['error']}" for task, result in results.items() if "error" in result]
        reference = _stacked(e for task, r in results.items() if task.startswith("reference/") for e in r.get("embeddings", ()))
        table, records = [], []
        for variant in self.variants:
            tasks = [r for task, r in results.items() if task.startswith(f"{variant.name}/") and "error" not in r]
            drawn = [picture for result in tasks for picture in result["pictures"]]
            if drawn:
                scores = np.array([picture["clip score"] for picture in drawn])
                row = {"method": variant.name, "captions": len(drawn), "CLIP score": over_seeds({"": scores}, lambda m: m[""])}
                if len(reference):
                    row["Fréchet distance"] = frechet_distance(reference, _stacked(p["embedding"] for p in drawn))
                table.append(row)
                records += [self._record(variant, picture) for picture in drawn]
        return Report(
            title=f"Captions: {self.file}",
            summary=[
                f"{len(self.captions)} captions, {len(self.reference)} reference pictures, {len(self.rows)} edits in turn."
            ],
            tables=[Table("Quality", table, NOTE)],
            records=records,
            sheets=[self._sheet()],
            problems=[*self.problems, *errors],
        )

    def _record(self, variant: Variant, picture: dict) -> dict:
        i = picture["caption"]
        return {
            "method": variant.name,
            "caption": self.captions[i],
            "seed": self.first_seed + i,
            "CLIP score": picture["clip score"],
            "pixels": picture["pixels"],
        }

    def _sheet(self) -> Sheet:
        starts = range(0, len(self.captions), self.pictures_per_task)
        rows = [(variant.name, [(f"{variant.name}/{start}", "first") for start in starts][:12]) for variant in self.variants]
        return Sheet("Every first picture of a task", [self.captions[start] for start in starts][:12], rows)


class _Embedded(torch.nn.Module):
    """For torchmetrics: "pictures" that are embeddings already."""

    def __init__(self, width: int):
        super().__init__()
        self.num_features = width

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        return embeddings


def frechet_distance(real: np.ndarray, drawn: np.ndarray) -> float:
    """100 times the Fréchet distance of two sets of embeddings (n, d), each of at least two."""
    metric = FrechetInceptionDistance(feature=_Embedded(real.shape[1])).set_dtype(torch.float64)
    metric.update(torch.from_numpy(real), real=True)
    metric.update(torch.from_numpy(drawn), real=False)
    return 100 * float(metric.compute())


def _packed(embedding: np.ndarray) -> str:
    return base64.b64encode(embedding.astype(np.float32).tobytes()).decode()


def _stacked(packed) -> np.ndarray:
    parts: Sequence[np.ndarray] = [np.frombuffer(base64.b64decode(text), np.float32) for text in packed]
    return np.stack(parts).astype(np.float64) if parts else np.zeros((0, 0))
