"""CSV files. Of those that people write a bad row is named by its line, and the others are read."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import PurePath
from typing import TypeVar

T = TypeVar("T")
ReadLine = Callable[[int, dict[str, str]], T]
"""From a line's number and its cells by column; raises ValueError, too."""
Rows = Iterator[tuple[str, Callable[[], T]]]
"""Where each stands, in words, and what reads it; that raises ValueError with what is wrong."""


def read_all(place: object, rows: Rows[T], nothing: str) -> tuple[list[T], list[str]]:
    """What could be read, and what is wrong with the others. Raises ValueError, in the words of `nothing`, if none could."""
    found, problems = [], []
    for where, read in rows:
        try:
            found.append(read())
        except ValueError as error:
            problems.append(f"{PurePath(str(place)).name}, {where}: {error}")
    if not found:
        raise ValueError("\n".join([f"{place}: {nothing}", *problems]))
    return found, problems


def rows_of_csv(text: str, name: object, needed: Sequence[str], read: ReadLine[T]) -> Rows[T]:
    """What `read` makes of each line; a cell that is missing is "".

    Raises ValueError if one of the columns that are `needed` is.
    """
    reader = csv.DictReader(io.StringIO(text, newline=""), restval="")
    missing = [column for column in needed if column not in (reader.fieldnames or ())]
    if missing:
        found = ", ".join(reader.fieldnames or ())
        raise ValueError(f"{name}: the column {missing[0]!r} is missing; its columns are {found}.")
    for row in reader:
        yield f"line {reader.line_num}", partial(_read, read, reader.line_num, row)


def _read(read: ReadLine[T], line: int, row: dict) -> T:
    if None in row:
        raise ValueError(f"more cells than columns: {' '.join(row[None])!r}; a prompt with a comma needs quotes.")
    return read(line, {name: (cell or "").strip() for name, cell in row.items()})


def csv_of(rows: Sequence[Mapping]) -> bytes:
    """With a column for all that any row has."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
