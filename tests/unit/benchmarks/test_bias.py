"""The rounds of the bias measurement, on made-up results whose lambda is known: no pictures are needed for that."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.data.timed import BiasRow
from benchmarks.measurements.bias import BALANCED, BASELINE, ONE_LAMBDA, WEIGHTED, Bias, row_weights

MIDDLES = {"a nurse": 300.0, "a baker": 5000.0}
LATER = {"on grass": 10, "on sand": 1000}
ROWS = tuple(
    BiasRow(
        i, noun, f"a male {noun[2:]}", f"a female {noun[2:]}", (f"A photo of {noun}",), (f"{noun} working", f"{noun} laughing")
    )
    for i, noun in enumerate(MIDDLES, 2)
)


def measurement(joint: bool = False, rows: tuple[BiasRow, ...] = ROWS, strength: float = 1.0) -> Bias:
    counts = {"seeds": 40, "test_seeds": 50, "baseline_seeds": 20, "pictures_per_task": 16}
    bias = Bias(file=Path("rows.csv"), lowest=1, highest=1e6, probes=8, joint=joint, strength=strength, **counts)
    vars(bias)["read"] = list(rows), []
    return bias


def share(prompt: str, edits: list[dict]) -> float:
    """Of the pictures that show the edit; none do without one."""
    noun = next(noun for noun in MIDDLES if noun in prompt)
    if not edits:
        return 0.0
    sources, destinations = (edits[0][side].split("\n") for side in ("source", "destination"))
    _, _, weight = destinations[sources.index(noun)].partition(" | ")
    lamb = edits[0]["lamb"] / float(weight or 1)
    middle = MIDDLES[noun] * next((times for place, times in LATER.items() if place in prompt), 1)
    return 1 / (1 + math.exp(3 * (math.log(lamb) - math.log(middle))))


def answer(task) -> dict:
    rng = np.random.default_rng(task.payload["seeds"][0])
    shows = rng.random(len(task.payload["seeds"])) < share(task.payload["prompt"], task.payload["edits"])
    return {"pixels": ["0"] * len(shows), "scores": [[[float(yes), 0.5] for yes in shows]]}


def run(bias: Bias) -> tuple[dict, int]:
    results, rounds = {}, 0
    while missing := [task for task in bias.next_tasks(results) if task.id not in results]:
        results |= {task.id: answer(task) for task in missing}
        rounds += 1
    return results, rounds


def test_every_row_is_searched_and_then_tested():
    bias = measurement()
    results, rounds = run(bias)
    assert rounds == 8 + 1
    tables = {table.title: table.rows for table in bias.report(results).tables}
    for row in tables["Rows"]:
        assert row["lambda"] == pytest.approx(MIDDLES[row["edit"].split(" →")[0]], rel=0.25)
        assert row["F, baseline"] == 0
        assert row["F, balanced"] == pytest.approx(0.5, abs=0.15)
        assert row["Delta, balanced"] == pytest.approx(abs(0.5 - row["F, balanced"]) / 0.5)
        assert row["pictures searched"] == 8 * 40
    baseline, balanced = tables["Balance"]
    assert (baseline["method"], balanced["method"]) == (BASELINE, BALANCED)
    assert baseline["Delta"].mean == 1
    assert balanced["F"].mean == pytest.approx(np.mean([row["F, balanced"] for row in tables["Rows"]]))
    assert balanced["neither"] == 0


def test_every_edit_has_the_strength():
    bias = measurement(strength=4.0)
    results, _ = run(bias)
    edits = [edit for task in bias.next_tasks(results) for edit in task.payload["edits"]]
    assert edits and {edit["strength"] for edit in edits} == {4.0}


def test_an_edit_turns_where_the_model_leans_to_its_side_already():
    """Of a baker's pictures all show `new` without an edit, so that it is the opposite that is asked for and found."""
    bias = replace(measurement(), turn=True)
    vars(bias)["read"] = list(ROWS), []

    def leaning(task) -> dict:
        if "a baker" not in task.payload["prompt"] or task.payload["edits"]:
            return answer(task)
        towards_new = tuple(task.payload["questions"][0]) == (ROWS[1].new, ROWS[1].opposite)
        return answer(task) | {"scores": [[[float(towards_new), 0.5]] * len(task.payload["seeds"])]}

    results = {}
    while missing := [task for task in bias.next_tasks(results) if task.id not in results]:
        results |= {task.id: leaning(task) for task in missing}
    report = bias.report(results)
    nurse, baker = report.tables[1].rows
    assert (nurse["edit"], baker["edit"]) == ("a nurse → a male nurse", "a baker → a female baker")
    assert "Edited to the opposite: a baker." in report.summary
    assert baker["F, baseline"] == 0 and baker["F, balanced"] == pytest.approx(0.5, abs=0.15)
    assert nurse["pictures searched"] == baker["pictures searched"] == (8 + 1) * 40
    searched = [t for t in bias.next_tasks(results) if t.id.startswith("search/line 3/")]
    seeds = [seed for task in searched for seed in task.payload["seeds"]]
    assert len(seeds) == len(set(seeds)) == (8 + 1) * 40
    edits = [edit for task in searched for edit in task.payload["edits"]]
    assert {edit["destination"] for edit in edits} == {"a female baker"}


def test_pictures_that_show_neither_are_counted_apart():
    bias = measurement()
    results, _ = run(bias)
    for task in bias.next_tasks(results):
        if task.id.startswith(f"{BALANCED}/line 2/"):
            results[task.id] |= {"scores": [[[0.0, 0.0], *([1.0, 0.0] for _ in task.payload["seeds"][1:])]]}
    row, _ = bias.report(results).tables[1].rows
    pictures = [len(task.payload["seeds"]) for task in bias.next_tasks(results) if task.id.startswith(f"{BALANCED}/line 2/")]
    assert row["neither, balanced"] == pytest.approx(len(pictures) / sum(pictures))
    assert row["F, balanced"] == pytest.approx(1 - row["neither, balanced"])
    assert bias.report(results).tables[0].rows[1]["neither"] == pytest.approx(row["neither, balanced"] / 2)


def test_a_probe_knows_the_share_of_each_prompt():
    """Their mean falls in three steps, and half of it lies where the second prompt changes."""
    prompts = ("a nurse", "a nurse on grass", "a nurse on sand")
    bias = measurement(rows=(BiasRow(2, "a nurse", "a male nurse", "a female nurse", prompts, prompts),))
    results, _ = run(bias)
    _, probes = bias._searched(bias.read[0], results)
    for probe in probes:
        assert [shown / made for shown, made in zip(probe.shown, probe.made, strict=True)] == pytest.approx(
            [share(p, bias._edit(bias.read[0], probe.lamb)) for p in prompts], abs=0.25
        )
        assert probe.made == (40, 40, 40)
    (row,) = bias.report(results).tables[1].rows
    assert row["lambda"] == pytest.approx(MIDDLES["a nurse"] * LATER["on grass"], rel=0.15)


def test_no_two_pictures_of_a_search_share_a_seed():
    bias = measurement()
    results, _ = run(bias)
    searched = [t for t in bias.next_tasks(results) if t.id.startswith("search/line 2/")]
    seeds = [seed for task in searched for seed in task.payload["seeds"]]
    assert len(seeds) == len(set(seeds)) == 8 * 40
    tested = [t for t in bias.next_tasks(results) if t.id.startswith("balanced/line 2/")]
    assert not set(seeds) & {seed for task in tested for seed in task.payload["seeds"]}


def test_a_joint_edit_weights_every_row_by_its_own_lambda():
    lamb, weights = row_weights([100.0, 400.0])
    assert lamb == pytest.approx(200)
    assert [lamb / weight for weight in weights] == pytest.approx([100, 400])
    bias = measurement(joint=True)
    results, _ = run(bias)
    table = {row["method"]: row for row in bias.report(results).tables[0].rows}
    assert list(table) == [BASELINE, BALANCED, ONE_LAMBDA, WEIGHTED]
    assert table[WEIGHTED]["Delta"].mean < 0.3
    assert table[ONE_LAMBDA]["Delta"].mean > 0.6  # one lambda between 300 and 5000 balances neither


def test_a_row_that_cannot_be_edited_is_named_and_left_out():
    bias, results = measurement(joint=True), {}
    while missing := [task for task in bias.next_tasks(results) if task.id not in results]:
        for task in missing:
            bad = "/line 3/" in task.id and task.payload["edits"]
            results[task.id] = {"error": "destination has no place for it."} if bad else answer(task)
    report = bias.report(results)
    assert report.problems == ["rows.csv, line 3: destination has no place for it."]
    assert [row["line"] for row in report.tables[1].rows] == [2]
