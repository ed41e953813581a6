"""Measure the pack on a graphics card: full-size SD 1.5 and SDXL of random weights, without and with dynamic VRAM.

Writes gpu.md and gpu.json and keeps them up to date while it runs. Ends with status 1 if a configuration failed or is further
from the CPU than it may be; what there was no time for is no failure.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tools.comfyui.environment import ROOT

from .bounds import BOUNDS
from .conduct import NO_TIME, Crew, WorkerProcess, conduct
from .configurations import ALL, CPU, SMALL, SMALL_EFFORT, Configuration, Effort
from .page import page

HOURS = 12 * 3600.0


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--seconds", type=float, default=HOURS, help="what is not measured by then is left out (12 hours)")
    parser.add_argument("--each", type=float, default=600.0, help="the most seconds that one configuration may take (600)")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of gpu.md and gpu.json (docs)")
    parser.add_argument("--folder", type=Path, help="for 9 GB of checkpoints, which are deleted in the end (a temporary one)")
    parser.add_argument("--only", nargs="+", metavar="MODEL-DTYPE", help="such as sd15-fp16 sdxl-bf16 (all)")
    parser.add_argument("--steps", type=int, default=Effort.steps, help=f"of a sampling that is timed ({Effort.steps})")
    parser.add_argument("--rounds", type=int, default=Effort.rounds, help=f"of it, plain and edited ({Effort.rounds})")
    parser.add_argument("--small", action="store_true", help="a small model on the CPU, to see that it runs")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    args = parser().parse_args(arguments)
    begun = time.monotonic()
    effort = SMALL_EFFORT if args.small else Effort(args.steps, args.rounds)
    chosen = chosen_of(SMALL if args.small else ALL, args.only)
    if not chosen:
        print(f"error: --only {' '.join(args.only)}: no such configuration.", file=sys.stderr)
        return 1

    def keep(results: dict) -> None:
        if measured_in(results):
            write(results, args.docs)
        row = results["configurations"][-1]
        print(f"{time.monotonic() - begun:.0f} s: {row['name']}: {', '.join(row['parts'])}", flush=True)

    crew = Crew(dict.fromkeys([*(one.start for one in chosen), CPU]), WorkerProcess, begun + args.seconds, args.each)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        try:
            results = conduct(chosen, effort, crew, Path(folder), keep)
        except KeyboardInterrupt:
            return 130
        finally:
            crew.dismiss_all()
    problems = [f"{row['name']}: {problem}" for row in results["configurations"] for problem in row["problems"]]
    written = f"Written: {args.docs / 'gpu.md'}" if measured_in(results) else "Nothing was measured, and nothing written."
    print("\n".join([written, *problems]))
    return 1 if any(not problem.endswith(NO_TIME) for problem in problems) else 0


def chosen_of(configurations: Sequence[Configuration], only: Sequence[str] | None) -> list[Configuration]:
    return [one for one in configurations if not only or f"{one.model}-{one.dtype}" in only]


def measured_in(results: dict) -> bool:
    return any(row["parts"] for row in results["configurations"])


def write(results: dict, docs: Path) -> None:
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "gpu.md").write_text(page(results, BOUNDS), encoding="utf-8")
    (docs / "gpu.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
