"""Interrupts at moments drawn at random: each is heard within a model call, and afterwards the pictures are what they were."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .desk import Desk

COMPARED_EVERY = 10  # interrupts
TIMES, BESIDE = 3.0, 1.0  # allowed: a run's longest silence so often, and seconds more; the machine has other work


def interrupts(desk: Desk, known: dict[str, dict], count: int, seed: int) -> dict[str, Any]:
    """Of runs of the workflows `known`. AssertionError if one is not heard, or a picture differs afterwards."""
    order = random.Random(seed)
    alone = {}
    for name, api in known.items():
        alone[name] = desk.run(api)
        assert alone[name].end == "execution_success", f"{name}: {alone[name].said}"
    late, missed = [], 0
    with ThreadPoolExecutor(1) as pool:
        for number in range(1, count + 1):
            name = order.choice(list(known))
            running = pool.submit(desk.run, known[name])
            time.sleep(order.uniform(0, alone[name].seconds))
            at = time.monotonic()
            desk.interrupt()
            ran = running.result()
            if ran.end == "execution_success":  # it came when the run was over
                missed += 1
            else:
                assert ran.end == "execution_interrupted", f"interrupt {number}, {name}: {ran.said}"
                late.append(time.monotonic() - at)
                allowed = TIMES * alone[name].silence + BESIDE
                assert late[-1] <= allowed, f"interrupt {number}, {name}: heard after {late[-1]:.1f} s, not {allowed:.1f}"
            if number % COMPARED_EVERY == 0 or number == count:
                name = order.choice(list(known))
                assert desk.run(known[name]).pictures == alone[name].pictures, f"after {number}: pictures of {name} are others"
    late.sort()
    return {
        "interrupts": count,
        "after the end": missed,
        "median": late[len(late) // 2] if late else 0.0,
        "latest": late[-1] if late else 0.0,
        "longest silence alone": max(ran.silence for ran in alone.values()),
    }
