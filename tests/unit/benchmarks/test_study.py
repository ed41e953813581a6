"""A study on made-up numbers: what joins them, in which order parts are done, and what is kept from the documentation."""

import json
from argparse import ArgumentParser
from typing import ClassVar

import numpy as np
import pytest

from benchmarks.measurements.study import Part, Study
from benchmarks.report.report import Target
from benchmarks.run.measurement import Outcome, add_options
from benchmarks.run.store import Store


def heights(worker, subject: int) -> dict:
    return {"heights": {"10": {"height": subject, "worst": subject}, "9": {"height": None if subject else 4.0}}}


def seconds(worker, subject: int) -> dict:
    return {"heights": {"10": {"seconds": 2.0}}}


class Trees(Study):
    """Trees by age."""

    name = "big-trees"
    combine: ClassVar = {"worst": np.nanmax}

    def parts(self) -> dict[str, Part]:
        return {"heights": Part(heights, self.few(4, 2), "By hand."), "seconds": Part(seconds, 2, alone=True)}

    def targets(self, tables) -> list[Target]:
        return [Target("height", tables["heights"]["10"]["height"], 1.5), Target("time", 2.0, 1.0, at_most=True)]


def run(study: Study) -> tuple[dict, list[list[str]]]:
    results, rounds = {}, []
    while missing := [task for task in study.next_tasks(results) if task.id not in results]:
        rounds.append([task.id for task in missing])
        results |= {task.id: study.work(None, task).result for task in missing}
    return results, rounds


def test_numbers_are_means_over_the_subjects_that_have_them():
    study = Trees()
    results, _ = run(study)
    (table,) = study.report(results).tables
    assert table.rows == [
        {"": "10", "height": 1.5, "worst": 3.0, "seconds": 2.0},
        {"": "9", "height": 4.0},
    ]
    assert table.columns == ["", "height", "worst", "seconds"]
    assert [str(target) for target in study.report(results).targets] == [
        "height: 1.5 (target >= 1.5) ok",
        "time: 2 (target <= 1) SHORT",
    ]


def test_what_is_timed_is_done_alone_before_the_others():
    _, rounds = run(Trees(quick=True))
    assert rounds == [["seconds/000"], ["seconds/001"], ["heights/000", "heights/001"]]


def test_a_part_is_measured_anew_and_the_others_are_kept(tmp_path):
    all_of_it = Trees(docs=tmp_path)
    report = all_of_it.report(run(all_of_it)[0])
    written = (tmp_path / "big_trees.md").read_text()
    assert "| 10 | 1.5 | 3 | 2 |" in written
    again = Trees(only="heights", quick=True, docs=tmp_path)
    results, rounds = run(again)
    assert rounds == [["heights/000", "heights/001"]]
    assert again.report(results).tables[0].rows[0] == {"": "10", "height": 0.5, "worst": 1.0, "seconds": 2.0}
    kept = json.loads((tmp_path / "big_trees.json").read_text())["parts"]
    assert list(kept) == ["heights", "seconds"]
    assert "QUICK" in kept["heights"]["run"] and "QUICK" not in kept["seconds"]["run"]
    assert len(report.targets) == len(again.report(results).targets) == 2


def test_a_subject_that_failed_is_named_and_nothing_is_judged():
    study = Trees()
    results = run(study)[0] | {"heights/002": {"error": "no tree there."}}
    report = study.report(results)
    assert report.problems == ["heights/002: no tree there."]
    assert report.targets == []


def test_a_part_that_there_is_not_is_refused():
    parser = ArgumentParser()
    add_options(parser, Trees)
    chosen = Trees.from_arguments(parser.parse_args(["--only", "seconds; heights", "--quick"])).chosen()
    assert list(chosen) == ["heights", "seconds"]
    with pytest.raises(ValueError, match="there is no part roots; there are heights, seconds"):
        Trees.from_arguments(parser.parse_args(["--only", "roots"]))


def test_only_a_finished_run_is_begun_anew(tmp_path):
    store = Store(str(tmp_path / "out"))
    store.save(Trees().next_tasks({})[0], Outcome({"cells": []}))
    store.forget_finished()
    assert list(store.results()) == ["seconds/000"]
    store.write("results.json", b"{}")
    store.forget_finished()
    assert store.results() == {}
