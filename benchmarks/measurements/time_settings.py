"""TIME settings: what each setting of a TIME edit buys, on the toy world.

Every row is the published edit with one thing changed, judged from pixels; several edits on one model are solved together or
made one after another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from toyworld.world import ASSUMED_COLOUR, COLOURS, OBJECTS

from ..data.timed import TimedRow, node_lines
from ..data.toy_prompts import noun_phrase
from ..report.report import Plot
from ..run.measurement import Workplace
from .study import Numbers, Part, Study, Tables
from .toy_shares import share, shares, toy_rows, with_geometric_means

UNRELATED = 2


@dataclass(frozen=True)
class Choice:
    """A row of a table: the published settings with `changes`; `preserve_others` keeps that many other objects."""

    name: str
    changes: dict = field(default_factory=dict)
    preserve_others: int = 0


CHOICES = {
    "lambda": [Choice(f"{lamb:g}", {"lamb": lamb}) for lamb in (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)],
    "strength": [Choice(f"{strength:g}", {"strength": strength}) for strength in (0.25, 0.5, 0.75, 1.0, 1.25)],
    "preserve": [
        Choice("nothing (published)"),
        Choice("the empty prompt", {"preserve_empty": True}),
        Choice("3 other objects", {}, 3),
        Choice("3 other objects and the empty prompt", {"preserve_empty": True}, 3),
    ],
    "tokens": [
        Choice("all (published)"),
        Choice("without padding", {"tokens": "without padding"}),
        Choice("last word", {"tokens": "last word"}),
        Choice("whole prompt: end and padding", {"alignment": "whole prompt"}),
    ],
    "weights": [
        Choice("keys and values (published)"),
        Choice("keys", {"edit_values": False}),
        Choice("values", {"edit_keys": False}),
        Choice("down blocks", {"layers": "down"}),
        Choice("middle and up blocks", {"layers": "middle, up"}),
    ],
    "augmentations": [Choice("three beginnings (published)"), Choice("none", {"augmentations": ""})],
}
COUNTS = (1, 2, 3, 4, 6, 9, 12)
WAYS = {
    "several edits, joint": {},
    "several edits, sequential": {},
    "several edits, joint, lambda 1": {"lamb": 1.0},
}


def others_than(noun: str) -> list[str]:
    return [other for other in OBJECTS if other != noun]


ROWS = toy_rows(3, 2, lambda noun: others_than(noun)[:UNRELATED])


class TimeSettings(Study):
    """What each setting of a TIME edit buys: the published edit with one thing changed, judged from pixels."""

    name = "time-settings"
    percent = True

    def parts(self) -> dict[str, Part]:
        note = f"{len(self.rows)} pairs, {len(self.seeds)} seeds, euler, 10 steps, CFG 3."
        found = {name: Part(self.measure_choices, len(self.rows), note) for name in CHOICES}
        return found | {way: Part(self.measure_together, len(COUNTS), note) for way in WAYS}

    @property
    def seeds(self) -> list[int]:
        return list(range(1, 1 + self.few(8, 2)))

    @property
    def rows(self) -> list[TimedRow]:
        return ROWS[:: self.few(2, 6)]

    def payload(self, part: str, results) -> dict:
        return {"table": part}

    def measure_choices(self, worker: Workplace, subject: int, table: str) -> Numbers:
        """One pair, edited by itself in every way."""
        row = self.rows[subject]
        kept = others_than(row.old.removeprefix("a "))[UNRELATED:]
        found = {}
        for choice in CHOICES[table]:
            preserve = "\n".join(f"a {noun}" for noun in kept[: choice.preserve_others])
            found[choice.name] = shares(worker, row, self.seeds, [row.edit(**choice.changes, preserve=preserve)])
        return {table: found}

    def measure_together(self, worker: Workplace, subject: int, table: str) -> Numbers:
        """The first pairs, all on one model: solved in one system, or one node after another."""
        chosen = ROWS[: COUNTS[subject]]
        edits = [row.edit(**WAYS[table]) for row in chosen]
        if "joint" in table:
            sides = {"source": node_lines(row.old for row in chosen), "destination": node_lines(row.new for row in chosen)}
            edits = [WAYS[table] | sides]
        edited = {row.old for row in chosen}
        others = [f"a {noun}" for noun in OBJECTS if f"a {noun}" not in edited][:4]
        asked = {
            "efficacy": [(row.old, row.new) for row in chosen],
            "specificity, other objects": [(other, other) for other in others],
            "named colours kept": [third_colour(row) for row in chosen[:4]],
        }
        found = {column: self._share(worker, pairs, edits) for column, pairs in asked.items()}
        return {table: {f"{len(chosen)} pairs": found}}

    def _share(self, worker: Workplace, asked: Sequence[tuple[str, str]], edits: list[dict]) -> float | None:
        if not asked:
            return None
        return float(np.mean([share(worker, prompt, wording, self.seeds, edits) for prompt, wording in asked]))

    def finished(self, tables: Tables) -> Tables:
        return with_geometric_means(tables)

    def plots(self, tables: Tables) -> list[Plot]:
        found = []
        for title, rows in tables.items():
            columns = [column for column in next(iter(rows.values())) if column != "geometric mean"]
            curves = {
                c: (range(len(rows)), [row[c] if row[c] is None else 100 * row[c] for row in rows.values()]) for c in columns
            }
            ticks = [name.replace(" (", "\n(").replace(" and ", "\nand ") for name in rows]
            found.append(Plot(title, "", "%", curves, ticks=ticks))
        return found


def third_colour(row: TimedRow) -> tuple[str, str]:
    """Prompt and wording that name another colour than the edit's: it must not overrule what is asked for."""
    noun = row.old.removeprefix("a ")
    colour = next(c for c in COLOURS if c != ASSUMED_COLOUR[noun] and noun_phrase("a {}", noun, c) != row.new)
    prompt = noun_phrase("a {}", noun, colour)
    return prompt, prompt
