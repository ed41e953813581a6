"""TIMED: what an edit changes of what it should (efficacy, generality) and of what it should not (specificity).

Protocol and data: the TIME paper, section 5 and its TIMED data set; F1 as in ReFACT (NAACL 2024). Each row is edited by itself
on a clean model; per seed, pictures of the source prompt, of related prompts and of unrelated prompts are judged two-way.
"""

import hashlib
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from PIL import Image

from ..data.timed import Question, TimedRow, node_lines, read_timed
from ..hosts.inputs import parse_changes
from ..report.bootstrap import Estimate, over_seeds
from ..report.report import Plot, Report, Sheet, Table
from ..run.measurement import NOT_DECISIVE, Measurement, Workplace
from ..run.values import Outcome, Results, Task, chunks, folder_name, pixels_digest

KINDS = ("efficacy", "generality", "specificity")
ALONE, JOINT, SEQUENTIAL = "alone", "joint", "sequential"
SHEET_SIZE = 160  # pixels of a stored picture
SHOWN = ("efficacy", "generality 1", "specificity 1")
PUBLISHED = [
    {"method": "baseline", "efficacy": 0.0427, "generality": 0.0621, "specificity": 0.9568, "F1": 0.2437},
    {"method": "oracle", "efficacy": 0.9704, "generality": 0.9326, "specificity": 0.9568, "F1": 0.9446},
    {"method": "TIME, lambda 0.1", "efficacy": 0.8323, "generality": 0.6408, "specificity": 0.7595, "F1": 0.6976},
]
"""ReFACT, Table 1: TIMED's 147 rows, SD 1.4, 25 seeds, judged by LAION's ViT-bigG/14."""


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
            return [self.inputs | {"source": node_lines(r.old for r in pairs), "destination": node_lines(r.new for r in pairs)}]
        return [r.edit(**self.inputs) for r in pairs]


BASELINE, ORACLE = Variant("baseline"), Variant("oracle", oracle=True)


@dataclass(frozen=True)
class Timed(Measurement):
    """Rows x variants x prompts x seeds. Unedited pictures are made once a prompt, whichever rows and variants ask for them."""

    file: str
    rows: tuple[TimedRow, ...]
    problems: tuple[str, ...]
    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    pictures_per_task: int = 8
    sheet_rows: int = field(default=12, metadata=NOT_DECISIVE)
    name: ClassVar[str] = "timed"

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a CSV in TIMED's columns")
        parser.add_argument("--rows", type=int, help="measure the first N rows only")
        parser.add_argument("--seeds", type=int, default=24, help="pictures a prompt (24)")
        parser.add_argument("--first-seed", type=int, default=1, help="the first seed; the others follow (1)")
        parser.add_argument("--lambdas", type=float, nargs="*", default=[0.1], help="a TIME variant each (0.1, as published)")
        parser.add_argument(
            "--variant",
            action="append",
            default=[],
            metavar="'NAME: INPUT=VALUE, ...'",
            help="a TIME variant with these inputs of TIME Edit Model; may be given several times",
        )
        parser.add_argument(
            "--together",
            nargs="*",
            choices=[JOINT, SEQUENTIAL],
            default=[],
            help="measure each TIME variant with the edits of all rows on one model, too",
        )
        parser.add_argument("--sheet-rows", type=int, default=12, help="rows on the contact sheet (12)")

    @classmethod
    def from_arguments(cls, args: Namespace) -> Self:
        """Raises ValueError if the file is not TIMED's or a variant cannot be read."""
        rows, problems = read_timed(args.file)
        if not rows:
            raise ValueError(f"{args.file}: no row can be measured.\n" + "\n".join(problems))
        edited = [Variant(f"TIME, lambda {lamb:g}", {"lamb": lamb}) for lamb in args.lambdas]
        edited += [Variant(*parse_changes(text, "--variant")) for text in args.variant]
        several = [Variant(f"{v.name}, {way}", v.inputs, together=way) for v in edited for way in args.together]
        variants = (BASELINE, ORACLE, *edited, *several)
        names = [variant.name for variant in variants]
        if len(set(names)) < len(names):
            raise ValueError(f"two variants have the same name: {', '.join(names)}.")
        return cls(
            args.file.name,
            tuple(rows[: args.rows]),
            tuple(problems),
            variants,
            tuple(range(args.first_seed, args.first_seed + args.seeds)),
            args.pictures_per_task,
            args.sheet_rows,
        )

    def next_tasks(self, results: Results) -> list[Task]:
        questions = self._unedited_questions
        tasks = [task for prompt in questions for task in self._tasks(_unedited(prompt), prompt, questions[prompt], [])]
        for variant in self.variants:
            if variant.inputs is not None:
                for row in self.rows:
                    edits = variant.edits(row, self.rows)
                    for question in row.questions():
                        asked = [(question.wording, question.rather_than)]
                        tasks += self._tasks(_edited(variant, row, question), question.prompt, asked, edits)
        return tasks

    @cached_property
    def _unedited_questions(self) -> dict[str, list[tuple[str, str]]]:
        """By prompt, the pairs of wordings that pictures of it are judged by."""
        found: dict[str, list[tuple[str, str]]] = {}
        for variant in self.variants:
            for row in self.rows if variant.inputs is None else ():
                for question in row.questions(variant.oracle):
                    pair = (question.wording, question.rather_than)
                    if pair not in found.setdefault(question.prompt, []):
                        found[question.prompt].append(pair)
        return found

    def _tasks(self, place: str, prompt: str, questions: list[tuple[str, str]], edits: list[dict]) -> list[Task]:
        return picture_tasks(place, prompt, chunks(self.seeds, self.pictures_per_task), questions, edits)

    def work(self, worker: Workplace, task: Task) -> Outcome:
        return judged_pictures(worker, task, kept=task.payload["seeds"][0] == self.seeds[0])

    def report(self, results: Results) -> Report:
        left_out = self._refused(results)
        rows = [row for row in self.rows if row.line not in left_out]
        problems = [*self.problems, *(f"{self.file}, line {line}: {said}" for line, said in sorted(left_out.items()))]
        variants = []
        for variant in self.variants:
            error = variant.together != ALONE and self._first_error(results, variant)
            if error:
                problems.append(f"{variant.name}: {error}")
            else:
                variants.append(variant)
        records = [record for variant in variants for row in rows for record in self._records(results, variant, row)]
        shares = {variant.name: _shares(records, variant, len(self.seeds)) for variant in variants} if rows else {}
        table = [{"method": name} | estimates(by_kind) for name, by_kind in shares.items()]
        count = len({record["pixels"] for record in records})
        return Report(
            title=f"TIMED: {self.file}",
            summary=[
                f"{len(rows)} of {len(self.rows)} rows, seeds {self.seeds[0]} to {self.seeds[-1]}.",
                f"{len(records)} judgements of {count} different pictures.",
            ],
            tables=[
                Table(
                    "Scores",
                    table,
                    "Mean, standard deviation and 95 % bootstrap interval over seeds.",
                    True,
                ),
                Table("Published", PUBLISHED, "ReFACT, Table 1: TIMED's 147 rows, SD 1.4, 25 seeds, CLIP ViT-bigG/14.", True),
                Table("Rows", _by_row(records, variants, rows), percent=True),
            ],
            records=records,
            plots=self._plots(table),
            sheets=[self._sheet(variants, rows)],
            problems=problems,
        )

    def _place(self, variant: Variant, row: TimedRow, question: Question) -> str:
        return _unedited(question.prompt) if variant.inputs is None else _edited(variant, row, question)

    def _refused(self, results: Results) -> dict[int, str]:
        """By line, why a row cannot be edited; it is left out of all variants, so that they are compared on the same rows."""
        found = {}
        for variant in self.variants:
            if variant.inputs is not None and variant.together == ALONE:
                for row in self.rows:
                    for question in row.questions():
                        said = results[f"{_edited(variant, row, question)}/{self.seeds[0]}"].get("error")
                        if said:
                            found.setdefault(row.line, f"{variant.name}: {said}")
        for row in self.rows:
            for variant in (BASELINE, ORACLE):
                for question in row.questions(variant.oracle):
                    said = results[f"{_unedited(question.prompt)}/{self.seeds[0]}"].get("error")
                    if said:
                        found.setdefault(row.line, said)
        return found

    def _first_error(self, results: Results, variant: Variant) -> str | None:
        questions = [(row, question) for row in self.rows for question in row.questions()]
        errors = (results[f"{_edited(variant, row, q)}/{self.seeds[0]}"].get("error") for row, q in questions)
        return next(filter(None, errors), None)

    def _records(self, results: Results, variant: Variant, row: TimedRow) -> list[dict]:
        asked = self._unedited_questions if variant.inputs is None else {}
        found = []
        for question in row.questions(variant.oracle):
            pair = (question.wording, question.rather_than)
            index = asked[question.prompt].index(pair) if asked else 0
            place = self._place(variant, row, question)
            for seeds in chunks(self.seeds, self.pictures_per_task):
                result = results[f"{place}/{seeds[0]}"]
                for seed, pixels, (wording, rather_than) in zip(seeds, result["pixels"], result["scores"][index], strict=True):
                    found.append(
                        {
                            "method": variant.name,
                            "line": row.line,
                            "old": row.old,
                            "new": row.new,
                            "kind": question.kind,
                            "prompt": question.prompt,
                            "seed": seed,
                            "wording": question.wording,
                            "rather than": question.rather_than,
                            "score": wording,
                            "score of the other": rather_than,
                            "passed": int(wording > rather_than),
                            "pixels": pixels,
                        }
                    )
        return found

    def _plots(self, table: list[dict]) -> list[Plot]:
        swept = [v for v in self.variants if v.inputs is not None and v.together == ALONE and v.inputs.keys() == {"lamb"}]
        by_name = {row["method"]: row for row in table}
        swept = sorted((v for v in swept if v.name in by_name), key=lambda v: v.inputs["lamb"])
        if len(swept) < 2:
            return []
        lambdas = [variant.inputs["lamb"] for variant in swept]
        curves = {kind: (lambdas, [by_name[v.name][kind].mean for v in swept]) for kind in (*KINDS, "geometric mean")}
        return [Plot("What lambda trades", "lambda", "share of pictures", curves, log_x=True)]

    def _sheet(self, variants: Sequence[Variant], rows: Sequence[TimedRow]) -> Sheet:
        columns, cells = [], {row.line: [] for row in rows[: self.sheet_rows]}
        for variant in variants:
            columns += [f"{variant.name}: {kind}" for kind in SHOWN]
            for row in rows[: self.sheet_rows]:
                questions = {q.kind: q for q in row.questions(variant.oracle)}
                shown = [questions.get(kind) for kind in SHOWN]
                cells[row.line] += [q and (f"{self._place(variant, row, q)}/{self.seeds[0]}", "first") for q in shown]
        labels = {row.line: f"{row.old} → {row.new}" for row in rows}
        return Sheet(f"Seed {self.seeds[0]}", columns, [(labels[line], found) for line, found in cells.items()])


def estimates(by_kind: dict[str, np.ndarray]) -> dict[str, Estimate]:
    """Of the three measures, (seeds,) each, and of their means."""
    found = {kind: over_seeds(by_kind, lambda means, kind=kind: means[kind]) for kind in KINDS}
    found["geometric mean"] = over_seeds(by_kind, lambda m: np.cbrt(m["efficacy"] * m["generality"] * m["specificity"]))
    found["F1"] = over_seeds(by_kind, lambda m: np.sqrt(m["generality"] * m["specificity"]))
    return found


def picture_tasks(
    place: str, prompt: str, seeds: Iterable[Sequence[int]], questions: Sequence[tuple[str, str]], edits: list[dict]
) -> list[Task]:
    """A task for each of `seeds`: pictures of `prompt` by the model with `edits`, judged between two wordings a question."""
    asked = [list(pair) for pair in questions]
    return [
        Task(f"{place}/{some[0]}", {"prompt": prompt, "seeds": list(some), "questions": asked, "edits": edits}, len(some))
        for some in seeds
    ]


def judged_pictures(worker: Workplace, task: Task, kept: bool) -> Outcome:
    """Of one of `picture_tasks`: scores (questions, pictures, 2), and the first picture if it is `kept`."""
    made = worker.host.pictures(task.payload["prompt"], task.payload["seeds"], task.payload["edits"])
    questions = task.payload["questions"]
    by_wording = worker.judge.scores(made, [wording for pair in questions for wording in pair])
    scores = [by_wording[:, 2 * i : 2 * i + 2].tolist() for i in range(len(questions))]
    result = {"pixels": [pixels_digest(picture) for picture in made], "scores": scores}
    return Outcome(result, {"first": thumbnail(made[0])} if kept else {})


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(pixels)
    picture.thumbnail((SHEET_SIZE, SHEET_SIZE))
    return np.asarray(picture)


def _shares(records: list[dict], variant: Variant, seeds: int) -> dict[str, np.ndarray]:
    """By measure, (seeds,): the share of pictures of a seed that passed."""
    found = {}
    for kind in KINDS:
        passed = [r["passed"] for r in records if r["method"] == variant.name and r["kind"].startswith(kind)]
        found[kind] = np.array(passed, float).reshape(-1, seeds).mean(0)
    return found


def _by_row(records: list[dict], variants: Sequence[Variant], rows: Sequence[TimedRow]) -> list[dict]:
    passed: dict[tuple, list[int]] = {}
    for record in records:
        key = (record["line"], record["method"], record["kind"].split()[0])
        passed.setdefault(key, []).append(record["passed"])
    return [
        {"line": row.line, "edit": f"{row.old} → {row.new}"}
        | {f"{v.name}: {kind}": float(np.mean(passed[row.line, v.name, kind])) for v in variants for kind in KINDS}
        for row in rows
    ]


def _unedited(prompt: str) -> str:
    return f"unedited/{hashlib.sha256(prompt.encode()).hexdigest()[:16]}"


def _edited(variant: Variant, row: TimedRow, question: Question) -> str:
    return f"{folder_name(variant.name)}/line {row.line}/{question.kind}"
