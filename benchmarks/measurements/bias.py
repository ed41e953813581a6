"""Bias: how far pictures of a prompt lean to one side, before and after each edit is held in balance.

Protocol and data: the TIME paper's gender bias mitigation. F_p is the share of pictures of profession p that show `new`;
Delta_p = |target - F_p| / target, which for the target 0.5 is the paper's |0.5 - F_p| / 0.5. Lambda is searched for each row on
its validation prompts as TIME Balance does, every probe with new seeds; then it is tested on the test prompts. No two pictures
of a search or a test share their seed, so that each tells something new. With `turn` the model is looked at first, on the
validation prompts, and the edit asks for the side that it shows less.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from time_core.balance.balancing import next_lambda
from time_core.balance.curve import read_off
from time_core.balance.search import Probe, Search

from ..data.timed import BiasRow, joint_edit, read_bias
from ..report.bootstrap import over_seeds
from ..report.report import Plot, Report, Sheet, Table, gathered
from ..run.measurement import Outcome, PaperMeasurement, Results, Task, Workplace, chunks, option
from .timed import judged_pictures, picture_tasks

TARGET = 0.5  # the wanted share of pictures that show `new`
BASELINE, BALANCED = "baseline", "balanced"
ONE_LAMBDA, WEIGHTED = "joint, one lambda", "joint, weighted"
TEST_SEEDS = 1_000_000  # where the seeds of the tests begin, after the first seed
MEANING = (
    "F: share of the test pictures that show `new`, mean over rows. Delta: |target - F| / target. "
    "Neither: share of those that fit `new` and its opposite equally (CLIP always decides; the judge of pixels calls a third "
    "colour neither). Standard deviation and 95 % bootstrap interval over pictures."
)
NEAR = 0.05  # of the target: what the reports count as balanced
PLOTTED = 8  # searches


@dataclass(frozen=True, kw_only=True)
class Bias(PaperMeasurement):
    """A search a row, then its test; with `joint` the same for one edit of all rows."""

    file: Path = option("a CSV in the columns of TIMED's gender file", type=Path)
    seeds: int = option("pictures of a validation prompt in each probe", 24)
    test_seeds: int = option("pictures of a test prompt", 24)
    baseline_seeds: int | None = option("the same of the model without an edit (as --test-seeds)", None, type=int)
    first_seed: int = option("the others follow", 1)
    probes: int = option("measurements of the search, at most", 24)
    tolerance: float = option("a search ends when the share is known to within this much, with 95 % confidence", 0.05)
    lowest: float = option("the smallest lambda", 0.1)
    highest: float = option("the largest lambda", 1e6)
    strength: float = option("scales every edit; above 1 it goes beyond the destination", 1.0)
    turn: bool = option("edit to the opposite where the search's prompts show `new` too often without an edit", False)
    joint: bool = option("balance all rows by one edit of one model, too", False)
    name: ClassVar[str] = "bias"

    @cached_property
    def read(self) -> tuple[list[BiasRow], list[str]]:
        """The rows, and what is wrong with the others."""
        return read_bias(self.file, self.rows)

    @cached_property
    def search(self) -> Search:
        return Search(TARGET, self.lowest, self.highest, self.probes, self.tolerance)

    def next_tasks(self, results: Results) -> list[Task]:
        tasks, rows, open_searches = self._turning(results)
        found = {}
        for row in rows:
            steps, done = self._searched([row], results)
            tasks += self._tests(BASELINE, row, []) + steps
            open_searches += done is None
            if done:
                found[row.line] = self._lambda(done)
                tasks += self._tests(BALANCED, row, self._edit([row], found[row.line]))
        if self.joint and not open_searches and found:
            tasks += self._joint_tasks([row for row in rows if row.line in found], found, results)
        return tasks

    def _turning(self, results: Results) -> tuple[list[Task], list[BiasRow], int]:
        """Pictures that tell which way each row is edited, the rows that are decided, and how many are not yet."""
        if not self.turn:
            return [], self.read[0], 0
        tasks, rows, undecided = [], [], 0
        for row in self.read[0]:
            looked = self._search_tasks(f"search/line {row.line}/unedited", row, self.probes + 1, [])
            tasks += looked
            if any(task.id not in results for task in looked):
                undecided += 1
            else:
                told = all("error" not in results[task.id] for task in looked)
                rows.append(row.turned() if told and _measured(math.inf, looked, results).share > TARGET else row)
        return tasks, rows, undecided

    def _joint_tasks(self, rows: Sequence[BiasRow], found: dict[int, float], results: Results) -> list[Task]:
        """One edit of all rows: with the one lambda that balances their mean, and with each row weighted as its own lambda."""
        tasks, done = self._searched(rows, results, joint=True)
        edits = {ONE_LAMBDA: self._edit(rows, self._lambda(done))} if done else {}
        edits[WEIGHTED] = self._edit(rows, *row_weights([found[row.line] for row in rows]))
        return tasks + [task for method, edit in edits.items() for row in rows for task in self._tests(method, row, edit)]

    def _searched(
        self, rows: Sequence[BiasRow], results: Results, joint: bool = False
    ) -> tuple[list[Task], list[Probe] | None]:
        """All tasks so far of a search with one edit of `rows`, and its probes; None while it goes on, [] if a row cannot be
        edited."""
        tasks: list[Task] = []
        done: list[Probe] = []
        while (lamb := next_lambda(self.search, done)) is not None:
            number, edits = len(done) + 1, self._edit(rows, lamb)
            place = f"search/{'all rows' if joint else f'line {rows[0].line}'}/probe {number:02}"
            step = []
            for row in rows:
                step += self._search_tasks(f"{place}/line {row.line}" if joint else place, row, number, edits)
            tasks += step
            if any(task.id not in results for task in step):
                return tasks, None
            if any("error" in results[task.id] for task in step):
                return tasks, []
            done.append(_measured(lamb, step, results))
        return tasks, done

    def _search_tasks(self, place: str, row: BiasRow, number: int, edits: list[dict]) -> list[Task]:
        """Pictures of the validation prompts, whose seeds follow those of the measurement before this one."""
        first = self.first_seed + (number - 1) * len(row.validations) * self.seeds
        return self._tasks(place, row, row.validations, range(first, first + self.seeds), edits)

    def _lambda(self, done: Sequence[Probe]) -> float:
        return read_off(self.search, done).lamb

    def _edit(self, rows: Sequence[BiasRow], lamb: float, weights: Sequence[float] | None = None) -> list[dict]:
        edit = joint_edit(rows, lamb=lamb, strength=self.strength)
        if weights is not None:
            lines = zip(edit["destination"].splitlines(), weights, strict=True)
            edit["destination"] = "\n".join(f"{line} | {weight!r}" for line, weight in lines)
        return [edit]

    def _tests(self, method: str, row: BiasRow, edits: list[dict]) -> list[Task]:
        start = self.first_seed + TEST_SEEDS
        count = (method == BASELINE and self.baseline_seeds) or self.test_seeds
        return self._tasks(f"{method}/line {row.line}", row, row.tests, range(start, start + count), edits)

    def _tasks(self, place: str, row: BiasRow, prompts: Sequence[str], seeds: range, edits: list[dict]) -> list[Task]:
        """Pictures of each prompt: of the first with these seeds, of the others with those that follow."""
        found, asked = [], [(row.new, row.opposite)]
        for i, prompt in enumerate(prompts):
            own = range(seeds.start + i * len(seeds), seeds.stop + i * len(seeds))
            found += picture_tasks(f"{place}/prompt {i + 1}", prompt, chunks(own, self.pictures_per_task), asked, edits)
        return found

    def work(self, worker: Workplace, task: Task) -> Outcome:
        return judged_pictures(worker, task, kept=not task.id.startswith("search/"))

    def report(self, results: Results) -> Report:
        tasks = {task.id: task for task in self.next_tasks(results)}
        errors = {i: results[i]["error"] for i in tasks if "error" in results[i]}
        asked = self._turning(results)[1]
        said = {row.line: next((errors[i] for i in errors if f"/line {row.line}/" in i), None) for row in asked}
        rows = [row for row in asked if said[row.line] is None]
        methods = [m for m in (BASELINE, BALANCED, ONE_LAMBDA, WEIGHTED) if any(i.startswith(f"{m}/") for i in tasks)]
        histories = {row.line: self._searched([row], results)[1] for row in rows}
        leads = {(row.line, method): self._leads(results, row, method) for row in rows for method in methods}
        by_row = [self._row(row, histories[row.line], {m: leads[row.line, m] for m in methods}) for row in rows]
        searched = sum(task.pictures for task in tasks.values() if task.id.startswith("search/"))
        means = [self._means(rows, by_row, leads, method) for method in methods] if rows else []
        return Report(
            title=f"Bias: {self.file.name}",
            summary=[
                f"{len(rows)} of {len(self.read[0])} rows; target {TARGET:g}.",
                *([f"Edited to the opposite: {turned}."] if (turned := self._turned(rows)) else []),
                f"{sum(task.pictures for task in tasks.values())} pictures, {searched} of them to search.",
            ],
            tables=[
                Table("Balance", means, MEANING, True),
                Table("Rows", by_row, "F and Delta on the test prompts.", True, plain=("lambda",)),
            ],
            records=[record for i in tasks if i not in errors for record in _records(tasks[i], results[i])],
            plots=[_plot(histories, rows)] if rows else [],
            sheets=[self._sheet(rows, methods)] if rows else [],
            problems=[*self.read[1], *(f"{self.file.name}, line {line}: {error}" for line, error in said.items() if error)],
        )

    def _turned(self, rows: Sequence[BiasRow]) -> str:
        written = {row.line: row.new for row in self.read[0]}
        return ", ".join(row.old for row in rows if row.new != written[row.line])

    def _row(self, row: BiasRow, history: list[Probe], leads: dict[str, np.ndarray]) -> dict:
        found = {
            "line": row.line,
            "edit": f"{row.old} → {row.new}",
            "lambda": self._lambda(history),
            "share of the search": read_off(self.search, history).share,
            "pictures searched": sum(sum(probe.made) for probe in history) + self.turn * self.seeds * len(row.validations),
        }
        found |= {f"F, {method}": float((lead > 0).mean()) for method, lead in leads.items()}
        found |= {f"Delta, {method}": abs(TARGET - found[f"F, {method}"]) / TARGET for method in leads}
        return found | {f"neither, {method}": float((lead == 0).mean()) for method, lead in leads.items()}

    def _means(self, rows: Sequence[BiasRow], by_row: list[dict], leads: dict, method: str) -> dict:
        by_name = {row.old: (leads[row.line, method] > 0).mean(0) for row in rows}
        within = [abs(row[f"F, {method}"] - TARGET) <= NEAR for row in by_row]
        return {
            "method": method,
            "F": over_seeds(by_name, lambda m: np.mean(list(m.values()), axis=0)),
            "Delta": over_seeds(by_name, lambda m: np.mean([abs(TARGET - f) / TARGET for f in m.values()], axis=0)),
            f"rows within {100 * NEAR:g} points of the target": float(np.mean(within)),
            "neither": float(np.mean([row[f"neither, {method}"] for row in by_row])),
        }

    def _leads(self, results: Results, row: BiasRow, method: str) -> np.ndarray:
        """(test prompts, pictures of each): the score of `new` less that of the opposite."""
        tests = self._tests(method, row, [])
        scores = np.concatenate([results[task.id]["scores"][0] for task in tests]).reshape(len(row.tests), -1, 2)
        return scores[..., 0] - scores[..., 1]

    def _sheet(self, rows: Sequence[BiasRow], methods: Sequence[str]) -> Sheet:
        cells = []
        for row in rows:
            for method in methods:
                tasks = {task.payload["prompt"]: task.id for task in reversed(self._tests(method, row, []))}
                cells.append((f"{row.old}, {method}", [(tasks[prompt], "first") for prompt in row.tests]))
        return Sheet("Test prompts", [f"test {i}" for i in range(1, len(rows[0].tests) + 1)], cells)


def row_weights(lambdas: Sequence[float]) -> tuple[float, list[float]]:
    """The lambda of a joint edit and a weight a row. A row of weight w under lambda is by itself the edit with lambda / w."""
    lamb = float(np.exp(np.mean(np.log(lambdas))))
    return lamb, [lamb / one for one in lambdas]


def _measured(lamb: float, tasks: Sequence[Task], results: Results) -> Probe:
    shows = gathered((task.id.rsplit("/", 1)[0], new > other) for task in tasks for new, other in results[task.id]["scores"][0])
    return Probe(lamb, tuple(map(sum, shows.values())), tuple(map(len, shows.values())))


def _records(task: Task, result: dict) -> list[dict]:
    """One a picture."""
    payload, found = task.payload, []
    place = {"task": task.id, "prompt": payload["prompt"]}
    asked = {"lambda": payload["edits"][0]["lamb"] if payload["edits"] else None}
    asked |= zip(("new", "opposite"), payload["questions"][0], strict=True)
    for seed, pixels, (new, opposite) in zip(payload["seeds"], result["pixels"], result["scores"][0], strict=True):
        judged = {"score": new, "score of the opposite": opposite, "shows new": int(new > opposite), "pixels": pixels}
        found.append(place | {"seed": seed} | asked | judged)
    return found


def _plot(histories: dict[int, list[Probe]], rows: Sequence[BiasRow]) -> Plot:
    curves = {}
    for row in rows[:PLOTTED]:
        probes = sorted(histories[row.line], key=lambda probe: probe.lamb)
        curves[f"{row.old} → {row.new}"] = ([p.lamb for p in probes], [p.share for p in probes])
    return Plot("The searches of the first rows", "lambda", "share that shows `new`", curves, log_x=True)
