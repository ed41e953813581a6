"""`make hosts`: the short suite of `make test` on the ComfyUIs and frontends that can be had, as a table in docs/hosts.md.

Of the pinned ones the oldest, a middle one and the main one, each with the frontend that it wants, and the main one with the
newest frontend that is pinned. With HOST_PATH=/path/to/ComfyUI on that one alone, by the packages of `.venv`. A row replaces
the row of the same host and frontend, and the others stay as they are.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

from ..comfyui.environment import link_pack
from ..comfyui.hosts import (
    MAIN,
    check_comfyui,
    frontend_of,
    make_frontend,
    make_host,
    newest_frontend,
    numbers,
    pinned,
    version_of,
)
from ..comfyui.install import ROOT, SetupError
from ..suites import SHORT, pytest

TABLE = ROOT / "docs" / "hosts.md"
ROWS = TABLE.with_suffix(".json")
NOTES = "\n## What to watch\n"  # what follows it is written by hand
HEAD = """# ComfyUIs and frontends that the pack was tried on

Written by `make hosts` (a row by hand: `make hosts HOST_PATH=/path/to/ComfyUI`), on a CPU. In each row the server loads the
pack, its schemas are the recorded ones, every template runs by the API, TIME and DiffEdit are compared with diffusers, and in
both renderers of the page every node is put on the graph and a workflow is run.

| ComfyUI | from | frontend | passed | failed | left out | seconds | on |
|---|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Tried:
    comfyui: Path
    version: str
    frontend: str
    source: str
    settings: Mapping[str, str]


@dataclass(frozen=True)
class Row:
    host: str
    source: str
    frontend: str
    passed: int
    failed: list[str]
    skipped: int
    seconds: int
    day: str


def to_try() -> list[Tried]:
    """Everything that is needed for them is there afterwards."""
    if given := os.environ.get("HOST_PATH"):
        comfyui = Path(given).resolve()
        check_comfyui(comfyui)
        frontend = frontend_of(comfyui)
        settings = {"COMFYUI_PATH": str(comfyui), "COMFYUI_PYTHON": sys.executable, "COMFYUI_FRONTEND": frontend}
        found = [Tried(comfyui, version_of(comfyui), frontend, os.environ.get("HOST_FROM") or "a folder", settings)]
    else:
        versions = pinned()
        found = [_pinned(version) for version in (versions[0], versions[len(versions) // 2], MAIN)]
        found.append(_pinned(MAIN, newest_frontend()))
    for each in found:
        link_pack(each.comfyui)
        if "COMFYUI_FRONTEND" in each.settings:
            make_frontend(each.frontend)
    return found


def _pinned(version: str, frontend: str | None = None) -> Tried:
    comfyui, settings = make_host(version), {"COMFYUI_VERSION": version}
    if frontend:
        settings["COMFYUI_FRONTEND"] = frontend
    return Tried(comfyui, version, frontend or frontend_of(comfyui), "PyPI", settings)


def tried(each: Tried, results: Path) -> Row:
    """Run the suite, which says on the screen what it does."""
    print(f"ComfyUI {each.version} with frontend {each.frontend}", flush=True)
    start = time.monotonic()
    status = pytest([*SHORT, "-q", f"--junitxml={results}"], settings=each.settings).wait()
    if status not in (0, 1):
        raise SetupError(f"The tests on ComfyUI {each.version} ended with status {status}, see above.")
    cases = list(ElementTree.parse(results).iter("testcase"))
    failed = [case.get("name", "") for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = sum(case.find("skipped") is not None for case in cases)
    passed, seconds = len(cases) - len(failed) - skipped, round(time.monotonic() - start)
    return Row(each.version, each.source, each.frontend, passed, failed, skipped, seconds, str(date.today()))


def merged(old: list[Row], new: list[Row]) -> list[Row]:
    """By host and frontend, oldest first."""
    rows = {(row.host, row.frontend): row for row in [*old, *new]}
    return sorted(rows.values(), key=lambda row: (numbers(row.host), numbers(row.frontend)))


def rendered(rows: list[Row]) -> str:
    def cells(row: Row) -> tuple:
        failed = ", ".join(row.failed) or 0
        return row.host, row.source, row.frontend, row.passed, failed, row.skipped, row.seconds, row.day

    return HEAD + "".join(f"| {' | '.join(map(str, cells(row)))} |\n" for row in rows)


def write(rows: list[Row]) -> None:
    _, heading, notes = TABLE.read_text().partition(NOTES) if TABLE.exists() else ("", "", "")
    ROWS.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    TABLE.write_text(rendered(rows) + heading + notes)


def main() -> int:
    try:
        with tempfile.TemporaryDirectory() as folder:
            new = []
            for each in to_try():
                new.append(tried(each, Path(folder) / "results.xml"))
                old = [Row(**row) for row in json.loads(ROWS.read_text())] if ROWS.exists() else []
                write(merged(old, new))
    except SetupError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"wrote {TABLE.relative_to(ROOT)}")
    return 1 if any(row.failed for row in new) else 0


if __name__ == "__main__":
    sys.exit(main())
