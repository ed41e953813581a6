"""`make fuzz`: 10,000 examples of each family, which can be stopped and gone on with.

SEED=7 draws these examples again, EXAMPLES=500 fewer, ONLY="questions DDIMInvert" these families (with _ for a blank). What is
done lies in .cache/fuzz/<seed>-<examples>; without SEED an unfinished run is gone on with. A family that failed begins again
where it did. PAGE=1 writes what is there into docs/reliability.md, as a whole run does in the end.
"""

import os
import random
import sys
import time
import traceback
from pathlib import Path

from benchmarks.run.conduct import describe_machine
from tools.comfyui.environment import ROOT
from tools.comfyui.library import load_pack

load_pack()

import torch  # noqa: E402
from reliability.page import commit, record, recorded, write_section  # noqa: E402

from .bar import Tally  # noqa: E402
from .families import Family, families  # noqa: E402
from .run import run  # noqa: E402

FOLDER = ROOT / ".cache" / "fuzz"
WHOLE = 10_000  # examples of each family
DEEPEST, LONGEST = 6, 1500  # calls of a failure, and characters of what is said of it
CHUNK = 500  # after which what is done is written down


def main() -> int:
    torch.set_num_threads(1)
    known = families()
    examples = int(os.environ.get("EXAMPLES") or WHOLE)
    only = [name.replace("_", " ") for name in os.environ.get("ONLY", "").split()] or list(known)
    seed = int(os.environ.get("SEED") or unfinished(examples, known) or random.SystemRandom().randrange(10**6))
    folder = FOLDER / f"{seed}-{examples}"
    print(f"SEED={seed} EXAMPLES={examples}", flush=True)
    if os.environ.get("PAGE"):
        write_page(folder, known, examples, seed)
        return 0
    failed = [name for name in only if not whole(folder / f"{name}.json", name, known[name], examples, seed)]
    if examples >= WHOLE and only == list(known):
        write_page(folder, known, examples, seed)
    print(f"failed: {', '.join(failed)}" if failed else "all families hold")
    return 1 if failed else 0


def unfinished(examples: int, known: dict[str, Family]) -> str:
    """The seed of a run that was interrupted, "" if there is none."""
    for folder in sorted(FOLDER.glob(f"*-{examples}"), key=lambda path: path.stat().st_mtime, reverse=True):
        if any(recorded(folder / f"{name}.json").get("examples", 0) < examples for name in known):
            return folder.name.partition("-")[0]
    return ""


def whole(path: Path, name: str, family: Family, examples: int, seed: int) -> bool:
    """Run what is left of a family. False if an example did not hold."""
    state = {"examples": 0, "ends": {}, "latest": 0.0, "seconds": 0.0, "commit": commit()} | recorded(path)
    while state["examples"] < examples:
        begun, first = time.process_time(), state["examples"]
        try:
            tally = run(family, min(CHUNK, examples - first), seed * 1_000_003 + first)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            print(f"{name}: FAILED after {first} examples", *about(error), sep="\n", flush=True)
            return False
        total = Tally()
        total.ends.update(state["ends"])
        total.latest = state["latest"]
        total += tally
        state |= {
            "examples": first + min(CHUNK, examples - first),
            "ends": dict(total.ends),
            "latest": total.latest,
            "seconds": state["seconds"] + time.process_time() - begun,
        }
        record(path, state)
    print(f"{name}: {state['examples']} examples, {state['seconds']:.0f} s, {state['ends']}", flush=True)
    return True


def about(error: BaseException) -> list[str]:
    """Where it was raised, and the example, without the numbers of its tensors."""
    where = [line.rstrip() for line in traceback.format_tb(error.__traceback__)[-DEEPEST:]]
    return [*where, repr(error)[:LONGEST], *(note[:LONGEST] for note in getattr(error, "__notes__", []))]


COLUMNS = ("result", "refused, named", "refused", "interrupted")


def write_page(folder: Path, known: dict[str, Family], examples: int, seed: int) -> None:
    lines = [
        f"`make fuzz SEED={seed}`, {describe_machine()}.",
        "",
        "| family | examples | proper results | refused, naming what is wrong | refused, naming another | interrupted | CPU |",
        "|---|---|---|---|---|---|---|",
    ]
    done = {name: recorded(folder / f"{name}.json") for name in known}
    for name, state in done.items():
        if state:
            ends = " | ".join(f"{state['ends'].get(column, 0):,}" for column in COLUMNS)
            lines.append(f"| {name} | {state['examples']:,} | {ends} | {state['seconds']:.0f} s |")
    count = sum(state.get("examples", 0) for state in done.values())
    latest = max((state["latest"] for state in done.values() if state), default=0.0)
    left = [name for name, state in done.items() if state.get("examples", 0) < examples]
    lines += ["", f"{count:,} examples of {len(known)} families. The latest interrupt was heard after {latest:.2f} s."]
    if len({state["commit"] for state in done.values() if state}) > 1:
        lines.append("The pack changed while this ran: a family with a failure was gone on with after it was mended.")
    if left:
        lines.append(f"Not run to the end: {', '.join(left)}.")
    write_section("fuzz", lines)


if __name__ == "__main__":
    sys.exit(main())
