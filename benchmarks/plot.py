"""Line plots of measured tables."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402


def draw_lines(axes: Axes, x: Sequence, curves: Mapping[str, Sequence[float]], title: str, x_label: str) -> None:
    """One panel but for its legend: a curve an entry of `curves`, marked at the measured points; all over the same `x`."""
    draw_curves(axes, {name: (x, values) for name, values in curves.items()}, title, x_label)


def draw_curves(axes: Axes, curves: Mapping[str, tuple[Sequence, Sequence[float]]], title: str, x_label: str) -> None:
    """The same where each curve has its own x values."""
    for (name, (x, values)), marker in zip(curves.items(), "osD^vP*X" * len(curves), strict=False):
        axes.plot(x, values, marker=marker, label=name)
    axes.set_title(title)
    axes.set_xlabel(x_label)
    axes.grid(alpha=0.3)


def lines(path: Path, title: str, x_label: str, x: Sequence, curves: Mapping[str, Sequence[float]], log: bool = False) -> None:
    """Write one panel to `path`."""
    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    draw_lines(axes, x, curves, title, x_label)
    axes.legend()
    if log:
        axes.set_xscale("log")
        axes.set_yscale("log")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def curves_svg(
    title: str, x_label: str, y_label: str, curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], log_x: bool = False
) -> str:
    """One panel as an SVG element; each curve has its own x values. Equal curves give equal text."""
    figure, axes = pyplot.subplots(figsize=(9, 4), layout="constrained")
    draw_curves(axes, curves, title, x_label)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))  # beside the panel: over it, eight names would hide curves
    axes.set_ylabel(y_label)
    if log_x:
        axes.set_xscale("log")
    content = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "report"}):
        figure.savefig(content, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    return content.getvalue()[content.getvalue().index("<svg") :]


def pages(path: Path, tables: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> None:
    """Write one panel a table to `path`: the rows along the axis, a curve for every column, in percent."""
    columns = 2
    rows = -(-len(tables) // columns)
    figure, grid = pyplot.subplots(rows, columns, figsize=(13, 3.6 * rows), layout="constrained", squeeze=False)
    for axes, (name, table) in zip(grid.flat, tables.items(), strict=False):
        keys = [key for key in next(iter(table.values())) if key != "geometric mean"]
        percent = {key: [_percent(row[key]) for row in table.values()] for key in keys}
        draw_lines(axes, range(len(table)), percent, name, "")
        axes.legend()
        axes.set_xticks(range(len(table)), [label.replace(" (", "\n(").replace(" and ", "\nand ") for label in table])
        axes.set_ylim(-5, 105)
        axes.set_ylabel("%")
    for axes in list(grid.flat)[len(tables) :]:
        axes.axis("off")
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def _percent(share: float | None) -> float:
    return float("nan") if share is None else 100 * share
