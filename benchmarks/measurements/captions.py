"""Captions: image quality and agreement with the prompt, of the unedited model and of models with edits.

Protocol: the TIME paper draws captions of MS-COCO with edited models and reports FID and CLIP score. Caption i is drawn with
the edit of row i of a TIMED file, in turn. The Fréchet distance is torchmetrics', of the embeddings of the judge's CLIP vision
instead of Inception's, so it compares within a report and not with published FID.
"""

import base64
from argparse import Namespace
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from PIL import Image
from torchmetrics.image.fid import FrechetInceptionDistance

from ..data.pictures import PICTURES
from ..data.timed import TimedRow, read_timed
from ..judges.pixels import pixels_digest
from ..report.bootstrap import estimate
from ..report.report import SHEET_ROWS, Report, Sheet, Table, gathered
from ..run.measurement import Outcome, PaperMeasurement, Results, Task, Workplace, chunks, option
from .timed import BASELINE, Variant, by_lambda, thumbnail

NOTE = (
    "CLIP score: 100 times the cosine, mean over captions, 95 % bootstrap interval over captions. Fréchet distance: in the "
    "judge's embedding, of unit length, times 100. It is too large with fewer pictures than the embedding has dimensions."
)
REFERENCE = "reference"


@dataclass(frozen=True, kw_only=True)
class Captions(PaperMeasurement):
    """Caption i has the seed 1 + i with every model."""

    file: Path = option("a text file, one caption a line", type=Path)
    reference: Path | None = option("a folder of real pictures, for the Fréchet distance", None, decides=False, type=Path)
    edits: Path | None = option("a CSV in TIMED's columns; caption i gets the edit of row i, in turn", None, type=Path)
    lambdas: tuple[float, ...] = option("of the edits", (0.1,), nargs="*", type=float)
    name: ClassVar[str] = "captions"

    @classmethod
    def from_arguments(cls, args: Namespace) -> Self:
        """Raises ValueError if there is no caption, no reference picture, or a judge without an embedding."""
        if args.judge not in ("clip", "toy-clip"):
            raise ValueError("captions are judged by CLIP's embedding: add --judge clip (or toy-clip for the toy world).")
        return super().from_arguments(args)

    @cached_property
    def captions(self) -> list[str]:
        lines = self.file.read_text(encoding="utf-8").splitlines()
        found = [line.strip() for line in lines if line.strip()][: self.rows]
        if not found:
            raise ValueError(f"{self.file} holds no caption; write one a line.")
        return found

    @cached_property
    def pictures(self) -> list[Path]:
        """Of the reference."""
        if self.reference is None:
            return []
        files = sorted(path for path in self.reference.iterdir() if path.suffix.lower() in PICTURES)
        if len(files) < 2:
            raise ValueError(f"--reference {self.reference} holds {len(files)} pictures; a distance needs at least two.")
        return files

    @cached_property
    def read(self) -> tuple[list[TimedRow], list[str]]:
        """The edits, and what is wrong with the others."""
        return read_timed(self.edits) if self.edits else ([], [])

    @cached_property
    def variants(self) -> list[Variant]:
        return [BASELINE, *(by_lambda(self.lambdas) if self.read[0] else ())]

    def settings(self) -> dict:
        return super().settings() | {"reference": [path.name for path in self.pictures]}

    def next_tasks(self, results: Results) -> list[Task]:
        asked = [(variant.name, self.captions) for variant in self.variants] + [(REFERENCE, self.pictures)]
        return [
            Task(f"{name}/{chosen[0]}", {"variant": name, "pictures": list(chosen)}, len(chosen))
            for name, pictures in asked
            for chosen in chunks(range(len(pictures)), self.pictures_per_task)
        ]

    def work(self, worker: Workplace, task: Task) -> Outcome:
        name, chosen = task.payload["variant"], task.payload["pictures"]
        if name == REFERENCE:
            read = [np.asarray(Image.open(self.pictures[i]).convert("RGB"))[None] for i in chosen]
            return Outcome({"pictures": [{"embedding": packed(worker.judge.embeddings(picture)[0])} for picture in read]})
        variant = next(variant for variant in self.variants if variant.name == name)
        rows, drawn = self.read[0], []
        made = [
            worker.host.pictures(self.captions[i], [1 + i], variant.edits(rows[i % len(rows)], rows) if rows else [])
            for i in chosen
        ]
        for i, picture in zip(chosen, made, strict=True):
            score = 100 * float(worker.judge.scores(picture, [self.captions[i]])[0, 0])
            embedding, pixels = packed(worker.judge.embeddings(picture)[0]), pixels_digest(picture[0])
            drawn.append({"caption": i, "clip score": score, "embedding": embedding, "pixels": pixels})
        return Outcome({"pictures": drawn}, {"first": thumbnail(made[0][0])})

    def report(self, results: Results) -> Report:
        made = gathered(
            (task.rpartition("/")[0], one) for task, result in results.items() for one in result.get("pictures", ())
        )
        reference = stacked(made.pop(REFERENCE, ()))
        table, records = [], []
        for name, drawn in made.items():
            scores = estimate([picture["clip score"] for picture in drawn])
            table.append({"method": name, "captions": len(drawn), "CLIP score": scores})
            if len(reference):
                table[-1]["Fréchet distance"] = frechet_distance(reference, stacked(drawn))
            for picture in drawn:
                caption = {"caption": self.captions[picture["caption"]], "seed": 1 + picture["caption"]}
                judged = {"CLIP score": picture["clip score"], "pixels": picture["pixels"]}
                records.append({"method": name} | caption | judged)
        starts = range(0, len(self.captions), self.pictures_per_task)[:SHEET_ROWS]
        shown = [(variant.name, [(f"{variant.name}/{start}", "first") for start in starts]) for variant in self.variants]
        return Report(
            title=f"Captions: {self.file.name}",
            summary=[
                f"{len(self.captions)} captions, {len(self.pictures)} reference pictures, {len(self.read[0])} edits in turn."
            ],
            tables=[Table("Quality", table, NOTE)],
            records=records,
            sheets=[Sheet("Every first picture of a task", [self.captions[start] for start in starts], shown)],
            problems=[*self.read[1], *(f"{task}: {result['error']}" for task, result in results.items() if "error" in result)],
        )


def packed(embedding: np.ndarray) -> str:
    """A quarter of what its numbers take in JSON."""
    return base64.b64encode(embedding.astype(np.float32).tobytes()).decode()


def stacked(pictures: Iterable[dict]) -> np.ndarray:
    """(n, d) float64 of their embeddings; (0,) of none."""
    return np.array([np.frombuffer(base64.b64decode(one["embedding"]), np.float32) for one in pictures], np.float64)


def frechet_distance(real: np.ndarray, drawn: np.ndarray) -> float:
    """100 times the Fréchet distance of two sets of embeddings (n, d), each of at least two."""
    embedded = torch.nn.Identity()  # the "pictures" of the metric are embeddings already
    embedded.num_features = real.shape[1]
    metric = FrechetInceptionDistance(feature=embedded).set_dtype(torch.float64)
    metric.update(torch.from_numpy(real), real=True)
    metric.update(torch.from_numpy(drawn), real=False)
    return 100 * float(metric.compute())
