"""Line plots of measured tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402


def draw_lines(axes: Axes, x: Sequence, curves: Mapping[str, Sequence[float]], title: str, x_label: str) -> None:
    """One panel: a curve an entry of `curves`, marked at the measured points."""
    for (name, values), marker in zip(curves.items(), "osD^vP*X" * len(curves), strict=False):
        axes.plot(x, values, marker=marker, label=name)
    axes.set_title(title)
    axes.set_xlabel(x_label)
    axes.grid(alpha=0.3)
    axes.legend()


def lines(path: Path, title: str, x_label: str, x: Sequence, curves: Mapping[str, Sequence[float]], log: bool = False) -> None:
    """Write one panel to `path`."""
    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    draw_lines(axes, x, curves, title, x_label)
    if log:
        axes.set_xscale("log")
        axes.set_yscale("log")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
