"""A study: a measurement on one of the worlds whose tables are means over drawn subjects, kept in the documentation.

Each part of a study gives numbers for its subjects, a task each: a number stands in a table, a row and a column, and what is
written there is the mean over the subjects that have it. `--only` measures some parts and takes the rest from what is written.
"""

import json
import timeit
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..hosts.library import TOY, Sampling
from ..report.bootstrap import estimate
from ..report.plot import panels
from ..report.report import Plot, Report, Table, Target, gathered
from ..run.conduct import describe_machine
from ..run.measurement import Measurement, Outcome, Results, Task, Workplace, option

Row = Mapping[str, float | None]
Tables = dict[str, dict[str, dict[str, float | None]]]
"""Table, row, column: value."""
Numbers = dict[str, dict[str, Row]]
"""One subject's, likewise."""
Cell = tuple[str, str, str, float | None]
"""Table, row, column and value."""
SEED = {"seed": 1}


@dataclass(frozen=True)
class Part:
    """`measure(worker, subject)` gives the numbers of the subject of this index. `alone`: nothing else runs meanwhile."""

    measure: Callable[..., Numbers]
    count: int = 1
    note: str = ""
    alone: bool = False


@dataclass(frozen=True, kw_only=True)
class Study(Measurement):
    """What it measures is said by `parts`, and what follows from the numbers by `finished`, `targets` and `plots`."""

    only: str = option("of the parts; all if none is named", "", decides=False, metavar="'PART; PART'")
    quick: bool = option("a few subjects and seeds, to see that it runs; the numbers decide nothing", False)
    docs: Path | None = option("folder of NAME.md, NAME.json and NAME.png", None, decides=False, type=Path)
    checkpoint: ClassVar[str] = TOY
    sampling: ClassVar[Sampling] = Sampling(128, steps=10, cfg=3.0)
    combine: ClassVar[Mapping[str, Callable]] = {}
    """By column, what joins the subjects' numbers if not their mean."""
    percent: ClassVar[bool] = False  # are the numbers shares?
    figure: ClassVar[str] = ""  # the file of the plots, if not NAME.png
    notes: ClassVar[Mapping[str, str]] = {}
    """By table, of those that follow from others."""

    def parts(self) -> dict[str, Part]:
        raise NotImplementedError

    def chosen(self) -> dict[str, Part]:
        """Raises ValueError for a name that no part has."""
        parts = self.parts()
        names = [name.strip() for name in self.only.split(";") if name.strip()] or list(parts)
        unknown = sorted(set(names) - set(parts))
        if unknown:
            raise ValueError(f"there is no part {', '.join(unknown)}; there are {', '.join(parts)}.")
        return {name: part for name, part in parts.items() if name in names}

    def few(self, count: int, quick: int) -> int:
        return quick if self.quick else count

    def next_tasks(self, results: Results) -> list[Task]:
        together, alone = [], []
        for name, part in self.chosen().items():
            payload = self.payload(name, results)
            if payload is not None:
                tasks = [Task(f"{name}/{i:03}", {"part": name, "subject": i} | payload, 1) for i in range(part.count)]
                (alone if part.alone else together).extend(tasks)
        done = next((i for i, task in enumerate(alone) if task.id not in results), len(alone))
        return alone[: done + 1] + (together if done == len(alone) else [])

    def payload(self, part: str, results: Results) -> dict | None:
        """What the tasks of a part need besides their subject; None while the results of others are missing."""
        return {}

    def work(self, worker: Workplace, task: Task) -> Outcome:
        given = dict(task.payload)
        numbers = self.parts()[given.pop("part")].measure(worker, **given)
        return Outcome({"cells": list(_cells(numbers))})

    def tables_of(self, part: str, results: Results) -> Tables:
        """What has been measured of this part, joined over its subjects."""
        values = gathered((tuple(place), value) for _, *place, value in self._measured(part, results))
        return as_tables((*place, self._joined(place[-1], found)) for place, found in values.items())

    def _joined(self, column: str, values: Sequence[float | None]) -> float | None:
        found = np.array(values, float)
        return None if np.isnan(found).all() else float(self.combine.get(column, np.nanmean)(found))

    def _how_sure(self, part: str, results: Results) -> str:
        """By column, how far a mean of this part would move with other subjects: half of its widest 95 % interval."""
        cells = gathered((tuple(place), value) for _, *place, value in self._measured(part, results) if value is not None)
        widest: dict[str, float] = {}
        for (_, _, column), found in cells.items():
            values = [value for value in found if not np.isnan(value)]
            if len(values) > 1 and column not in self.combine:
                interval = estimate(values)
                widest[column] = max(widest.get(column, 0.0), (interval.high - interval.low) / 2)
        said = ", ".join(f"{column} {half:.2g}" for column, half in widest.items() if half > 0)
        return f"95 % intervals over subjects reach at most this far to either side: {said}." if said else ""

    def _measured(self, part: str, results: Results) -> Iterator[tuple]:
        """Subject, table, row, column and value of each number of this part."""
        for i in range(self.parts()[part].count):
            for cell in results.get(f"{part}/{i:03}", {}).get("cells", ()):
                yield i, *cell

    def finished(self, tables: Tables) -> Tables:
        """With what follows from the numbers."""
        return tables

    def targets(self, tables: Tables) -> list[Target]:
        return []

    def plots(self, tables: Tables) -> list[Plot]:
        return []

    def report(self, results: Results) -> Report:
        """All parts; those that were not measured now are taken from the documentation."""
        errors = [f"{name}: {result['error']}" for name, result in results.items() if "error" in result]
        found = self._written()
        records: dict[tuple, dict] = {}  # one a subject and row of a table
        for name, part in self.chosen().items():
            for subject, table, row, column, value in self._measured(name, results):
                place = {"part": name, "subject": subject, "table": table, "row": row}
                records.setdefault(tuple(place.values()), place)[column] = value
            run = f"{describe_machine()}, {part.count} subjects{', QUICK' if self.quick else ''}."
            note = f"{part.note} {self._how_sure(name, results)}".strip()
            found[name] = {"run": run, "note": note, "tables": self.tables_of(name, results)}
        kept = {name: found[name] for name in self.parts() if name in found}
        # Parts may share tables and rows.
        tables = self.finished(as_tables(cell for part in kept.values() for cell in _cells(part["tables"])))
        notes = {table: f"{part['note']} {part['run']}".strip() for part in kept.values() for table in part["tables"]}
        notes |= self.notes
        complete = set(kept) == set(self.parts()) and not errors
        report = Report(
            title=self.name.replace("-", " "),
            summary=[line for line in self.__doc__.splitlines() if line][:1],
            tables=[
                Table(title, [{"": name} | row for name, row in rows.items()], notes.get(title, ""), self.percent)
                for title, rows in tables.items()
            ],
            records=list(records.values()),
            plots=self.plots(tables),
            problems=errors,
            targets=self.targets(tables) if complete else [],
        )
        if self.docs is not None:
            self._write(report, kept)
        return report

    def _file(self, ending: str) -> Path:
        return self.docs / f"{self.name.replace('-', '_')}.{ending}"

    def _written(self) -> dict[str, dict]:
        if not self.only or self.docs is None or not self._file("json").is_file():
            return {}
        return json.loads(self._file("json").read_text())["parts"]

    def _write(self, report: Report, parts: dict[str, dict]) -> None:
        self.docs.mkdir(parents=True, exist_ok=True)
        text = [f"### {table.title}\n\n{table.note}\n\n{table.markdown()}" for table in report.tables]
        self._file("md").write_text("\n\n".join([*text, "\n".join(map(str, report.targets))]).rstrip() + "\n")
        targets = [asdict(target) | {"met": target.met} for target in report.targets]
        self._file("json").write_text(json.dumps({"parts": parts, "targets": targets}, indent=2) + "\n")
        if report.plots:
            panels(self.docs / self.figure if self.figure else self._file("png"), report.plots)


def seconds(call: Callable[[], object]) -> float:
    """How long it takes."""
    return timeit.timeit(call, number=1)


def curves(rows: Mapping[str, Row], columns: Iterable[str], x: Iterable[float]) -> dict[str, tuple[list, list]]:
    """Of a plot: each of the columns against `x`, a point a row."""
    points = list(x)
    return {column: (points, [row[column] for row in rows.values()]) for column in columns}


def _cells(tables: Mapping[str, Mapping[str, Row]]) -> Iterator[Cell]:
    for table, rows in tables.items():
        for row, columns in rows.items():
            for column, value in columns.items():
                yield table, row, column, value


def as_tables(cells: Iterable[Cell]) -> Tables:
    """The reverse of `_cells`."""
    tables: Tables = {}
    for table, row, column, value in cells:
        tables.setdefault(table, {}).setdefault(row, {})[column] = value
    return tables
