"""The search for a balanced lambda: bisection over its logarithm, on measurements of every shape."""

import json
import math
import random
import re

import pytest
from time_diffedit.time_core.balance.plot import plot
from time_diffedit.time_core.balance.report import BalanceReport
from time_diffedit.time_core.balance.search import Probe, Search, balance, largest_rise, out_of_reach


def falling(middle: float):
    """The share of an edit that is held in balance at `middle`."""
    return lambda lamb: 1 / (1 + lamb / middle)


@pytest.mark.parametrize("middle", [0.3, 40, 4000, 7e5])
@pytest.mark.parametrize("target", [0.2, 0.5, 0.8])
def test_a_falling_share_is_found(middle, target):
    search = Search(target, tolerance=0.02, probes=30)
    done = balance(falling(middle), search)
    wanted = middle * (1 / target - 1)
    if search.lowest < wanted < search.highest:
        assert abs(search.best(done).share - target) <= 0.02
        assert len(done) <= 12
        assert out_of_reach(search, done) is None


def test_each_probe_halves_the_logarithmic_range():
    search = Search(0.5, 1.0, 1e4, probes=20)
    lambdas = [probe.lamb for probe in balance(falling(77.0), search)]
    assert lambdas[0] == pytest.approx(100)
    steps = [abs(math.log10(b / a)) for a, b in zip(lambdas, lambdas[1:], strict=False)]
    assert steps == pytest.approx([2**-i for i in range(len(steps))])
    assert len(lambdas) == 20 and lambdas[-1] == pytest.approx(77, rel=1e-4)


def test_the_probes_and_the_tolerance_end_a_search():
    assert len(balance(falling(77.0), Search(0.5, probes=1))) == 1
    exact = balance(lambda lamb: 0.5, Search(0.5, probes=9))
    assert len(exact) == 1
    rough = balance(falling(77.0), Search(0.5, probes=30, tolerance=0.2))
    fine = balance(falling(77.0), Search(0.5, probes=30, tolerance=0.01))
    assert len(rough) < len(fine) < 30
    assert [probe.lamb for probe in rough] == [probe.lamb for probe in fine[: len(rough)]]


@pytest.mark.parametrize("seed", range(8))
def test_a_noisy_share_comes_near(seed):
    """24 pictures a probe: whatever the noise, the measured share ends within three pictures of the target."""
    draw = random.Random(seed)
    share = falling(500.0)
    search = Search(0.5, tolerance=1 / 24, probes=12)
    done = balance(lambda lamb: sum(draw.random() < share(lamb) for _ in range(24)) / 24, search)
    assert abs(search.best(done).share - 0.5) <= 3 / 24
    assert all(search.lowest < probe.lamb < search.highest for probe in done)


def test_what_is_out_of_reach_ends_at_its_bound():
    search = Search(0.5, 0.1, 1e6, probes=10)
    weak = balance(lambda lamb: 0.3 * falling(1.0)(lamb), search)
    assert out_of_reach(search, weak) == "below"
    assert search.best(weak) == weak[-1] and weak[-1].lamb < 0.11
    strong = balance(lambda lamb: 0.9, search)
    assert out_of_reach(search, strong) == "above"
    assert search.best(strong).lamb == max(probe.lamb for probe in strong) > 9e5


def test_of_equal_shares_the_larger_lambda_is_taken():
    done = [Probe(1.0, 0.6), Probe(100.0, 0.4), Probe(10.0, 0.4)]
    assert Search(0.5).best(done) == Probe(100.0, 0.4)


def test_shares_that_bracket_the_target_are_within_reach():
    assert out_of_reach(Search(0.5), [Probe(1.0, 1.0), Probe(10.0, 0.0)]) is None


def test_the_search_depends_on_the_measurements_alone():
    search = Search(0.5, probes=8)
    done = balance(falling(333.0), search)
    assert all(search.next_lambda(done[:i]) == probe.lamb for i, probe in enumerate(done))
    assert search.next_lambda(done) is None


def test_every_probe_is_told():
    told = []
    done = balance(falling(9.0), Search(0.5, probes=4), told.append)
    assert told == [done[: i + 1] for i in range(4)]


def test_rises_are_noticed_in_any_order():
    done = [Probe(10.0, 0.2), Probe(1.0, 0.5), Probe(1000.0, 0.1), Probe(100.0, 0.45)]
    assert largest_rise(done) == pytest.approx(0.25)
    assert largest_rise(balance(falling(10.0), Search(0.4))) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": 1.2}, "target is 1.2"),
        ({"target": float("nan")}, "target is nan"),
        ({"lowest": 0.0}, "lowest is 0 and highest is 1e"),
        ({"lowest": 10.0, "highest": 1.0}, "lowest must be above 0 and below highest"),
        ({"probes": 0}, "probes is 0"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Search(**changes)


def report(*probes: tuple[float, float], pictures: int = 20, **changes) -> BalanceReport:
    return BalanceReport(Search(**changes), tuple(Probe(*probe) for probe in probes), pictures, "a male nurse")


def test_the_result_in_words_and_as_json():
    found = report((316.0, 0.9), (1778.0, 0.45), tolerance=0.05)
    assert found.summary().splitlines() == [
        "lambda 1778: 9 of 20 pictures show 'a male nurse' (share 0.45, wanted 0.5)",
        "probe 1: lambda 316, share 0.9",
        "probe 2: lambda 1778, share 0.45",
    ]
    told = json.loads(json.dumps(found.as_json()))
    assert told["measured"] == [{"lamb": 316.0, "share": 0.9, "shown": 18}, {"lamb": 1778.0, "share": 0.45, "shown": 9}]
    assert told["best"] == {"lamb": 1778.0, "share": 0.45}
    assert (told["target"], told["out_of_reach"], told["rise"]) == (0.5, None, 0)


@pytest.mark.parametrize(
    ("probes", "message"),
    [
        (
            [(10.0, 0.1), (1.0, 0.3)],
            "below the target 0.5 down to lambda 1 .lowest is 0.1.; the nearest is 0.3, at lambda 1\\.",
        ),
        (
            [(10.0, 0.9), (1e3, 0.8)],
            "above the target 0.5 up to lambda 1000 .highest is 1e.06.; the nearest is 0.8, at lambda 1000\\.",
        ),
        ([(10.0, 0.3), (1e3, 0.6)], "rises by 0.3"),
    ],
)
def test_what_is_doubtful_is_warned_of(probes, message):
    found = report(*probes)
    assert len(found.warnings()) == 1
    assert re.search(message, found.summary())


def test_a_rise_of_one_picture_is_no_reason_to_warn():
    assert report((10.0, 0.5), (100.0, 0.55), pictures=20).warnings() == []
    assert len(report((10.0, 0.45), (100.0, 0.55), pictures=20).warnings()) == 1


def test_the_plot_shows_each_probe_where_it_lies():
    search = Search(0.25, 1.0, 1e4)
    empty, one = plot(search, []), plot(search, [Probe(100.0, 1.0)])
    assert empty.size == (640, 400) and empty.tobytes() == plot(search, []).tobytes()
    changed = [
        (x, y) for x in range(640) for y in range(340) if empty.getpixel((x, y)) != one.getpixel((x, y))
    ]  # above the words
    xs, ys = zip(*changed, strict=True)
    assert (min(xs) + max(xs)) / 2 == pytest.approx((56 + 610) / 2, abs=1)
    assert (min(ys) + max(ys)) / 2 == pytest.approx(34, abs=1)
    assert max(xs) - min(xs) < 20


def test_a_range_within_a_decade_has_its_bounds_on_the_axis():
    narrow, shifted = (plot(Search(0.5, 4e4, highest), []) for highest in (8e4, 7e4))
    differs = [x for x in range(640) if any(narrow.getpixel((x, y)) != shifted.getpixel((x, y)) for y in range(350, 370))]
    assert differs and min(differs) > 500
