"""TIME settings: what each setting of a TIME edit buys, on the toy world.

Every row is the published edit with one thing changed, judged from pixels; several edits on one model are solved together or
made one after another.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
from toyworld.timed_rows import third_colour, toy_rows
from toyworld.world import OBJECTS

from ..data.timed import KINDS, TimedRow, joint_edit
from ..report.report import Plot
from ..run.measurement import Workplace
from .study import Numbers, Part, Row, Study, Tables, curves

UNRELATED = 2
CHOICES = {
    "lambda": {f"{lamb:g}": {"lamb": lamb} for lamb in (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)},
    "strength": {f"{strength:g}": {"strength": strength} for strength in (0.25, 0.5, 0.75, 1.0, 1.25)},
    "preserve": {
        "nothing (published)": {},
        "the empty prompt": {"preserve_empty": True},
        "3 other objects": {"preserve": 3},
        "3 other objects and the empty prompt": {"preserve_empty": True, "preserve": 3},
    },
    "tokens": {
        "all (published)": {},
        "without padding": {"tokens": "without padding"},
        "last word": {"tokens": "last word"},
        "whole prompt: end and padding": {"alignment": "whole prompt"},
    },
    "weights": {
        "keys and values (published)": {},
        "keys": {"edit_values": False},
        "values": {"edit_keys": False},
        "down blocks": {"layers": "down"},
        "middle and up blocks": {"layers": "middle, up"},
    },
    "augmentations": {"three beginnings (published)": {}, "none": {"augmentations": ""}},
}
"""By table and row, changed inputs of TIME Edit Model; of `preserve` the number of other objects."""
COUNTS = (1, 2, 3, 4, 6, 9, 12)
WAYS = {"several edits, joint": {}, "several edits, sequential": {}, "several edits, joint, lambda 1": {"lamb": 1.0}}


def share(worker: Workplace, prompt: str, wording: str, seeds: Sequence[int], edits: Sequence[dict]) -> float:
    """Of the seeds, those whose picture has the colour that `wording` names or implies."""
    return float(np.mean(worker.judge.scores(worker.host.pictures(prompt, seeds, edits), [wording])))


def shares(worker: Workplace, row: TimedRow, seeds: Sequence[int], edits: Sequence[dict], oracle: bool = False) -> Row:
    """By measure of TIMED, the mean over its prompts."""
    found = [(q.kind.split()[0], share(worker, q.prompt, q.wording, seeds, edits)) for q in row.questions(oracle)]
    return {kind: float(np.mean([value for of, value in found if of == kind])) for kind in KINDS}


def with_geometric_means(tables: Tables) -> Tables:
    """Each row that has all measures with one number for them."""
    for row in (row for rows in tables.values() for row in rows.values()):
        if row.keys() >= set(KINDS):
            row["geometric mean"] = float(np.cbrt(row["efficacy"] * row["generality"] * row["specificity"]))
    return tables


def others_than(noun: str) -> list[str]:
    return [other for other in OBJECTS if other != noun]


ROWS = toy_rows(3, 2, lambda noun: others_than(noun)[:UNRELATED])


class TimeSettings(Study):
    """What each setting of a TIME edit buys: the published edit with one thing changed, judged from pixels."""

    name = "time-settings"
    percent = True

    def parts(self) -> dict[str, Part]:
        note = f"{len(self.rows)} pairs, {len(self.seeds)} seeds, euler, 10 steps, CFG 3."
        found = {name: Part(partial(self.measure_choices, name), len(self.rows), note) for name in CHOICES}
        return found | {way: Part(partial(self.measure_together, way), len(COUNTS), note) for way in WAYS}

    @property
    def seeds(self) -> range:
        return range(1, 1 + self.few(8, 2))

    @property
    def rows(self) -> list[TimedRow]:
        return ROWS[:: self.few(2, 6)]

    def measure_choices(self, table: str, worker: Workplace, subject: int) -> Numbers:
        """One pair, edited by itself in every way."""
        row, found = self.rows[subject], {}
        kept = [f"a {noun}" for noun in others_than(row.old.removeprefix("a "))[UNRELATED:]]
        for name, changes in CHOICES[table].items():
            preserve = "\n".join(kept[: changes.get("preserve", 0)])
            found[name] = shares(worker, row, self.seeds, [row.edit(**changes | {"preserve": preserve})])
        return {table: found}

    def measure_together(self, table: str, worker: Workplace, subject: int) -> Numbers:
        """The first pairs, all on one model: solved in one system, or one node after another."""
        chosen, inputs = ROWS[: COUNTS[subject]], WAYS[table]
        edits = [joint_edit(chosen, **inputs)] if "joint" in table else [row.edit(**inputs) for row in chosen]
        edited = {row.old for row in chosen}
        others = [f"a {noun}" for noun in OBJECTS if f"a {noun}" not in edited][:4]
        asked = {
            "efficacy": [(row.old, row.new) for row in chosen],
            "specificity, other objects": [(other, other) for other in others],
            "named colours kept": [(third_colour(row),) * 2 for row in chosen[:4]],
        }
        seen = {column: [share(worker, *pair, self.seeds, edits) for pair in pairs] for column, pairs in asked.items()}
        return {table: {f"{len(chosen)} pairs": {c: float(np.mean(found)) if found else None for c, found in seen.items()}}}

    def finished(self, tables: Tables) -> Tables:
        return with_geometric_means(tables)

    def plots(self, tables: Tables) -> list[Plot]:
        found = []
        for title, rows in tables.items():
            percent = {name: {c: v if v is None else 100 * v for c, v in row.items()} for name, row in rows.items()}
            columns = [column for column in next(iter(rows.values())) if column != "geometric mean"]
            ticks = [name.replace(" (", "\n(").replace(" and ", "\nand ") for name in rows]
            found.append(Plot(title, "", "%", curves(percent, columns, range(len(rows))), ticks=ticks))
        return found
