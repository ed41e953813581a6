"""Each part of the soak, short; and that it finds what it is there for. `make soak` runs it at length."""

import pytest
from reliability.page import write_section

from tools.comfyui.library import load_pack

load_pack()

from .desk import desk, workflows  # noqa: E402
from .interrupts import interrupts  # noqa: E402
from .killed_saves import kill_while, killed_saves  # noqa: E402
from .runs import ALLOCATED, ALLOWED, check_flat, runs  # noqa: E402

SPARE = {
    "tensors": 0,
    "model patchers": 0,
    "open files": 2,
    "threads": 2,
    "threads of asyncio's pool": 5,
}  # connections that are just being closed
SHORTEST = "exact_inversion"
HELD = {
    "bytes allocated": 10**9,
    "bytes resident": 10**9,
    "tensors": 5,
    "model patchers": 1,
    "open files": 9,
    "threads": 3,
    "threads of asyncio's pool": 1,
}


def with_two_steps(api: dict) -> dict:
    def shortest(inputs: dict) -> dict:
        return inputs | {"steps": 2} if "steps" in inputs else inputs

    return {number: node | {"inputs": shortest(node["inputs"])} for number, node in api.items()}


def test_runs_and_interrupts_leave_nothing():
    """Counts only: the server's memory needs some two hundred runs to settle."""
    known = {SHORTEST: with_two_steps(workflows()[SHORTEST])}
    with desk() as server:
        found = runs(server, known, 4, seed=1, warm=2)
        assert found["pictures"] > 0
        heard = interrupts(server, known, 3, seed=2)
        assert heard["interrupts"] == 3
        states = [*found["states"].values(), server.state()]
    for state in states[1:]:
        for name, spare in SPARE.items():
            assert state[name] <= states[0][name] + spare, (name, states)


def test_saves_are_whole_after_a_kill():
    assert killed_saves(6, seed=1)["kills"] == 6


def test_a_save_that_fails_by_itself_is_no_kill():
    def fail(number: int) -> None:
        raise OSError

    with pytest.raises(AssertionError, match="by itself"):
        kill_while(fail, 0.5)


def test_a_part_of_the_page_is_written_anew(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- soak -->\n<!-- /soak -->\nafter\n")
    for line in ("first", "second"):
        write_section("soak", [line], page)
        assert page.read_text() == f"before\n<!-- soak -->\n{line}\n<!-- /soak -->\nafter\n"
    with pytest.raises(ValueError, match="no part"):
        write_section("fuzz", ["x"], page)


@pytest.mark.parametrize("name", HELD)
def test_growth_is_found(name):
    grown = HELD | {name: HELD[name] + ALLOWED.get(name, 0) + 1}
    check_flat({"runs": 2, "states": {"1": HELD, "2": HELD}}, warm=1)
    with pytest.raises(AssertionError, match=name):
        check_flat({"runs": 2, "states": {"1": HELD, "2": grown}}, warm=1)


def test_what_the_host_alone_grows_by_is_no_growth_of_the_pack_s():
    alone, ended = HELD | {ALLOCATED: HELD[ALLOCATED] + 500}, HELD | {ALLOCATED: HELD[ALLOCATED] + ALLOWED[ALLOCATED] + 500}
    of_host = {"runs": 2, "states": {"1": HELD, "2": alone}}
    check_flat({"runs": 2, "states": {"1": HELD, "2": ended}}, 1, of_host)
    for more in (ALLOCATED, "tensors"):
        with pytest.raises(AssertionError, match=more):
            check_flat({"runs": 2, "states": {"1": HELD, "2": ended | {more: ended[more] + 1}}}, 1, of_host)
