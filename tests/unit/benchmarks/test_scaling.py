"""The arithmetic of the cluster table, against cases that can be counted on paper, and the number of TIMED's pictures."""

import pytest

from benchmarks.measurements.scaling import Costs, wall_time


def test_one_gpu_does_one_task_after_another():
    found = wall_time(80, 1, Costs(picture=2, load=30, driver=0, edit=1), task=8)
    assert found["seconds"] == 30 + 10 * (8 * 2 + 1)
    assert found["efficiency"] == pytest.approx(160 / 200)


def test_the_last_round_is_waited_for():
    assert wall_time(88, 10, Costs(1, 0, 0, 0), task=8)["seconds"] == 2 * 8
    assert wall_time(80, 10, Costs(1, 0, 0, 0), task=8)["seconds"] == 8


def test_many_gpus_wait_for_the_driver():
    found = wall_time(8000, 1000, Costs(picture=0.01, load=0, driver=0.01, edit=0), task=8)
    assert found["seconds"] == pytest.approx(10)
    assert found["driver busy"] == 1
