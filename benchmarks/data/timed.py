"""The file formats of the TIMED data sets (TIME paper; github.com/bahjat-kawar/time-diffusion).

    TIMED:   old,new,positive1,gt1,...,negative1,gn1,...        a destination wording behind each prompt
    gender:  old,new,validation,ex1,...                         ours besides: `opposite`, what `new` is judged against,
                                                                and validation2, ... for more validation prompts

A bad row is reported by its line number in the file and left out.
"""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Question:
    """A prompt, and how its pictures are judged: `wording` should fit better than `rather_than`."""

    kind: str
    prompt: str
    wording: str
    rather_than: str


@dataclass(frozen=True)
class TimedRow:
    """An assumption to edit. `line` in the file; positives as (prompt, destination wording), negatives likewise."""

    line: int
    old: str
    new: str
    positives: tuple[tuple[str, str], ...]
    negatives: tuple[tuple[str, str], ...]

    def edit(self, **inputs: object) -> dict:
        """`inputs` of TIME Edit Model with the two prompts of this row."""
        return inputs | {"source": node_lines([self.old]), "destination": node_lines([self.new])}

    def questions(self, oracle: bool = False) -> list[Question]:
        """The protocol's prompts. The oracle is given the destination wording where an edit should bring it about."""
        asked = [("efficacy", 0, self.old, self.new)]
        asked += [("generality", i, prompt, wording) for i, (prompt, wording) in enumerate(self.positives, 1)]
        found = [
            Question(f"{kind} {i}".removesuffix(" 0"), wording if oracle else prompt, wording, prompt)
            for kind, i, prompt, wording in asked
        ]
        kept = enumerate(self.negatives, 1)
        return found + [Question(f"specificity {i}", prompt, prompt, wrong) for i, (prompt, wrong) in kept]


@dataclass(frozen=True)
class BiasRow:
    """An assumption to balance. Pictures are judged between the wordings `new` and `opposite`."""

    line: int
    old: str
    new: str
    opposite: str
    validations: tuple[str, ...]
    tests: tuple[str, ...]


def node_lines(prompts: Iterable[str]) -> str:
    """Prompts as a node's text field: brackets and bars in them are escaped."""
    return "\n".join(re.sub(r"([\[\]|])", r"\\\1", prompt) for prompt in prompts)


def read_timed(path: Path) -> tuple[list[TimedRow], list[str]]:
    """The rows, and what is wrong with those left out, each with its line number.

    Raises ValueError if the columns are not TIMED's.
    """
    rows, problems = [], []
    for line, cells in _cells(path, ("old", "new", "positive1", "gt1", "negative1", "gn1")):
        try:
            _check_edit(cells)
            rows.append(
                TimedRow(line, cells["old"], cells["new"], _twos(cells, "positive", "gt"), _twos(cells, "negative", "gn"))
            )
        except ValueError as error:
            problems.append(f"{path.name}, line {line}: {error}")
    return rows, problems


def read_bias(path: Path) -> tuple[list[BiasRow], list[str]]:
    """As `read_timed`, of the gender file's columns."""
    rows, problems = [], []
    for line, cells in _cells(path, ("old", "new", "validation", "ex1")):
        try:
            _check_edit(cells)
            opposite = cells.get("opposite") or other_gender(cells["new"])
            tests = tuple(cells[name] for name in cells if re.fullmatch(r"ex\d+", name))
            validations = tuple(cells[name] for name in cells if re.fullmatch(r"validation\d*", name))
            if "" in validations + tests:
                raise ValueError("a prompt is empty.")
            rows.append(BiasRow(line, cells["old"], cells["new"], opposite, validations, tests))
        except ValueError as error:
            problems.append(f"{path.name}, line {line}: {error}")
    return rows, problems


OPPOSITES = {"male": "female", "female": "male", "man": "woman", "woman": "man"}


def other_gender(wording: str) -> str:
    """The wording "a male nurse" for "a female nurse" and the reverse."""
    words = wording.split()
    found = [word for word in words if word in OPPOSITES]
    if len(found) != 1:
        raise ValueError(
            f"{wording!r} names no gender to be judged against another; add a column 'opposite' with the other wording."
        )
    return " ".join(OPPOSITES.get(word, word) for word in words)


def _cells(path: Path, needed: tuple[str, ...]) -> list[tuple[int, dict[str, str | None]]]:
    """(line number, cells by column) of every row; a cell that is missing is ""."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, restval="")
        missing = [name for name in needed if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(
                f"{path}: the column {missing[0]!r} is missing; its columns are {', '.join(reader.fieldnames or ())}."
            )
        rows = []
        for row in reader:
            too_many = row.pop(None, None)
            cells = {name: (cell or "").strip() for name, cell in row.items()}
            rows.append((reader.line_num, cells | ({"too many": " ".join(too_many)} if too_many else {})))
        return rows


def _check_edit(cells: dict) -> None:
    if "too many" in cells:
        raise ValueError(f"more cells than columns: {cells['too many']!r}; a prompt with a comma needs quotes.")
    if not cells["old"] or not cells["new"]:
        raise ValueError("old or new is empty.")


def _twos(cells: dict, prompts: str, wordings: str) -> tuple[tuple[str, str], ...]:
    numbers = sorted(int(name[len(prompts) :]) for name in cells if re.fullmatch(rf"{prompts}\d+", name))
    found = tuple((cells[f"{prompts}{i}"], cells.get(f"{wordings}{i}", "")) for i in numbers)
    for i, (prompt, wording) in zip(numbers, found, strict=True):
        if not prompt or not wording:
            raise ValueError(f"{prompts}{i} or {wordings}{i} is empty.")
    return found
