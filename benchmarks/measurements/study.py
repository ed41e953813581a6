"""A study: a measurement on the toy world whose tables are means over drawn subjects, kept in the documentation.

Each part of a study gives numbers for its subjects, a task each: a number stands in a table, a row and a column, and what is
written there is the mean over the subjects that have it. `--only` measures some parts and takes the rest from what is written.
"""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from ..hosts.sampling import Sampling
from ..report.plot import panels
from ..report.report import Plot, Report, Table, Target
from ..run.machine import describe_machine
from ..run.measurement import NOT_DECISIVE, Measurement, Workplace
from ..run.values import Outcome, Results, Task

Row = Mapping[str, float | None]
Tables = dict[str, dict[str, dict[str, float | None]]]
"""Table, row, column: value."""
Numbers = dict[str, dict[str, Row]]
"""One subject's, likewise."""


@dataclass(frozen=True)
class Part:
    """`measure(worker, subject)` gives the numbers of the subject of this index. `alone`: nothing else runs meanwhile."""

    measure: Callable[..., Numbers]
    count: int = 1
    note: str = ""
    alone: bool = False


@dataclass(frozen=True)
class Study(Measurement):
    """Attributes:
    only: the parts that are measured; all if empty.
    quick: a part of the subjects and seeds, to see that it runs; the numbers decide nothing.
    docs: the folder of NAME.md, NAME.json and NAME.png; None writes none.
    """

    only: tuple[str, ...] = field(default=(), metadata=NOT_DECISIVE)
    quick: bool = False
    docs: Path | None = field(default=None, metadata=NOT_DECISIVE)
    sampling: ClassVar[Sampling] = Sampling(128, 128, steps=10, cfg=3.0)
    combine: ClassVar[Mapping[str, Callable]] = {}
    """By column, what joins the subjects' numbers if not their mean."""
    percent: ClassVar[bool] = False  # are the numbers shares?
    figure: ClassVar[str] = ""  # the file of the plots, if not NAME.png
    notes: ClassVar[Mapping[str, str]] = {}
    """By table, of those that follow from others."""

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        parser.add_argument("--only", default="", metavar="'PART; PART'", help=f"of {'; '.join(cls().parts())}")
        parser.add_argument("--quick", action="store_true", help="a few subjects and seeds, to see that it runs")
        parser.add_argument("--docs", type=Path, help="folder of the tables for the documentation")

    @classmethod
    def from_arguments(cls, args: Namespace) -> Self:
        study = cls(tuple(filter(None, map(str.strip, args.only.split(";")))), args.quick, args.docs)
        unknown = set(study.only) - set(study.parts())
        if unknown:
            raise ValueError(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(study.parts())}.")
        return study

    def parts(self) -> dict[str, Part]:
        raise NotImplementedError

    def chosen(self) -> dict[str, Part]:
        return {name: part for name, part in self.parts().items() if not self.only or name in self.only}

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
        given = {name: value for name, value in task.payload.items() if name not in ("part", "subject")}
        numbers = self.parts()[task.payload["part"]].measure(worker, task.payload["subject"], **given)
        cells = [
            [table, row, column, value]
            for table, rows in numbers.items()
            for row, columns in rows.items()
            for column, value in columns.items()
        ]
        return Outcome({"cells": cells})

    def tables_of(self, parts: Iterable[str], results: Results) -> Tables:
        """What has been measured of these parts, joined over their subjects."""
        values: dict[tuple, list] = {}
        for name in parts:
            for i in range(self.parts()[name].count):
                for *place, value in results.get(f"{name}/{i:03}", {}).get("cells", ()):
                    values.setdefault(tuple(place), []).append(value)
        tables: Tables = {}
        for (table, row, column), found in values.items():
            join = self.combine.get(column, np.nanmean)
            joined = None if all(value is None for value in found) else float(join(np.array(found, float)))
            tables.setdefault(table, {}).setdefault(row, {})[column] = joined
        return tables

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
        written = self._written()
        for name in self.chosen():
            written[name] = {"run": self._run(name), "note": self.parts()[name].note, "tables": self.tables_of([name], results)}
        kept = {name: written[name] for name in self.parts() if name in written}
        tables = self.finished(_joined(part["tables"] for part in kept.values()))
        notes = {title: f"{part['note']} {part['run']}".strip() for part in kept.values() for title in part["tables"]}
        notes = notes | self.notes
        complete = set(kept) == set(self.parts()) and not errors
        report = Report(
            title=self.name.replace("-", " "),
            summary=[line for line in self.__doc__.splitlines() if line][:1],
            tables=[Table(title, _rows(rows), notes.get(title, ""), self.percent) for title, rows in tables.items()],
            records=[record for name in self.chosen() for record in self._records(name, results)],
            plots=self.plots(tables),
            problems=errors,
            targets=self.targets(tables) if complete else [],
        )
        if self.docs is not None:
            self._write(report, kept)
        return report

    def _run(self, part: str) -> str:
        return f"{describe_machine()}, {self.parts()[part].count} subjects" + (", QUICK" if self.quick else "") + "."

    def _records(self, part: str, results: Results) -> list[dict]:
        """A row for each subject and row of a table."""
        found: dict[tuple, dict] = {}
        for i in range(self.parts()[part].count):
            for table, row, column, value in results.get(f"{part}/{i:03}", {}).get("cells", ()):
                found.setdefault((part, i, table, row), {})[column] = value
        return [dict(zip(("part", "subject", "table", "row"), key, strict=True)) | cells for key, cells in found.items()]

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
        targets = [
            {"name": t.name, "value": t.value, "bound": t.bound, "at_most": t.at_most, "met": t.met} for t in report.targets
        ]
        self._file("json").write_text(json.dumps({"parts": parts, "targets": targets}, indent=2) + "\n")
        if report.plots:
            panels(self.docs / self.figure if self.figure else self._file("png"), report.plots)


def _joined(parts: Iterable[Tables]) -> Tables:
    """Parts may share tables and rows."""
    joined: Tables = {}
    for tables in parts:
        for title, rows in tables.items():
            for row, columns in rows.items():
                joined.setdefault(title, {}).setdefault(row, {}).update(columns)
    return joined


def _rows(rows: Mapping[str, Row]) -> list[dict]:
    return [{"": name} | dict(row) for name, row in rows.items()]
