"""The search for a balanced lambda: bisection over its logarithm, then where all pictures so far put the balance."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import ImageColor
from time_diffedit.time_core.balance.balancing import balance, next_lambda
from time_diffedit.time_core.balance.curve import read_off
from time_diffedit.time_core.balance.plot import SHARES, plot
from time_diffedit.time_core.balance.report import BalanceReport
from time_diffedit.time_core.balance.search import Probe, Search, largest_rise

MANY = 100_000  # pictures, whose share is the truth


def shares(lamb: float, middles, slope: float) -> np.ndarray:
    """Of prompts whose edits are held in balance at `middles`."""
    return 1 / (1 + np.exp(slope * (math.log(lamb) - np.log(middles))))


def exactly(middles, slope: float = 1.0, pictures: int = MANY):
    """Measures without chance."""

    def measure(lamb: float) -> Probe:
        shown = tuple(round(pictures * share) for share in shares(lamb, middles, slope))
        return Probe(lamb, shown, (pictures,) * len(shown))

    return measure


def by_chance(rng: np.random.Generator, middles, slope: float, pictures: int):
    def measure(lamb: float) -> Probe:
        return Probe(lamb, tuple(map(int, rng.binomial(pictures, shares(lamb, middles, slope)))), (pictures,) * len(middles))

    return measure


def probe(lamb: float, share: float, pictures: int = 100) -> Probe:
    return Probe(lamb, (round(share * pictures),), (pictures,))


@pytest.mark.parametrize("middle", [0.3, 40, 4000, 7e5])
@pytest.mark.parametrize("target", [0.2, 0.5, 0.8])
def test_a_falling_share_is_found(middle, target):
    search = Search(target, tolerance=0.02, probes=30)
    done = balance(exactly([middle]), search)
    wanted = middle * (1 / target - 1)
    if search.lowest < wanted < search.highest:
        found = read_off(search, done)
        assert found.lamb == pytest.approx(wanted, rel=0.05)
        assert found.share == pytest.approx(target, abs=1e-6)
        assert len(done) <= 20
        assert search.out_of_reach(done) is None


def test_until_the_target_lies_between_two_probes_the_range_is_halved():
    search = Search(0.5, 1.0, 1e4, probes=20)
    lambdas = [one.lamb for one in balance(exactly([1.5], slope=50), search)]
    steps = [abs(math.log10(b / a)) for a, b in zip(lambdas[:4], lambdas[1:4], strict=False)]
    assert lambdas[0] == pytest.approx(100)
    assert steps == pytest.approx([1, 0.5, 0.25])


@pytest.mark.parametrize(("middles", "slope"), [([500], 0.9), ([100, 290, 310, 900], 2), ([300, 3000], 5)])
def test_six_hundred_pictures_are_enough_nineteen_times_in_twenty(middles, slope):
    """Found from at most 600 pictures, the true share is within 5 points of the target."""
    rng, errors, pictures = np.random.default_rng(1), [], []
    each = 40 // len(middles)
    search = Search(0.5, 1.0, 1e6, probes=15, tolerance=0.04)
    for _ in range(60):
        done = balance(by_chance(rng, middles, slope, each), search)
        errors.append(abs(shares(read_off(search, done).lamb, middles, slope).mean() - 0.5))
        pictures.append(sum(sum(one.made) for one in done))
    assert max(pictures) <= 600
    assert np.mean(np.array(errors) <= 0.05) >= 0.9


def test_the_margin_is_of_95_percent():
    rng, search, middles, inside = np.random.default_rng(2), Search(0.5, 1.0, 1e6, probes=12), [100, 400, 900], []
    for _ in range(100):
        found = read_off(search, balance(by_chance(rng, middles, 2.0, 12), search))
        inside.append(abs(shares(found.lamb, middles, 2.0).mean() - found.share) <= found.margin)
    assert 0.88 <= np.mean(inside) <= 1


def test_a_search_ends_when_the_share_is_known_well_enough():
    assert len(balance(exactly([77.0]), Search(0.5, probes=1))) == 1
    rough, fine = (balance(exactly([77.0], pictures=50), Search(0.5, probes=50, tolerance=t)) for t in (0.15, 0.05))
    assert len(rough) < len(fine) < 50
    assert [one.lamb for one in rough] == [one.lamb for one in fine[: len(rough)]]
    assert len(balance(exactly([77.0], pictures=50), Search(0.5, probes=9))) == 9


def test_what_is_out_of_reach_ends_at_its_bound():
    search = Search(0.5, 0.1, 1e6, probes=10)
    weak = balance(lambda lamb: probe(lamb, 0.2), search)
    assert search.out_of_reach(weak) == "below"
    assert weak[-1].lamb < 0.11
    strong = balance(lambda lamb: probe(lamb, 0.9), search)
    assert search.out_of_reach(strong) == "above"
    assert search.nearest(strong).lamb == max(one.lamb for one in strong) > 9e5


def test_of_equal_shares_the_larger_lambda_is_nearest():
    done = [probe(1.0, 0.6), probe(100.0, 0.4), probe(10.0, 0.4)]
    assert Search(0.5).nearest(done) == probe(100.0, 0.4)


def test_shares_that_bracket_the_target_are_within_reach():
    assert Search(0.5).out_of_reach([probe(1.0, 1.0), probe(10.0, 0.0)]) is None
    assert Search(0.5).out_of_reach([probe(1.0, 0.5)]) is None


def test_the_search_depends_on_the_measurements_alone():
    search = Search(0.5, probes=8)
    done = balance(exactly([333.0]), search)
    assert all(next_lambda(search, done[:i]) == one.lamb for i, one in enumerate(done))
    assert next_lambda(search, done) is None


def test_every_probe_is_told():
    told = []
    done = balance(exactly([9.0]), Search(0.5, probes=4), told.append)
    assert told == [done[: i + 1] for i in range(4)]


def test_rises_are_noticed_in_any_order():
    done = [probe(10.0, 0.2), probe(1.0, 0.5), probe(1000.0, 0.1), probe(100.0, 0.45)]
    assert largest_rise(done) == pytest.approx(0.25)
    assert largest_rise(balance(exactly([10.0]), Search(0.4, probes=6))) == 0


@pytest.mark.parametrize("target", [0.2, 0.5, 0.9])
def test_prompts_with_curves_of_their_own_are_read_back(target):
    search, middles = Search(target), [100, 290, 310, 900]
    measure = exactly(middles, 4, 10_000)
    found = read_off(search, [measure(lamb) for lamb in (30, 100, 200, 500, 4000)])
    assert shares(found.lamb, middles, 4).mean() == pytest.approx(target, abs=2e-3)


def test_a_jump_is_found_between_its_sides():
    assert 100 < read_off(Search(), [probe(100, 1.0), probe(1000, 0.0)]).lamb < 1000


def test_beyond_reach_the_bound_is_read_off():
    search = Search(lowest=0.1, highest=1e6)
    assert read_off(search, [probe(1, 0.0), probe(0.11, 0.0)]).lamb == pytest.approx(0.1, rel=0.5)
    assert read_off(search, [probe(9e5, 1.0), probe(1000, 1.0)]).lamb == pytest.approx(1e6, rel=0.5)


def test_shares_that_rise_give_the_nearest_measurement():
    found = read_off(Search(), [probe(10, 0.1), probe(100, 0.45), probe(1000, 0.9)])
    assert (found.lamb, found.share) == (100, 0.45)
    assert found.margin == pytest.approx(0.098, abs=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": 1.2}, "target is 1.2"),
        ({"target": float("nan")}, "target is nan"),
        ({"lowest": 0.0}, "lowest is 0 and highest is 1e"),
        ({"lowest": 10.0, "highest": 1.0}, "lowest must be above 0 and below highest"),
        ({"lowest": 5.0, "highest": 5.000000000000001}, "lowest must be above 0 and below highest"),
        ({"probes": 0}, "probes is 0"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Search(**changes)


def report(*probes: tuple[float, float], pictures: int = 20, **changes) -> BalanceReport:
    return BalanceReport(Search(**changes), tuple(probe(*one, pictures) for one in probes), "a male nurse")


def test_the_result_in_words_and_as_json():
    found = report((316.0, 0.9), (1778.0, 0.45), tolerance=0.05)
    first, *probes = found.summary().splitlines()
    assert re.fullmatch(
        r"lambda 1\d{3}: 50 ± 2\d % of the pictures show 'a male nurse', by the curve through 40 \(wanted 50 %\)", first
    )
    assert probes == ["probe 1: lambda 316, 18 of 20 pictures", "probe 2: lambda 1778, 9 of 20 pictures"]
    told = json.loads(json.dumps(found.as_json()))
    assert told["measured"] == [
        {"lamb": 316.0, "share": 0.9, "shown": 18, "pictures": 20},
        {"lamb": 1778.0, "share": 0.45, "shown": 9, "pictures": 20},
    ]
    assert told["found"] == pytest.approx({"lamb": found.found.lamb, "share": 0.5, "margin": found.found.margin})
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
        ([(10.0, 0.2), (1e3, 0.7)], "rises by 0.5"),
    ],
)
def test_what_is_doubtful_is_warned_of(probes, message):
    found = report(*probes)
    assert len(found.warnings()) == 1
    assert re.search(message, found.summary())


def test_a_rise_within_chance_is_no_reason_to_warn():
    assert report((10.0, 0.4), (100.0, 0.6), pictures=20).warnings() == []
    assert len(report((10.0, 0.4), (100.0, 0.6), pictures=200).warnings()) == 1


def test_shares_that_fall_are_seldom_said_to_rise():
    """Of 16 probes near the balance some pair nearly always rises by two standard errors."""
    rng, rises = np.random.default_rng(0), 0
    for _ in range(20):
        done = balance(lambda lamb: seen_by_chance(rng, lamb, 24), Search(probes=16))
        rises += BalanceReport(Search(probes=16), done, "x").rise > 0
    assert rises <= 1


def test_a_search_looks_where_it_ends():
    """Two probes of many pictures know the share well by their curve, which the model need not follow."""
    rng = np.random.default_rng(1)
    done = balance(lambda lamb: seen_by_chance(rng, lamb, 2000), Search(tolerance=0.1))
    assert Search().out_of_reach(done[:-1]) is None and done[-1].lamb == read_off(Search(), done[:-1]).lamb
    assert read_off(Search(), done[:-1]).margin <= 0.1


def seen_by_chance(rng: np.random.Generator, lamb: float, pictures: int) -> Probe:
    share = 1 / (1 + math.exp((math.log(lamb) - math.log(300)) / 1.5))
    return Probe(lamb, (int(rng.binomial(pictures, share)),), (pictures,))


def test_prompts_that_are_never_pictured_are_told():
    some = BalanceReport(Search(), (Probe(10.0, (1, 0), (1, 1)),), "x", prompts=3)
    assert "Of 3 prompts only the first 2 are pictured; set pictures to 3 or more." in some.warnings()
    assert not any("pictured" in warning for warning in replace(some, prompts=2).warnings())


def test_the_plot_shows_each_probe_where_it_lies():
    search = Search(0.25, 1.0, 1e4)
    empty, one = plot(search, []), plot(search, [probe(100.0, 1.0)])
    assert empty.size == (640, 400) and empty.tobytes() == plot(search, []).tobytes()
    dot = ImageColor.getrgb(SHARES)
    changed = [
        (x, y) for x in range(640) for y in range(340) if empty.getpixel((x, y)) != one.getpixel((x, y)) == dot
    ]  # above the words
    xs, ys = zip(*changed, strict=True)
    assert (min(xs) + max(xs)) / 2 == pytest.approx((56 + 610) / 2, abs=1)
    assert (min(ys) + max(ys)) / 2 == pytest.approx(34, abs=1)
    assert max(xs) - min(xs) < 20


def test_a_range_within_a_decade_has_its_bounds_on_the_axis():
    narrow, shifted = (plot(Search(0.5, 4e4, highest), []) for highest in (8e4, 7e4))
    differs = [x for x in range(640) if any(narrow.getpixel((x, y)) != shifted.getpixel((x, y)) for y in range(350, 370))]
    assert differs and min(differs) > 500
