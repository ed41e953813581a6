"""What is written at the end of a run: tables, plots, contact sheets and targets, and a cell in words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from .bootstrap import Estimate

SHEET_ROWS = 12  # of a contact sheet, where there may be many


def grouped(records: Iterable[Mapping], *keys: str) -> dict[tuple, list[Mapping]]:
    """Records by what they have in the columns `keys`, in the order in which this is met."""
    return gathered((tuple(record[key] for key in keys), record) for record in records)


def gathered(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, list]:
    """By the first of a pair all that are paired with it, in the order in which they are met."""
    found: dict[Any, list] = {}
    for key, one in pairs:
        found.setdefault(key, []).append(one)
    return found


def show(value, percent: bool = False) -> str:
    """A cell in words: numbers short, shares in percent, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, Estimate):
        numbers = [_number(x, percent) for x in astuple(value) if x is not None]
        mean, *spread = numbers
        around = " ± {} [{}, {}]".format(*spread) if spread else ""
        return mean + around + (" %" if percent else "")
    if isinstance(value, float):
        return _number(value, percent) + " %" if percent else _number(value)
    return str(value)


def _number(value: float, percent: bool = False) -> str:
    return f"{100 * value:.2f}" if percent else f"{value:.4g}"


@dataclass(frozen=True)
class Table:
    """`rows` of a `title`; every row is a dict of cells by column.

    With `percent` fractional numbers are shares and shown in percent, but for the columns in `plain`.
    """

    title: str
    rows: Sequence[Mapping[str, object]]
    note: str = ""
    percent: bool = False
    plain: Sequence[str] = ()

    @property
    def columns(self) -> list[str]:
        """All that any row has."""
        return list(dict.fromkeys(key for row in self.rows for key in row))

    def cell(self, row: Mapping[str, object], column: str) -> str:
        """A cell in words, for a reader."""
        return show(row.get(column), self.percent and column not in self.plain)

    def markdown(self) -> str:
        lines = ["| " + " | ".join(self.columns) + " |", "|---" * len(self.columns) + "|"]
        lines += ["| " + " | ".join(self.cell(row, column) for column in self.columns) + " |" for row in self.rows]
        return "\n".join(line.replace("  ", " ") for line in lines)


@dataclass(frozen=True)
class Plot:
    """Curves by name, (x values, y values) each."""

    title: str
    x_label: str
    y_label: str
    curves: Mapping[str, tuple[Sequence[float], Sequence[float | None]]]
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True)
class Sheet:
    """Stored pictures in rows; a cell is the picture's (task id, name) or None, `columns` are the headings."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[tuple[str, str] | None]]]


@dataclass(frozen=True)
class Target:
    """One line: `name: value (target ...) ok` or `... SHORT`."""

    name: str
    value: float
    bound: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        return self.value <= self.bound if self.at_most else self.value >= self.bound

    def __str__(self) -> str:
        sign = "<=" if self.at_most else ">="
        return f"{self.name}: {self.value:.4g} (target {sign} {self.bound:g}) {'ok' if self.met else 'SHORT'}"


@dataclass(frozen=True)
class Report:
    """`records` one a picture, `tables` of them, and what a reader wants to see."""

    title: str
    summary: Sequence[str]
    tables: Sequence[Table]
    records: Sequence[Mapping[str, object]] = ()
    plots: Sequence[Plot] = ()
    sheets: Sequence[Sheet] = ()
    problems: Sequence[str] = ()
    targets: Sequence[Target] = ()
