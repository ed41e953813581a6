"""The measurement of masked edits without inversion, on one picture in two steps."""

from types import SimpleNamespace

import torch
from naturalworld.wordings import NaturalJudge

from benchmarks.hosts.library import NATURAL, LibraryHost
from benchmarks.measurements import flow_edit
from benchmarks.measurements.flow_edit import FlowEdit, edits


@torch.inference_mode()
def test_evaluations_and_background(monkeypatch):
    for name, few in {"STEPS": 2, "STRENGTHS": (0.8,), "OTHERS": ({"averages": 2},)}.items():
        monkeypatch.setattr(flow_edit, name, few)
    worker = SimpleNamespace(host=LibraryHost(NATURAL, FlowEdit.sampling), judge=NaturalJudge())
    (rows,) = edits(worker, 4).values()
    # Two steps: inverted by one evaluation and sampled by two; both sides guided; the same with two noises.
    assert [row["evaluations"] for row in rows.values()] == [6, 6, 8, 16]
    assert list(rows)[-1] == "0.8, flow edit, averages 2"
    for row in rows.values():
        assert row["background PSNR"] > 30 and 0 <= row["left as it was"] <= 1 and row["told"] in (0, 1)
