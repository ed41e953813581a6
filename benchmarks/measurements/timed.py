"""TIMED: what an edit changes of what it should (efficacy, generality) and of what it should not (specificity).

Protocol and data: the TIME paper, section 5 and its TIMED data set; F1 as in ReFACT (NAACL 2024). Each row is edited by itself
on a clean model; per seed, pictures of the source prompt, of related prompts and of unrelated prompts are judged two-way.
Beside that, whatever the judge looks at: how far each picture is from the one it should be, of the same seed. That is the
oracle's where the edit should show, and the unedited one where nothing should.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from ..data.timed import KINDS, Question, TimedRow, joint_edit, read_timed
from ..hosts.inputs import parse_changes
from ..judges.perceptual import distances, lpips
from ..judges.pixels import pixels_digest
from ..report.bootstrap import Estimate, estimate, over_seeds
from ..report.report import SHEET_ROWS, Plot, Report, Sheet, Table, gathered
from ..run.measurement import Outcome, PaperMeasurement, Results, Task, Workplace, chunks, folder_name, option

ALONE, JOINT, SEQUENTIAL = "alone", "joint", "sequential"
SHEET_SIZE = 160  # pixels of a stored picture
SHOWN = ("efficacy", "generality 1", "specificity 1")
PUBLISHED = [
    {"method": "baseline", "efficacy": 0.0427, "generality": 0.0621, "specificity": 0.9568, "F1": 0.2437},
    {"method": "oracle", "efficacy": 0.9704, "generality": 0.9326, "specificity": 0.9568, "F1": 0.9446},
    {"method": "TIME, lambda 0.1", "efficacy": 0.8323, "generality": 0.6408, "specificity": 0.7595, "F1": 0.6976},
]
KEPT = ("its kind", "the second thing", "a named colour", "the ground")
KEPT_NOTE = (
    "What a prompt names beside the edit and a judge that reads pictures finds in them. Colours: of unrelated prompts, as the "
    "edit is to change those of related ones. Mean, standard deviation and 95 % bootstrap interval over pairs."
)
DISTANCES_NOTE = (
    "Of pictures of one seed, to the oracle's for prompts where the edit should show and to the unedited ones for the others. "
    "Mean, standard deviation and 95 % bootstrap interval over pairs."
)
PUBLISHED_NOTE = "ReFACT, Table 1: TIMED's 147 rows, SD 1.4, 25 seeds, CLIP ViT-bigG/14."


@dataclass(frozen=True)
class Variant:
    """A model to measure: unedited (`inputs` None; the oracle then gets the destination's wording), or with TIME Edit Model.

    `together`: each row alone on a clean model, all rows solved jointly, or all rows one node after another.
    """

    name: str
    inputs: dict | None = None
    oracle: bool = False
    together: str = ALONE

    def edits(self, row: TimedRow, rows: Sequence[TimedRow]) -> list[dict]:
        if self.inputs is None:
            return []
        pairs = [row] if self.together == ALONE else list(rows)
        if self.together == JOINT:
            return [joint_edit(pairs, **self.inputs)]
        return [r.edit(**self.inputs) for r in pairs]


BASELINE, ORACLE = Variant("baseline"), Variant("oracle", oracle=True)


def by_lambda(lambdas: Iterable[float]) -> list[Variant]:
    return [Variant(f"TIME, lambda {lamb:g}", {"lamb": lamb}) for lamb in lambdas]


@dataclass(frozen=True)
class Asked:
    """A row's question to a variant."""

    variant: Variant
    row: TimedRow
    question: Question

    @property
    def place(self) -> str:
        """Of the tasks that make its pictures. Those without an edit are made once a prompt, whoever asks for them."""
        if self.variant.inputs is None:
            return f"unedited/{hashlib.sha256(self.question.prompt.encode()).hexdigest()[:16]}"
        return f"{folder_name(self.variant.name)}/line {self.row.line}/{self.question.kind}"

    @property
    def wordings(self) -> tuple[str, str]:
        return self.question.wording, self.question.rather_than

    @property
    def should_be(self) -> str | None:
        """The prompt whose unedited pictures these should be; None where they are."""
        unedited = self.question.prompt if self.question.kind.startswith("specificity") else self.question.wording
        return None if self.variant.inputs is None and unedited == self.question.prompt else unedited


@dataclass(frozen=True, kw_only=True)
class Timed(PaperMeasurement):
    """Pairs x variants x prompts x seeds."""

    file: Path = option("a CSV in TIMED's columns", type=Path)
    seeds: int = option("pictures a prompt", 24)
    lambdas: tuple[float, ...] = option("a TIME variant each", (0.1,), nargs="*", type=float)
    variant: tuple[str, ...] = option(
        "a TIME variant with these inputs of TIME Edit Model; may be given several times",
        (),
        action="append",
        metavar="'NAME: INPUT=VALUE, ...'",
    )
    together: tuple[str, ...] = option(
        "measure each TIME variant with the edits of all rows on one model, too", (), nargs="*", choices=[JOINT, SEQUENTIAL]
    )
    name: ClassVar[str] = "timed"

    @cached_property
    def read(self) -> tuple[list[TimedRow], list[str]]:
        """The pairs, and what is wrong with the others."""
        return read_timed(self.file, self.rows)

    @cached_property
    def variants(self) -> list[Variant]:
        edited = by_lambda(self.lambdas) + [Variant(*parse_changes(text, "--variant")) for text in self.variant]
        several = [Variant(f"{v.name}, {way}", v.inputs, together=way) for v in edited for way in self.together]
        variants = [BASELINE, ORACLE, *edited, *several]
        names = [variant.name for variant in variants]
        if len(set(names)) < len(names):
            raise ValueError(f"two variants have the same name: {', '.join(names)}.")
        return variants

    @cached_property
    def asked(self) -> list[Asked]:
        return [Asked(v, row, question) for v in self.variants for row in self.read[0] for question in row.questions(v.oracle)]

    @cached_property
    def wordings(self) -> dict[str, list[tuple[str, str]]]:
        """By place, the pairs of wordings that its pictures are judged by."""
        return gathered(dict.fromkeys((one.place, one.wordings) for one in self.asked))

    @cached_property
    def compared(self) -> dict[str, list[str]]:
        """By place, the prompts of the pictures that its own are compared with."""
        return gathered(dict.fromkeys((one.place, one.should_be) for one in self.asked if one.should_be is not None))

    @property
    def chunks(self) -> list[Sequence[int]]:
        """The seeds of each task."""
        return list(chunks(range(1, 1 + self.seeds), self.pictures_per_task))

    def next_tasks(self, results: Results) -> list[Task]:
        """Row by row, so that a row's unedited pictures serve all of its edits; then what has the edits of all rows."""
        first: dict[str, Asked] = {}
        for one in sorted(self.asked, key=lambda one: one.row.line if one.variant.together == ALONE else np.inf):
            first.setdefault(one.place, one)
        return [task for place, one in first.items() for task in self._tasks(place, one)]

    def _tasks(self, place: str, one: Asked) -> list[Task]:
        edits, compared = one.variant.edits(one.row, self.read[0]), self.compared.get(place, ())
        return picture_tasks(place, one.question.prompt, self.chunks, self.wordings[place], edits, compared)

    def prepare(self, worker: Workplace) -> Any:
        return lpips()

    def work(self, worker: Workplace, task: Task) -> Outcome:
        return judged_pictures(worker, task, kept=task.payload["seeds"][0] == 1)

    def report(self, results: Results) -> Report:
        bad_rows, bad_variants = self._refused(results)
        rows = [row for row in self.read[0] if row.line not in bad_rows]
        variants = [variant for variant in self.variants if variant.name not in bad_variants]
        measured = [one for one in self.asked if one.row in rows and one.variant in variants]
        records = [record for one in measured for record in self._records(results, one)]
        passed = gathered(
            ((record["method"], record["kind"].split()[0], *line), record["passed"])
            for record in records
            for line in ((), (record["line"],))
        )
        scores = [
            {"method": v.name} | estimates({kind: np.reshape(passed[v.name, kind], (-1, self.seeds)).mean(0) for kind in KINDS})
            for v in variants
            if rows
        ]
        by_row = [
            {"line": row.line, "edit": f"{row.old} → {row.new}"}
            | {f"{v.name}: {kind}": float(np.mean(passed[v.name, kind, row.line])) for v in variants for kind in KINDS}
            for row in rows
        ]
        count = len({record["pixels"] for record in records})
        spread = "Mean, standard deviation and 95 % bootstrap interval over seeds."
        return Report(
            title=f"TIMED: {self.file.name}",
            summary=[
                f"{len(rows)} of {len(self.read[0])} rows, seeds 1 to {self.seeds}.",
                f"{len(records)} judgements of {count} different pictures.",
            ],
            tables=[
                Table("Scores", scores, spread, True),
                Table("Kept", self._over_pairs(records, KEPT), KEPT_NOTE, True),
                Table("Distances", self._over_pairs(records, ("LPIPS", "RMSE")), DISTANCES_NOTE),
                Table("Published", PUBLISHED, PUBLISHED_NOTE, True),
                Table("Rows", by_row, percent=True),
            ],
            records=records,
            plots=self._plots(scores),
            sheets=[self._sheet(variants, rows)],
            problems=[*self.read[1], *(said for _, said in sorted(bad_rows.items())), *bad_variants.values()],
        )

    def _refused(self, results: Results) -> tuple[dict[int, str], dict[str, str]]:
        """By line, why a row cannot be measured; it is left out of all variants, so that they are compared on the same rows.
        By name, why a variant with the edits of all rows cannot."""
        rows: dict[int, str] = {}
        variants: dict[str, str] = {}
        for one in sorted(self.asked, key=lambda one: one.variant.inputs is None):  # the judge refuses what the node did, too
            said = results[f"{one.place}/1"].get("error")
            if said and one.variant.together != ALONE:
                variants.setdefault(one.variant.name, f"{one.variant.name}: {said}")
            elif said:
                rows.setdefault(one.row.line, f"{self.file.name}, line {one.row.line}: {one.variant.name}: {said}")
        return rows, variants

    def _records(self, results: Results, one: Asked) -> list[dict]:
        """One a picture."""
        row, question, found = one.row, one.question, []
        index = self.wordings[one.place].index(one.wordings)
        place = {"method": one.variant.name, "line": row.line, "old": row.old, "new": row.new, "kind": question.kind}
        wordings = {"wording": question.wording, "rather than": question.rather_than}
        for seeds in self.chunks:
            result = results[f"{one.place}/{seeds[0]}"]
            seen = result["distances"].get(one.should_be, {}) | result.get("kept", {})
            for i, (seed, pixels) in enumerate(zip(seeds, result["pixels"], strict=True)):
                score, other = result["scores"][index][i]
                judged = {"score": score, "score of the other": other, "passed": int(score > other), "pixels": pixels}
                shown = {"prompt": question.prompt, "seed": seed}
                found.append(place | shown | wordings | judged | {name: values[i] for name, values in seen.items()})
        return found

    def _over_pairs(self, records: list[dict], names: Sequence[str]) -> list[dict]:
        """A row a method: of each of `names` the mean over the pairs that have it, of each its pictures' mean."""
        found: dict[str, dict[str, dict[int, list[float]]]] = {}
        for record in records:
            side = "unrelated" if record["kind"].startswith("specificity") else "related"
            for name in filter(record.__contains__, names):
                by_line = found.setdefault(record["method"], {}).setdefault(f"{side}, {name}", {})
                by_line.setdefault(record["line"], []).append(record[name])
        return [
            {"method": method}
            | {column: estimate([float(np.mean(values)) for values in by_line.values()]) for column, by_line in columns.items()}
            for method, columns in found.items()
        ]

    def _plots(self, scores: list[dict]) -> list[Plot]:
        by_name = {row["method"]: row for row in scores}
        swept = [v for v in self.variants if v.inputs and v.together == ALONE and v.inputs.keys() == {"lamb"}]
        swept = sorted((v for v in swept if v.name in by_name), key=lambda v: v.inputs["lamb"])
        if len(swept) < 2:
            return []
        lambdas = [variant.inputs["lamb"] for variant in swept]
        curves = {kind: (lambdas, [by_name[v.name][kind].mean for v in swept]) for kind in (*KINDS, "geometric mean")}
        return [Plot("What lambda trades", "lambda", "share of pictures", curves, log_x=True)]

    def _sheet(self, variants: Sequence[Variant], rows: Sequence[TimedRow]) -> Sheet:
        places = {(one.variant.name, one.row.line, one.question.kind): one.place for one in self.asked}
        columns = [(variant.name, kind) for variant in variants for kind in SHOWN]
        shown = [
            (f"{row.old} → {row.new}", [(f"{places[name, row.line, kind]}/1", "first") for name, kind in columns])
            for row in rows[:SHEET_ROWS]
        ]
        return Sheet("Seed 1", [f"{name}: {kind}" for name, kind in columns], shown)


def estimates(by_kind: dict[str, np.ndarray]) -> dict[str, Estimate]:
    """Of the three measures, (seeds,) shares of a seed's pictures that passed, and of their means."""
    found = {kind: over_seeds(by_kind, lambda means, kind=kind: means[kind]) for kind in KINDS}
    found["geometric mean"] = over_seeds(by_kind, lambda m: np.cbrt(m["efficacy"] * m["generality"] * m["specificity"]))
    found["F1"] = over_seeds(by_kind, lambda m: np.sqrt(m["generality"] * m["specificity"]))
    return found


def picture_tasks(
    place: str,
    prompt: str,
    seeds: Iterable[Sequence[int]],
    questions: Sequence[tuple[str, str]],
    edits: list[dict],
    compared: Sequence[str] = (),
) -> list[Task]:
    """A task for each of `seeds`: pictures of `prompt` by the model with `edits`, judged between two wordings a question.

    `compared`: prompts of unedited pictures whose distance to them, seed for seed, is measured.
    """
    payload = {"prompt": prompt, "questions": [list(pair) for pair in questions], "edits": edits, "compared": list(compared)}
    return [Task(f"{place}/{some[0]}", payload | {"seeds": list(some)}, len(some)) for some in seeds]


def judged_pictures(worker: Workplace, task: Task, kept: bool) -> Outcome:
    """Of one of `picture_tasks`: scores (questions, pictures, 2), distances, and the first picture if it is `kept`."""
    seeds = task.payload["seeds"]
    made = worker.host.pictures(task.payload["prompt"], seeds, task.payload["edits"])
    questions = task.payload["questions"]
    by_wording = worker.judge.scores(made, [wording for pair in questions for wording in pair])
    scores = [by_wording[:, 2 * i : 2 * i + 2].tolist() for i in range(len(questions))]
    result = {"pixels": [pixels_digest(picture) for picture in made], "scores": scores}
    if hasattr(worker.judge, "kept"):
        result["kept"] = worker.judge.kept(made, task.payload["prompt"])
    result["distances"] = {prompt: distances(made, worker.host.pictures(prompt, seeds)) for prompt in task.payload["compared"]}
    return Outcome(result, {"first": thumbnail(made[0])} if kept else {})


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(pixels)
    picture.thumbnail((SHEET_SIZE, SHEET_SIZE))
    return np.asarray(picture)
