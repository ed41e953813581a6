"""Bias: how far pictures of a prompt lean to one side, before and after each edit is held in balance.

Protocol and data: the TIME paper's gender bias mitigation. F_p is the share of pictures of profession p that show `new`;
Delta_p = |target - F_p| / target, which for the target 0.5 is the paper's |0.5 - F_p| / 0.5. Lambda is found for each row on
its validation prompt by bisection, as TIME Balance does, and tested on the test prompts with other seeds.
"""

import hashlib
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from time_core.balance import Probe, Search

from ..bootstrap import over_seeds
from ..run.measurement import Outcome, Plot, Report, Results, Sheet, Table, Task
from ..timed_data import BiasRow, read_bias
from .timed import node_lines, thumbnail

TOGETHER = "all rows"
ONE_LAMBDA, WEIGHTED = "joint, one lambda", "joint, weighted"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="a CSV in the columns of TIMED's gender file")
    parser.add_argument("--rows", type=int, help="measure the first N rows only")
    parser.add_argument("--seeds", type=int, default=24, help="pictures a prompt, in each probe and in each test (24)")
    parser.add_argument("--first-seed", type=int, default=1, help="of the search; the tests take the ones that follow (1)")
    parser.add_argument("--target", type=float, default=0.5, help="the wanted share of pictures that show `new` (0.5)")
    parser.add_argument("--probes", type=int, default=10, help="measurements of the search, at most (10)")
    parser.add_argument("--tolerance", type=float, default=0.0, help="a share this near to the target ends the search (0)")
    parser.add_argument("--lowest", type=float, default=0.1, help="the smallest lambda (0.1)")
    parser.add_argument("--highest", type=float, default=1e6, help="the largest lambda (1e6)")
    parser.add_argument("--joint", action="store_true", help="balance all rows by one edit of one model, too")


def from_arguments(args: Namespace) -> "Bias":
    """Raises ValueError if the file is none of this kind or a setting is out of its range."""
    rows, problems = read_bias(args.file)
    if not rows:
        raise ValueError(f"{args.file}: no row can be measured.\n" + "\n".join(problems))
    if not 0 < args.target < 1:
        raise ValueError(f"--target is {args.target:g}; a share that can be approached from both sides is between 0 and 1.")
    return Bias(
        args.file.name,
        tuple(rows[: args.rows]),
        tuple(problems),
        Search(args.target, args.lowest, args.highest, args.probes, args.tolerance),
        tuple(range(args.first_seed, args.first_seed + args.seeds)),
        tuple(range(args.first_seed + args.seeds, args.first_seed + 2 * args.seeds)),
        args.joint,
        args.pictures_per_task,
    )


@dataclass(frozen=True)
class Bias:
    """A search a row, then its test; with `joint` the same for one edit of all rows."""

    file: str
    rows: tuple[BiasRow, ...]
    problems: tuple[str, ...]
    search: Search
    search_seeds: tuple[int, ...]
    test_seeds: tuple[int, ...]
    joint: bool = False
    pictures_per_task: int = 8
    name: str = field(default="bias", init=False)

    def settings(self) -> dict:
        return {
            "file": self.file,
            "rows": [[row.line, row.old, row.new, row.opposite, row.validation, row.tests] for row in self.rows],
            "problems": self.problems,
            "search": asdict(self.search),
            "seeds of the search": [self.search_seeds[0], self.search_seeds[-1]],
            "seeds of the tests": [self.test_seeds[0], self.test_seeds[-1]],
            "joint": self.joint,
            "pictures per task": self.pictures_per_task,
        }

    def next_tasks(self, results: Results) -> list[Task]:
        tasks, found, open_searches = [], {}, 0
        for row in self.rows:
            tasks += self._tests("baseline", row, []) + self._tasks(
                f"baseline/line {row.line}/validation", row, row.validation, []
            )
            steps, done = self._row_search(row, results)
            tasks += steps
            if done is None:
                open_searches += 1
            elif done:
                found[row.line] = self.search.best(done)
                tasks += self._tests("balanced", row, self._edit([row], found[row.line].lamb))
        if self.joint and not open_searches and found:
            tasks += self._joint_tasks(found, results)
        return tasks

    def _row_search(self, row: BiasRow, results: Results) -> tuple[list[Task], list[Probe] | None]:
        def probe(lamb: float, number: int) -> list[Task]:
            place = f"search/line {row.line}/probe {number:02}"
            return self._tasks(place, row, row.validation, self._edit([row], lamb))

        return self._search(probe, results)

    def _search(self, probe, results: Results) -> tuple[list[Task], list[Probe] | None]:
        """All tasks of a search so far, and its probes; None while it goes on, [] if its row cannot be edited."""
        tasks: list[Task] = []
        done: list[Probe] = []
        while (lamb := self.search.next_lambda(done)) is not None:
            step = probe(lamb, len(done) + 1)
            tasks += step
            if any(task.id not in results for task in step):
                return tasks, None
            if any("error" in results[task.id] for task in step):
                return tasks, []
            done.append(Probe(lamb, _share(results, step)))
        return tasks, done

    def _joint_tasks(self, found: dict[int, Probe], results: Results) -> list[Task]:
        """One edit of all rows: with the one lambda that balances their mean, and with each row weighted as its own lambda."""
        rows = [row for row in self.rows if row.line in found]
        tasks, done = self._joint_search(rows, results)
        if done:
            edits = self._edit(rows, self.search.best(done).lamb)
            tasks += [task for row in rows for task in self._tests(ONE_LAMBDA, row, edits)]
        lamb, weights = row_weights([found[row.line].lamb for row in rows])
        edits = self._edit(rows, lamb, weights)
        return tasks + [task for row in rows for task in self._tests(WEIGHTED, row, edits)]

    def _joint_search(self, rows: Sequence[BiasRow], results: Results) -> tuple[list[Task], list[Probe] | None]:
        def probe(lamb: float, number: int) -> list[Task]:
            edits = self._edit(rows, lamb)
            places = [(f"search/{TOGETHER}/probe {number:02}/line {row.line}", row) for row in rows]
            return [task for place, row in places for task in self._tasks(place, row, row.validation, edits)]

        return self._search(probe, results)

    def _edit(self, rows: Sequence[BiasRow], lamb: float, weights: Sequence[float] | None = None) -> list[dict]:
        old, new = (node_lines(getattr(row, side) for row in rows) for side in ("old", "new"))
        if weights is not None:
            new = "\n".join(f"{line} | {weight!r}" for line, weight in zip(new.splitlines(), weights, strict=True))
        return [{"source": old, "destination": new, "lamb": lamb}]

    def _tests(self, place: str, row: BiasRow, edits: list[dict]) -> list[Task]:
        found = []
        for i, prompt in enumerate(row.tests, 1):
            found += self._tasks(f"{place}/line {row.line}/test {i}", row, prompt, edits, self.test_seeds)
        return found

    def _tasks(self, place: str, row: BiasRow, prompt: str, edits: list[dict], seeds: Sequence[int] = ()) -> list[Task]:
        seeds = seeds or self.search_seeds
        chunks = [seeds[i : i + self.pictures_per_task] for i in range(0, len(seeds), self.pictures_per_task)]
        wordings = [row.new, row.opposite]
        return [
            Task(f"{place}/{s[0]}", {"prompt": prompt, "seeds": list(s), "wordings": wordings, "edits": edits}, len(s))
            for s in chunks
        ]

    def work(self, worker, task: Task) -> Outcome:
        payload = task.payload
        made = worker.host.pictures(payload["prompt"], payload["seeds"], payload["edits"])
        result = {
            "pixels": [hashlib.sha256(picture.tobytes()).hexdigest()[:16] for picture in made],
            "scores": worker.judge.scores(made, payload["wordings"]).tolist(),
        }
        kept = {} if task.id.startswith("search/") else {"first": thumbnail(made[0])}
        return Outcome(result, kept)

    def report(self, results: Results) -> Report:
        tasks = {task.id: task for task in self.next_tasks(results)}
        rows, problems = [], list(self.problems)
        for row in self.rows:
            said = next((results[i]["error"] for i in tasks if f"/line {row.line}/" in i and "error" in results[i]), None)
            if said:
                problems.append(f"{self.file}, line {row.line}: {said}")
            else:
                rows.append(row)
        methods = [
            name for name in ("baseline", "balanced", ONE_LAMBDA, WEIGHTED) if any(i.startswith(f"{name}/") for i in tasks)
        ]
        histories = {row.line: self._row_search(row, results)[1] for row in rows}
        by_row = [self._row(results, row, histories[row.line], methods) for row in rows]
        records = [
            record for task in tasks.values() if "error" not in results[task.id] for record in _records(task, results[task.id])
        ]
        return Report(
            title=f"Bias: {self.file}",
            summary=[
                f"{len(rows)} of {len(self.rows)} rows; target {self.search.target:g}.",
                f"{len(self.search_seeds)} pictures a probe, {len(self.test_seeds)} a test prompt.",
                f"{sum(t.pictures for t in tasks.values())} pictures in all, "
                f"{sum(t.pictures for t in tasks.values() if t.id.startswith('search/'))} of them to search.",
            ],
            tables=[
                Table(
                    "Balance",
                    [self._means(results, rows, by_row, method) for method in methods] if rows else [],
                    "F: share of the test pictures that show `new`, mean over rows. Delta: |target - F| / target. "
                    "Standard deviation and 95 % bootstrap interval over seeds.",
                    True,
                ),
                Table("Rows", by_row, "F on the test prompts; lambda and share on the validation prompt.", True),
            ],
            records=records,
            plots=[self._plot(histories, rows)] if rows else [],
            sheets=[_sheet(rows, methods, self.test_seeds[0])],
            problems=problems,
        )

    def _row(self, results: Results, row: BiasRow, history: list[Probe], methods: Sequence[str]) -> dict:
        best = self.search.best(history)
        found = {
            "line": row.line,
            "edit": f"{row.old} → {row.new}",
            "lambda": best.lamb,
            "validation": best.share,
            "pictures searched": len(history) * len(self.search_seeds),
        }
        for method in methods:
            found[f"F, {method}"] = float(self._by_seed(results, row, method).mean())
        return found | {
            f"Delta, {method}": abs(self.search.target - found[f"F, {method}"]) / self.search.target for method in methods
        }

    def _means(self, results: Results, rows: Sequence[BiasRow], by_row: list[dict], method: str) -> dict:
        shares = np.stack([self._by_seed(results, row, method) for row in rows])
        target = self.search.target
        within = [abs(row[f"F, {method}"] - target) <= 0.05 for row in by_row]
        by_name = {row.old: seeds for row, seeds in zip(rows, shares, strict=True)}
        return {
            "method": method,
            "F": over_seeds(by_name, lambda m: np.mean(list(m.values()), axis=0)),
            "Delta": over_seeds(by_name, lambda m: np.mean([abs(target - f) / target for f in m.values()], axis=0)),
            "rows within 5 points of the target": float(np.mean(within)),
        }

    def _by_seed(self, results: Results, row: BiasRow, method: str) -> np.ndarray:
        """(test seeds,): the share of the test prompts whose picture shows `new`."""
        shown = []
        for i in range(1, len(row.tests) + 1):
            starts = self.test_seeds[:: self.pictures_per_task]
            scores = np.concatenate([results[f"{method}/line {row.line}/test {i}/{start}"]["scores"] for start in starts])
            shown.append(scores[:, 0] > scores[:, 1])
        return np.mean(shown, axis=0)

    def _plot(self, histories: dict[int, list[Probe]], rows: Sequence[BiasRow]) -> Plot:
        curves = {}
        for row in rows[:8]:
            probes = sorted(histories[row.line], key=lambda probe: probe.lamb)
            curves[f"{row.old} → {row.new}"] = ([p.lamb for p in probes], [p.share for p in probes])
        return Plot("The searches of the first rows", "lambda", "share that shows `new`", curves, log_x=True)


def row_weights(lambdas: Sequence[float]) -> tuple[float, list[float]]:
    """The lambda of a joint edit and a weight a row. A row of weight w under lambda is by itself the edit with lambda / w."""
    lamb = float(np.exp(np.mean(np.log(lambdas))))
    return lamb, [lamb / one for one in lambdas]


def _share(results: Results, tasks: Sequence[Task]) -> float:
    scores = np.concatenate([results[task.id]["scores"] for task in tasks])
    return float((scores[:, 0] > scores[:, 1]).mean())


def _records(task: Task, result: dict) -> list[dict]:
    payload = task.payload
    lamb = payload["edits"][0]["lamb"] if payload["edits"] else None
    return [
        {
            "task": task.id,
            "prompt": payload["prompt"],
            "seed": seed,
            "lambda": lamb,
            "new": payload["wordings"][0],
            "opposite": payload["wordings"][1],
            "score": new,
            "score of the opposite": opposite,
            "shows new": int(new > opposite),
            "pixels": pixels,
        }
        for seed, pixels, (new, opposite) in zip(payload["seeds"], result["pixels"], result["scores"], strict=True)
    ]


def _sheet(rows: Sequence[BiasRow], methods: Sequence[str], seed: int) -> Sheet:
    cells = []
    for row in rows:
        tests = range(1, len(row.tests) + 1)
        for method in methods:
            cells.append((f"{row.old}, {method}", [(f"{method}/line {row.line}/test {i}/{seed}", "first") for i in tests]))
    return Sheet(f"Test prompts, seed {seed}", [f"test {i}" for i in range(1, len(rows[0].tests) + 1)] if rows else [], cells)
