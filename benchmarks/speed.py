"""Speed and memory of both methods: the runs of `make bench-time` and `make bench-diffedit` in one table."""

import json
import os
import subprocess
import sys
from argparse import ArgumentParser, Namespace

from tools.comfyui.environment import ROOT

from .run.files import write_files
from .run.measurement import Report, Table
from .run.store import Store

DIFFEDIT_RUN = ROOT / ("bench-output" if os.environ.get("QUICK") else "docs") / "diffedit_speed.json"
BENCHES = {
    "TIME": ("benchmarks.time_speed", ROOT / "bench-output" / "time_speed.json", ROOT / "docs" / "time_speed.json"),
    "DiffEdit": ("benchmarks.diffedit_speed", DIFFEDIT_RUN, ROOT / "docs" / "diffedit_speed.json"),
}
"""By method: the module that measures, the file it writes, and the file of the last published run."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--last", action="store_true", help="show the published runs of docs/ without measuring anew")
    parser.add_argument("--output", help="a folder or an fsspec URL for CSV, JSON and HTML")


def main(args: Namespace) -> int:
    """0 if every target is met."""
    if not args.last:
        for module, _, _ in BENCHES.values():
            subprocess.run(
                [sys.executable, "-P", "-m", module], cwd=ROOT, check=False
            )  # a target that is short is in the table
    measured = {method: json.loads((last if args.last else new).read_text()) for method, (_, new, last) in BENCHES.items()}
    report = speed_report(measured)
    for row in report.tables[0].rows:
        print(" | ".join(report.tables[0].cell(row, column) for column in row))
    if args.output:
        print(f"Written to {args.output}: {', '.join(write_files(Store(args.output), report, {}))}")
    return 0 if all(row["met"] == "ok" for row in report.tables[0].rows) else 1


def speed_report(measured: dict[str, dict]) -> Report:
    """One table of what each run measured against its target."""
    rows = [
        {
            "method": method,
            "measured": target["name"],
            "value": target["value"],
            "target": ("<= " if target["at_most"] else ">= ") + f"{target['bound']:g}",
            "met": "ok" if target["met"] else "SHORT",
        }
        for method, results in measured.items()
        for target in results["targets"]
    ]
    machines = [f"{method}: {results['machine']}." for method, results in measured.items()]
    return Report("Speed and memory", machines, [Table("Speed", rows)])
