"""TIME settings: what each setting of a TIME edit buys, on pairs that no other table judges.

Every row is the published edit with one thing changed, and asked what TIMED asks, and what else of a picture moved.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from typing import ClassVar

import numpy as np
from naturalworld.captions import with_article

from tools.comfyui.environment import ROOT
from tools.presets import presets

from ..data.timed import KINDS, TimedRow, joint_edit, read_timed
from ..hosts.inputs import GATE, PRIOR
from ..hosts.library import NATURAL, TOY
from ..judges.perceptual import distances, lpips
from ..report.report import Plot
from ..run.measurement import Workplace, option
from .study import Numbers, Part, Row, Study, Tables, curves

DATA = ROOT / "benchmarks" / "data"
LAMBDAS = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
SPARING_LAMBDA = 10.0
OTHER_COLOURS = "other colours"
SEVERAL = 3  # of them; the small world's text has no room for an edit beside many prompts that are kept exactly
AWAKE = {GATE: "all source words"}
CHOICES = {
    "lambda": {f"{lamb:g}": {"lamb": lamb} for lamb in LAMBDAS},
    "strength": {f"{strength:g}": {"strength": strength} for strength in (0.5, 0.75, 1.0, 1.25)},
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
    "prior": {
        "none (published)": {},
        **{
            f"rho {rho:g}, lambda {lamb:g}": {PRIOR: True, "rho": rho, "lamb": lamb}
            for rho in (0.1, 1.0, 10.0)
            for lamb in (0.1, SPARING_LAMBDA)
        },
    },
    "preserve": {
        "nothing (published)": {},
        "the empty prompt": {"preserve_empty": True},
        "the empty prompt, exactly": {"preserve_empty": True, "preserve_mode": "exactly"},
        "other colours": {"preserve": OTHER_COLOURS},
        "other colours, exactly": {"preserve": OTHER_COLOURS, "preserve_mode": "exactly"},
        f"other colours, exactly, lambda {SPARING_LAMBDA:g}": {
            "preserve": OTHER_COLOURS,
            "preserve_mode": "exactly",
            "lamb": SPARING_LAMBDA,
        },
    },
    "gate": {"everywhere (published)": {}, "TIME Text Encode, all source words": AWAKE},
}
"""By table and row, changed inputs of TIME Edit Model (see `inputs.edited_model`)."""
COUNTS = (1, 4, 12, 48)
RECOMMENDED = presets()["recommended"] | {PRIOR: True}
WAYS = {
    "several edits, joint": {},
    "several edits, sequential": {},
    f"several edits, joint, lambda {SPARING_LAMBDA:g}": {"lamb": SPARING_LAMBDA},
    "several edits, joint, recommended": RECOMMENDED,
    "several edits, joint, gate, recommended": RECOMMENDED | AWAKE,
    "several edits, sequential, recommended": RECOMMENDED,
}
NAMED, KIND, SECOND, REFUSED = "named colours", "its kind", "second things", "refused"
TO_ORACLE, TO_UNEDITED = "LPIPS to the oracle", "LPIPS, unrelated"
NOTE = (
    "*Efficacy*, *generality*, *specificity* as TIMED has them. *Named colours*: of the unrelated prompts those of the thing "
    "itself in a third colour. *Its kind*: the thing that a prompt is about is still there; *second things*: so is what a "
    "related prompt names beside it. *LPIPS* of one seed: of related prompts to the oracle's pictures, of unrelated ones to "
    "the unedited. *Refused*: the share of pairs that the node refuses."
)


@dataclass(frozen=True, kw_only=True)
class TimeSettings(Study):
    """What each setting of a TIME edit buys, on the natural world: the published edit with one thing changed."""

    seeds: int = option("pictures of each prompt", 1)
    name = "time-settings"
    checkpoint: ClassVar[str] = NATURAL
    pairs: ClassVar[str] = "natural_timed_validation.csv"
    together: ClassVar[str] = "natural_timed_together.csv"
    most: ClassVar[int] = 30

    def parts(self) -> dict[str, Part]:
        note = f"{len(self.rows)} pairs of {self.pairs}, seeds 1 to {self.seeds}, {self.sampling.steps} steps, CFG 3. {NOTE}"
        return {
            "settings": Part(self.measure_choices, len(self.rows), note),
            **{way: Part(partial(self.measure_together, way), len(COUNTS), f"{self.together}.") for way in WAYS},
        }

    @cached_property
    def rows(self) -> list[TimedRow]:
        return read_timed(DATA / self.pairs, self.few(self.most, 2))[0]

    def prepare(self, worker: Workplace) -> None:
        lpips()

    def measure_choices(self, worker: Workplace, subject: int) -> Numbers:
        """One pair, edited by itself in every way; what stands in several tables is made once."""
        row, done, tables = self.rows[subject], {}, {}
        for table, choices in CHOICES.items():
            for name, changes in choices.items():
                edit = json.dumps(row.edit(**with_other_colours(row, changes, worker.judge.colours)))
                if edit not in done:
                    with suppress(ValueError):  # such as where what is kept exactly leaves nothing to edit
                        done[edit] = moved(worker, [row], range(1, 1 + self.seeds), [json.loads(edit)])
                tables.setdefault(table, {})[name] = done.get(edit, {}) | {REFUSED: float(edit not in done)}
        return tables

    def measure_together(self, table: str, worker: Workplace, subject: int) -> Numbers:
        """The first pairs, all on one model: solved in one system, or one node after another."""
        chosen, inputs = read_timed(DATA / self.together, COUNTS[subject])[0], WAYS[table]
        edits = [joint_edit(chosen, **inputs)] if "joint" in table else [row.edit(**inputs) for row in chosen]
        return {table: {f"{len(chosen)} pairs": moved(worker, chosen, range(1, 1 + self.seeds), edits)}}

    def plots(self, tables: Tables) -> list[Plot]:
        """Of the settings that are numbers."""
        found = []
        for title in ("lambda", "strength"):
            rows = tables.get(title, {})
            columns = [column for column in next(iter(rows.values()), {}) if column != REFUSED]
            x = [float(name) for name in rows]
            found.append(Plot(title, title, "share; LPIPS", curves(rows, columns, x), log_x=title == "lambda"))
        return [plot for plot in found if plot.curves]


class ToyTimeSettings(TimeSettings):
    """The same on the toy world, whose text encoder was taught what TIME needs."""

    name = "toy-time-settings"
    checkpoint: ClassVar[str] = TOY
    pairs: ClassVar[str] = "toy_timed_validation.csv"
    together: ClassVar[str] = "toy_timed_together.csv"
    most: ClassVar[int] = 24


def with_other_colours(row: TimedRow, changes: Mapping[str, object], colours: Sequence[str]) -> dict[str, object]:
    """`changes` with `OTHER_COLOURS` to preserve as prompts: the thing in SEVERAL colours that the row does not ask about."""
    if changes.get("preserve") != OTHER_COLOURS:
        return dict(changes)
    noun = row.old.split(" ", 1)[1]
    asked = {word for prompt in (row.new, *named_colours(row)) for word in prompt.split()}
    others = [with_article(f"{colour} {noun}") for colour in colours if colour not in asked]
    return changes | {"preserve": "\n".join(others[:SEVERAL])}


def named_colours(row: TimedRow) -> list[str]:
    """The unrelated prompts about the thing itself, in a colour that they name."""
    noun = row.old.split(" ", 1)[1]
    return [prompt for prompt, _ in row.negatives if prompt.endswith(noun)]


def moved(
    worker: Workplace, rows: Sequence[TimedRow], seeds: Sequence[int], edits: Sequence[dict], oracle: bool = False
) -> Row:
    """What the edits of a model do to the pictures of all rows' prompts, and how far they move them."""
    found: dict[str, list[float]] = {}
    for row, seed in product(rows, seeds):
        questions = row.questions(oracle)
        made = worker.host.pictures_of([question.prompt for question in questions], seed, edits)
        should_be = worker.host.pictures_of([question.wording for question in questions], seed)
        for question, picture, other in zip(questions, made[:, None], should_be[:, None], strict=True):
            related = not question.kind.startswith("specificity")
            ((score, against),) = worker.judge.scores(picture, [question.wording, question.rather_than])
            numbers = {question.kind.split()[0]: score > against}
            if question.prompt in named_colours(row):
                numbers[NAMED] = score > against
            if hasattr(worker.judge, "kept"):
                there = worker.judge.kept(picture, question.prompt)
                numbers[KIND] = there.get("its kind", [np.nan])[0]
                numbers[SECOND] = there.get("the second thing", [np.nan])[0] if related else np.nan
            numbers[TO_ORACLE if related else TO_UNEDITED] = distances(picture, other)["LPIPS"][0]
            for name, number in numbers.items():
                found.setdefault(name, []).append(float(number))
    columns = (*KINDS, NAMED, KIND, SECOND, TO_ORACLE, TO_UNEDITED)
    return {name: float(np.nanmean(found[name])) for name in columns if name in found}
