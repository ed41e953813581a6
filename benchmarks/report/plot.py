"""Curves as SVG for a page, and as one picture of panels for the documentation."""

import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .report import Plot

COLUMNS = 2  # of panels, at most


def draw(axes: Axes, plot: Plot) -> None:
    """One panel but for its legend: a curve an entry, marked at the measured points."""
    for (name, (x, values)), marker in zip(plot.curves.items(), "osD^vP*X" * len(plot.curves), strict=False):
        axes.plot(x, [float("nan") if value is None else value for value in values], marker=marker, label=name)
    axes.set(title=plot.title, xlabel=plot.x_label, ylabel=plot.y_label)
    axes.grid(alpha=0.3)
    if plot.log_x:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
    if plot.log_y:
        axes.set_yscale("log")


def svg(plot: Plot) -> str:
    """One panel as an SVG element. Equal plots give equal text."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    draw(axes, plot)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))  # beside the panel: over it, eight names would hide curves
    content = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "report"}):
        figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()[content.getvalue().index("<svg") :]


def panels(path: Path, plots: Sequence[Plot]) -> None:
    """Write all of them to one picture."""
    columns = min(COLUMNS, len(plots))
    rows = -(-len(plots) // columns)
    figure = Figure(figsize=(7 * columns, 4.4 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, plot in zip(grid.flat, plots, strict=False):
        draw(axes, plot)
        axes.legend(fontsize=7)
    for axes in list(grid.flat)[len(plots) :]:
        axes.axis("off")
    figure.savefig(path, dpi=80)
