"""The plots of `diffedit_settings`: one panel a question."""

from collections.abc import Callable
from pathlib import Path

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.ticker import ScalarFormatter

from .plot import draw_curves, draw_lines

Rows = dict[str, dict[str, float]]


def plot(path: Path, tables: dict[str, Rows]) -> None:
    """Write the panels whose tables are there."""
    panels: list[Callable[[Axes], None]] = []
    for name, rows in tables.items():
        if name.startswith("mask IoU against ") and name != "mask IoU against rule":
            panels.append(lambda axes, name=name, rows=rows: _against(axes, name, rows, skip=": area"))
        elif " against strength, " in name and "latent" not in name:
            panels.append(lambda axes, name=name, rows=rows: _against(axes, name, rows))
        elif name.startswith("inversion, "):
            panels.append(lambda axes, name=name, rows=rows: _methods(axes, name, rows))
    for kind in ("colour", "object"):
        success, kept = (tables.get(f"{what} against strength, {kind} edits") for what in ("edit success", "background PSNR"))
        if success and kept:
            panels.append(lambda axes, kind=kind, success=success, kept=kept: _trade(axes, kind, success, kept))
    if not panels:
        return
    count = -(-len(panels) // 2)
    figure, grid = pyplot.subplots(count, 2, figsize=(14, 4.4 * count), layout="constrained", squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.axis("off")
    for axes, panel in zip(grid.flat, panels, strict=False):
        panel(axes)
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def _against(axes: Axes, name: str, rows: Rows, skip: str | None = None) -> None:
    columns = [key for key in next(iter(rows.values())) if not (skip and key.endswith(skip))]
    x = [float(row) for row in rows]
    what, _, setting = name.partition(" against ")
    draw_lines(axes, x, {key: [row[key] for row in rows.values()] for key in columns}, name, setting.split(",")[0])
    axes.set_ylabel(what)
    if setting == "maps":
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.legend(fontsize=7)


def _trade(axes: Axes, kind: str, success: Rows, kept: Rows) -> None:
    """Edit success against what the background kept, a curve a way, a point a strength."""
    ways = next(iter(success.values()))
    curves = {way: ([row[way] for row in kept.values()], [row[way] for row in success.values()]) for way in ways}
    strengths = list(success)
    title = f"edit success against background, {kind} edits, strength {strengths[0]} to {strengths[-1]}"
    draw_curves(axes, curves, title, "background PSNR, dB")
    axes.set_ylabel("edit success")
    axes.legend(fontsize=7)


def _methods(axes: Axes, name: str, rows: Rows) -> None:
    """What comes back against model calls, a curve a method, a point a number of steps."""
    measure = "PSNR" if "PSNR" in next(iter(rows.values())) else "error back"
    points: dict[str, list[tuple[float, float]]] = {}
    for row, values in rows.items():
        points.setdefault(row.rpartition(", ")[0], []).append((values["model calls"], values[measure]))
    curves = {method: tuple(zip(*found, strict=True)) for method, found in points.items()}
    draw_curves(axes, curves, name, "model calls, there and back")
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_ylabel("PSNR, dB" if measure == "PSNR" else "error of what came back")
    if measure != "PSNR":
        axes.set_yscale("log")
    axes.legend(fontsize=7)
