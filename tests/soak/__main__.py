"""`make soak`: 1,000 runs, as many of the host alone, 300 interrupts, 100 kills of saves and 20 of servers; one with PART=runs.

RUNS=100 makes a tenth of each. What is done lies in .cache/soak; a part that was interrupted begins again.
PAGE=1 writes what is there into docs/reliability.md, as a whole run does in the end.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from reliability.page import record, recorded, write_section

from benchmarks.run.conduct import describe_machine
from tools.comfyui.environment import ROOT

from .desk import desk, host_alone, workflows
from .interrupts import interrupts
from .killed_servers import killed_servers
from .runs import ALLOCATED, READ_EVERY, WARM, check_flat, growth, runs

FOLDER = ROOT / ".cache" / "soak"
WHOLE = 1000  # runs
SHARES = {"host": 1.0, "runs": 1.0, "interrupts": 0.3, "saves": 0.1, "servers": 0.02}


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server ends, too
    count, seed = int(os.environ.get("RUNS") or WHOLE), int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    parts = os.environ.get("PART", "").split() or list(SHARES)
    if not os.environ.get("PAGE"):
        for part in parts:
            path = FOLDER / f"{part}-{count}.json"
            if recorded(path):
                print(f"{part}: done before; remove {path.relative_to(ROOT)} to run it again", flush=True)
                continue
            print(f"{part}: {round(SHARES[part] * count)}, SEED={seed}", flush=True)
            begun = time.monotonic()
            found = PARTS[part](max(1, round(SHARES[part] * count)), seed)
            record(path, found | {"seed": seed, "seconds": time.monotonic() - begun})
            print(f"{part}: {told(part, found)}", flush=True)
    if os.environ.get("PAGE") or (count >= WHOLE and parts == list(SHARES)):
        write_page(count)
    return 0


def of_host(count: int, seed: int) -> dict[str, Any]:
    return ran(host_alone(), count, seed)


def of_runs(count: int, seed: int) -> dict[str, Any]:
    found = ran(workflows(), count, seed)
    check_flat(found, found["warm"], recorded(FOLDER / f"host-{count}.json"))
    return found


def ran(known: dict[str, dict], count: int, seed: int) -> dict[str, Any]:
    warm = WARM if count > WARM else count // 2
    with desk() as server:
        return runs(server, known, count, seed, warm) | {"warm": warm}


def of_interrupts(count: int, seed: int) -> dict[str, Any]:
    with desk() as server:
        return interrupts(server, workflows(), count, seed)


def of_saves(count: int, seed: int) -> dict[str, Any]:
    from tools.comfyui.library import load_pack

    load_pack()
    from .killed_saves import killed_saves

    return killed_saves(count, seed)


PARTS: dict[str, Callable[[int, int], dict[str, Any]]] = {
    "host": of_host,
    "runs": of_runs,
    "interrupts": of_interrupts,
    "saves": of_saves,
    "servers": killed_servers,
}


def told(part: str, found: dict[str, Any]) -> str:
    """A line of the page."""
    if part == "host":
        return (
            f"{found['runs']:,} runs of the host without a node of the pack: from run {found['warm']} on it holds "
            f"{growth(found, ALLOCATED, found['warm']) / 1e6:.2f} MB more, beside what reading files leaves behind."
        )
    if part == "runs":
        begun, ended = (found["states"][str(number)] for number in (found["warm"], found["runs"]))
        judged = [state for number, state in found["states"].items() if int(number) >= found["warm"]]

        def megabytes(name: str) -> str:
            held = [state[name] / 1e6 for state in judged]
            return f"{held[0]:.1f} -> {held[-1]:.1f} MB (between {min(held):.1f} and {max(held):.1f})"

        counts = ", ".join(f"{name} {begun[name]:,} -> {ended[name]:,}" for name in begun if not name.startswith("bytes"))
        return (
            f"{found['runs']:,} runs of all templates in one server, {found['pictures']:,} pictures, each equal to its first. "
            f"From run {found['warm']} on, read every {READ_EVERY} runs: allocated {megabytes('bytes allocated')}, beside it "
            f"what the host's reading of files leaves behind, {megabytes('bytes left behind by reading files')}, resident "
            f"{megabytes('bytes resident')}, {counts}."
        )
    if part == "interrupts":
        return (
            f"{found['interrupts']} interrupts at random moments ({found['after the end']} came when the run was over): heard "
            f"after {found['median']:.2f} s (median), {found['latest']:.2f} s at the latest. Left alone a run is silent for up "
            f"to {found['longest silence alone']:.2f} s: a model call, or the loading of a model. Pictures afterwards are what "
            "they were."
        )
    if part == "saves":
        return (
            f"{found['kills']} kill -9 during saves of edits and LoRAs: every file is whole, the old one or the new; "
            f"{found['left behind and removed']} temporary files were left, and removed by a later save."
        )
    return f"{found['kills']} kill -9 of the server during a run: started again, its files load, its pictures are the same."


def write_page(count: int) -> None:
    lines = [f"`make soak`, {describe_machine()}.", ""]
    for part in SHARES:
        found = recorded(FOLDER / f"{part}-{count}.json")
        lines.append(f"- {told(part, found)} ({found['seconds'] / 60:.0f} min)" if found else f"- {part}: not run to the end.")
    write_section("soak", lines)


if __name__ == "__main__":
    sys.exit(main())
