"""How a benchmark's edits reach its pictures: through the model, with a prior, or through the words of the prompt."""

import numpy as np
import pytest
from toyworld.wordings import ToyJudge

from benchmarks.data.timed import read_timed
from benchmarks.hosts.inputs import GATE, PRIOR, run_node
from benchmarks.hosts.library import TOY, LibraryHost, Sampling
from benchmarks.measurements.time_settings import (
    CHOICES,
    DATA,
    OTHER_COLOURS,
    SEVERAL,
    TO_UNEDITED,
    ToyTimeSettings,
    moved,
    named_colours,
    with_other_colours,
)
from benchmarks.run.measurement import Workplace

ROW = read_timed(DATA / ToyTimeSettings.pairs)[0][0]
WAKE = CHOICES["gate"]["TIME Text Encode, all source words"]


@pytest.fixture(scope="module")
def worker():
    place = Workplace()
    place.host, place.judge = LibraryHost(TOY, Sampling(128, steps=2, cfg=3.0)), ToyJudge()
    few = {"prompts": "a bird on grass\na photo of a moon"}  # the pack's own are a thousand
    place.host.prior = run_node(place.host, "TIMEPrior", few, clip=place.host.clip)[0]
    return place


def test_a_gated_edit_changes_the_prompts_of_its_source_alone(worker):
    pictures, edits = worker.host.pictures, [ROW.edit(**WAKE)]
    assert np.array_equal(pictures(ROW.negatives[0][0], [1], edits), pictures(ROW.negatives[0][0], [1]))
    assert not np.array_equal(pictures(ROW.old, [1], edits), pictures(ROW.old, [1]))


def test_two_gates_are_refused(worker):
    with pytest.raises(ValueError, match="takes one edit"):
        worker.host.pictures(ROW.old, [1], [ROW.edit(**WAKE)] * 2)


def test_a_prior_changes_the_edit(worker):
    plain, spared = ({"lamb": 10.0}, {"lamb": 10.0, PRIOR: True, "rho": 10.0})
    assert not np.array_equal(*(worker.host.pictures(ROW.old, [1], [ROW.edit(**way)]) for way in (plain, spared)))


def test_what_moved(worker):
    still, edited = (moved(worker, [ROW], [1], edits) for edits in ([], [ROW.edit()]))
    assert still[TO_UNEDITED] == still["efficacy"] == 0
    assert 0 < edited[TO_UNEDITED] < 1
    assert set(edited) >= {"efficacy", "generality", "specificity", "named colours"}


def test_other_colours_are_none_that_a_row_asks_about():
    (named,) = named_colours(ROW)
    found = with_other_colours(ROW, {"preserve": OTHER_COLOURS, "lamb": 1.0}, ToyJudge.colours)
    prompts = found["preserve"].splitlines()
    assert found["lamb"] == 1.0 and len(prompts) == SEVERAL
    assert not {ROW.new, named} & set(prompts)
    assert all(prompt.endswith(ROW.old.removeprefix("a ")) for prompt in prompts)


def test_every_choice_names_a_published_edit_or_a_change():
    for table, choices in CHOICES.items():
        published = [name for name, changes in choices.items() if not changes]
        assert len(published) <= 1 and all("published" in name for name in published), table
    assert GATE in WAKE
