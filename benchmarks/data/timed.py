"""The file formats of the TIMED data sets (TIME paper; github.com/bahjat-kawar/time-diffusion).

    TIMED:   old,new,positive1,gt1,...,negative1,gn1,...        a destination wording behind each prompt
    gender:  old,new,validation,ex1,...                         ours besides: `opposite`, what `new` is judged against,
                                                                and validation2, ... for more validation prompts

A bad row is reported by its line number in the file and left out.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from .tables import ReadLine, T, read_all, rows_of_csv

KINDS = ("efficacy", "generality", "specificity")
OPPOSITES = {"male": "female", "female": "male", "man": "woman", "woman": "man"}


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
        return joint_edit([self], **inputs)

    def questions(self, oracle: bool = False) -> list[Question]:
        """The protocol's prompts, their kinds numbered. The oracle is given the destination wording where an edit should
        bring it about."""
        asked = [("efficacy", self.old, self.new)]
        asked += [(f"generality {i}", prompt, wording) for i, (prompt, wording) in enumerate(self.positives, 1)]
        kept = enumerate(self.negatives, 1)
        found = [Question(kind, wording if oracle else prompt, wording, prompt) for kind, prompt, wording in asked]
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

    def turned(self) -> "BiasRow":
        """The same assumption, edited to the other side."""
        return replace(self, new=self.opposite, opposite=self.new)


def joint_edit(rows: Iterable[TimedRow | BiasRow], **inputs: object) -> dict:
    """`inputs` of TIME Edit Model with the prompts of all rows, to be solved in one system."""
    rows = list(rows)
    return inputs | {"source": _node_lines(row.old for row in rows), "destination": _node_lines(row.new for row in rows)}


def _node_lines(prompts: Iterable[str]) -> str:
    """Prompts as a node's text field: brackets and bars in them are escaped."""
    return "\n".join(re.sub(r"([\[\]|])", r"\\\1", prompt) for prompt in prompts)


def read_timed(path: Path, first: int | None = None) -> tuple[list[TimedRow], list[str]]:
    """The `first` rows, and what is wrong with those left out, each with its line number.

    Raises ValueError if the columns are not TIMED's, or if no row can be measured.
    """
    return _read(path, ("old", "new", "positive1", "gt1", "negative1", "gn1"), _timed_row, first)


def read_bias(path: Path, first: int | None = None) -> tuple[list[BiasRow], list[str]]:
    """As `read_timed`, of the gender file's columns."""
    return _read(path, ("old", "new", "validation", "ex1"), _bias_row, first)


def other_gender(wording: str) -> str:
    """The wording "a male nurse" for "a female nurse" and the reverse."""
    words = wording.split()
    found = [word for word in words if word in OPPOSITES]
    if len(found) != 1:
        raise ValueError(
            f"{wording!r} names no gender to be judged against another; add a column 'opposite' with the other wording."
        )
    return " ".join(OPPOSITES.get(word, word) for word in words)


def _read(path: Path, needed: tuple[str, ...], row_of: ReadLine[T], first: int | None) -> tuple[list[T], list[str]]:
    def read(line: int, cells: dict[str, str]) -> T:
        if not cells["old"] or not cells["new"]:
            raise ValueError("old or new is empty.")
        return row_of(line, cells)

    text = path.read_bytes().decode("utf-8-sig")
    rows, problems = read_all(path, rows_of_csv(text, path, needed, read), "no row can be measured.")
    return rows[:first], problems


def _timed_row(line: int, cells: dict[str, str]) -> TimedRow:
    return TimedRow(line, cells["old"], cells["new"], _twos(cells, "positive", "gt"), _twos(cells, "negative", "gn"))


def _twos(cells: dict[str, str], prompts: str, wordings: str) -> tuple[tuple[str, str], ...]:
    numbers = sorted(int(name[len(prompts) :]) for name in cells if re.fullmatch(rf"{prompts}\d+", name))
    found = {i: (cells[f"{prompts}{i}"], cells.get(f"{wordings}{i}", "")) for i in numbers}
    if empty := [i for i, pair in found.items() if not all(pair)]:
        raise ValueError(f"{prompts}{empty[0]} or {wordings}{empty[0]} is empty.")
    return tuple(found.values())


def _bias_row(line: int, cells: dict[str, str]) -> BiasRow:
    opposite = cells.get("opposite") or other_gender(cells["new"])
    validations, tests = (tuple(cells[c] for c in cells if re.fullmatch(names, c)) for names in (r"validation\d*", r"ex\d+"))
    if "" in validations + tests:
        raise ValueError("a prompt is empty.")
    return BiasRow(line, cells["old"], cells["new"], opposite, validations, tests)
