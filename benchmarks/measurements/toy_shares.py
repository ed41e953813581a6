"""What the quality and the settings of TIME have in common on the toy world: edits, and shares of pictures by colour."""

from collections.abc import Sequence

import numpy as np
from toyworld.world import OBJECTS

from ..data.timed import TimedRow
from ..data.toy_prompts import other_colour, toy_row
from ..run.measurement import Workplace
from .study import Row, Tables
from .timed import KINDS


def toy_rows(places: int, positives: int, others) -> list[TimedRow]:
    """One edit an object; its colour is so many places after the assumed one. `others(noun)`: objects it must leave alone."""
    return [toy_row(noun, other_colour(noun, places), positives, others(noun)) for noun in OBJECTS]


def share(worker: Workplace, prompt: str, wording: str, seeds: Sequence[int], edits: Sequence[dict]) -> float:
    """Of the seeds, those whose picture has the colour that `wording` names or implies."""

    def judged() -> np.ndarray:
        return worker.judge.scores(worker.host.pictures(prompt, seeds, edits), [wording])

    return float(np.mean(judged() if edits else worker.cache((prompt, wording, tuple(seeds)), judged)))


def shares(worker: Workplace, row: TimedRow, seeds: Sequence[int], edits: Sequence[dict], oracle: bool = False) -> Row:
    """By measure of TIMED, the mean over its prompts."""
    by_kind: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for question in row.questions(oracle):
        by_kind[question.kind.split()[0]].append(share(worker, question.prompt, question.wording, seeds, edits))
    return {kind: float(np.mean(found)) for kind, found in by_kind.items()}


def with_geometric_means(tables: Tables) -> Tables:
    """Each row that has all measures with one number for them."""
    for row in (row for rows in tables.values() for row in rows.values()):
        if row.keys() >= set(KINDS):
            row["geometric mean"] = float(np.cbrt(row["efficacy"] * row["generality"] * row["specificity"]))
    return tables
