"""A report as files: CSV tables, results.json and one self-contained report.html."""

import base64
import io
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path

import jinja2
from PIL import Image

from ..data.tables import csv_of
from ..run.measurement import folder_name
from ..run.store import FINISHED, Store, canonical
from .bootstrap import Estimate
from .plot import svg
from .report import Report, Sheet

CELL = 128  # pixels of a picture on a contact sheet
TEMPLATE = Path(__file__).with_name("report.html.jinja")


def write_files(store: Store, report: Report, manifest: dict) -> list[str]:
    """Write all files of the report; their names. Equal results give equal bytes but for the date in report.html."""
    files = {
        f"{folder_name(table.title).replace('-', '_')}.csv": csv_of([_flat(row) for row in table.rows])
        for table in report.tables
    }
    if report.records:
        files["pictures.csv"] = csv_of(report.records)
    files[FINISHED] = canonical(
        {
            "manifest": manifest,
            "problems": list(report.problems),
            "tables": {table.title: [_flat(row) for row in table.rows] for table in report.tables},
            "targets": {target.name: [target.value, target.met] for target in report.targets},
        }
    )
    files["report.html"] = _html(store, report, manifest).encode()
    for name, content in files.items():
        store.write(name, content)
    return list(files)


def _flat(row: Mapping) -> dict:
    """A cell for each number of an estimate."""
    flat = {}
    for key, value in row.items():
        numbers = asdict(value) if isinstance(value, Estimate) else {"mean": value}
        flat |= {key if name == "mean" else f"{key}, {name}": number for name, number in numbers.items()}
    return flat


def _html(store: Store, report: Report, manifest: dict) -> str:
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return page.render(
        report=report,
        plots=[(plot, svg(plot)) for plot in report.plots],
        sheets=[(sheet, _sheet(store, sheet)) for sheet in report.sheets],
        manifest=canonical(manifest).decode(),
        today=date.today().isoformat(),
    )


def _sheet(store: Store, sheet: Sheet) -> list[tuple[str, list[str | None]]]:
    return [(label, [cell and _inline(store.picture(*cell)) for cell in cells]) for label, cells in sheet.rows]


def _inline(picture: Image.Image | None) -> str | None:
    if picture is None:
        return None
    picture.thumbnail((CELL, CELL))
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()
