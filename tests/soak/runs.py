"""Mixed runs in one server: what it holds stays as it is after the first ones, and every picture is equal to its first."""

import os
import random
from typing import Any

from .desk import Desk

READ_EVERY = 20  # runs
# Runs after which nothing may grow any more. transformers keeps two tensors of each of its last ten image processors, and the
# template that makes one comes once in a round of all.
WARM = 300
ALLOCATED = "bytes allocated"
ALLOWED = {ALLOCATED: 2**20, "bytes resident": 2**27, "threads of asyncio's pool": min(32, (os.cpu_count() or 1) + 4)}
"""Growth by name; of all others none.

Resident memory has what the host leaves behind by reading files, which is told and not judged, and the gaps between what is
allocated, which move by tens of MB. The pool's threads come one by one and are never more than that (ThreadPoolExecutor).
"""
UNJUDGED = {"bytes left behind by reading files"}


def runs(desk: Desk, known: dict[str, dict], count: int, seed: int, warm: int = WARM) -> dict[str, Any]:
    """Of the workflows `known`, each in turn. AssertionError if a run fails or a picture differs from its first.

    What the server held, by the number of runs, is in "states"; see `check_flat`.
    """
    order = random.Random(seed)
    first: dict[str, tuple[str, ...]] = {}
    states: dict[str, dict[str, int]] = {}
    compared, left = 0, []
    for number in range(1, count + 1):
        left = left or (list(known) if number == 1 else order.sample(list(known), len(known)))
        name = left.pop(0)
        ran = desk.run(known[name])
        assert ran.end == "execution_success", f"run {number}, {name}: {ran.said}"
        print(f"run {number}, {name}: {ran.seconds:.1f} s", flush=True)
        assert ran.pictures == first.setdefault(name, ran.pictures), f"run {number}: pictures of {name} are others"
        compared += len(ran.pictures)
        if number % READ_EVERY == 0 or number in (count, warm):
            states[str(number)] = held = desk.state()
            print(f"run {number}, held: {held}", flush=True)
    return {"runs": count, "pictures": compared, "states": states}


def growth(found: dict[str, Any], name: str, warm: int = WARM) -> int:
    """Of what the server holds, since run `warm`."""
    return found["states"][str(found["runs"])][name] - found["states"][str(warm)][name]


def check_flat(found: dict[str, Any], warm: int = WARM, alone: dict[str, Any] | None = None) -> None:
    """AssertionError if what the server holds has grown since run `warm`.

    `alone`: as many runs of the host without the pack, whose growth of what is allocated is the host's here, too.
    """
    begun, ended = (found["states"][str(number)] for number in (warm, found["runs"]))
    for name in begun.keys() - UNJUDGED:
        allowed = ALLOWED.get(name, 0)
        if alone and name == ALLOCATED:
            allowed += max(0, growth(alone, name, warm))
        assert growth(found, name, warm) <= allowed, f"{name}: {begun[name]:,} at run {warm}, {ended[name]:,} in the end"
