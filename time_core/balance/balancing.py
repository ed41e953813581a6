"""Find the lambda at which an edit is held in balance: a wanted share of pictures shows what the edit asks for.

Bisection finds where the share passes the target; from then on every probe is made where the curves through all pictures so far
(`curve`) say that it is, which is where pictures tell most of it, until the share there is known well enough, which takes one
such probe at least: far from the balance the curves say what the model may not. The TIME paper
corrects gender assumptions in this way, with a lambda of its own for each profession; the search is ours, after the sequential
designs of psychophysics (Wu, JASA 80, 1985).
"""

from collections.abc import Callable, Sequence

from .curve import read_off
from .search import Probe, Search


def next_lambda(search: Search, done: Sequence[Probe]) -> float | None:
    """Where to measure next, or None at the end. A function of the measurements alone."""
    if len(done) >= search.probes:
        return None
    if not done or search.out_of_reach(done) is not None:
        return search.halfway(done)
    found = read_off(search, done)
    was_there = search.out_of_reach(done[:-1]) is None  # the last probe, where the curves put the balance
    return None if was_there and found.margin <= search.tolerance else found.lamb


def balance(
    measure: Callable[[float], Probe], search: Search, on_probe: Callable[[tuple[Probe, ...]], None] = lambda done: None
) -> tuple[Probe, ...]:
    """All probes of a search, in the order they were made; `read_off` says what they tell.

    Args:
        measure: lambda to what was seen there, with new pictures at every call.
        on_probe: called with the probes so far after each of them.
    """
    done: tuple[Probe, ...] = ()
    while (lamb := next_lambda(search, done)) is not None:
        done += (measure(lamb),)
        on_probe(done)
    return done
