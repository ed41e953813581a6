"""CSV files. Of those that people write a bad row is named by its line, and the others are read."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial


def rows_of_csv(text: str, name: object, needed: Sequence[str]) -> Iterator[tuple[int, Callable[[], dict[str, str]]]]:
    """Of each row its line number and what gives its cells by column; that raises ValueError for a row with too many.

    A cell that is missing is "". Raises ValueError if one of the columns that are `needed` is.
    """
    reader = csv.DictReader(io.StringIO(text, newline=""), restval="")
    missing = [column for column in needed if column not in (reader.fieldnames or ())]
    if missing:
        found = ", ".join(reader.fieldnames or ())
        raise ValueError(f"{name}: the column {missing[0]!r} is missing; its columns are {found}.")
    for row in reader:
        yield reader.line_num, partial(_cells, row)


def _cells(row: dict) -> dict[str, str]:
    if None in row:
        raise ValueError(f"more cells than columns: {' '.join(row[None])!r}; a prompt with a comma needs quotes.")
    return {name: (cell or "").strip() for name, cell in row.items()}


def csv_of(rows: Sequence[Mapping]) -> bytes:
    """With a column for all that any row has."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
