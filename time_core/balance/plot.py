"""The plot of a search for balance, drawn with Pillow, which every ComfyUI has."""

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from .curve import read_off
from .report import four_digits
from .search import Probe, Search

PAPER, INK, MUTED, GRID = "white", "#222222", "#767676", "#dddddd"
SHARES, TARGET = "#1f6fc4", "#b85f10"
LEFT, RIGHT, TOP, BOTTOM = 56, 30, 34, 52
TEXT, DASH, DOT = 13, 6, 4
SHARE_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
MOST_TICKS = 8


def plot(search: Search, probes: Sequence[Probe], width: int = 640, height: int = 400) -> Image.Image:
    """Share over lambda (logarithmic, between the search's bounds), the target dashed; what was found is ringed, its margin a
    bar, and told below.

    RGB, `width` x `height`, at least 200 x 150. Equal arguments give equal pixels.
    """
    picture = Image.new("RGB", (width, height), PAPER)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(size=TEXT)
    left, right, top, bottom = LEFT, width - RIGHT, TOP, height - BOTTOM
    low, high = math.log10(search.lowest), math.log10(search.highest)

    def place(lamb: float, share: float) -> tuple[float, float]:
        across = (math.log10(lamb) - low) / (high - low)
        return left + across * (right - left), bottom - share * (bottom - top)

    for share in SHARE_TICKS:
        _, y = place(search.lowest, share)
        pen.line((left, y, right, y), GRID)
        pen.text((left - 8, y), f"{share:g}", MUTED, font, "rm")
    for lamb in _ticks(search):
        x, _ = place(lamb, 0)
        pen.line((x, top, x, bottom), GRID)
        pen.text((x, bottom + 6), four_digits(lamb), MUTED, font, "mt")
    pen.rectangle((left, top, right, bottom), outline=MUTED)
    pen.text((left, TOP - 10), "share, by lambda", SHARES, font, "lb")

    _, y = place(search.lowest, search.target)
    for x in range(left, right, 2 * DASH):
        pen.line((x, y, min(x + DASH, right), y), TARGET, 2)
    pen.text((right, TOP - 10), f"target {search.target:g}", TARGET, font, "rb")

    points = [place(probe.lamb, probe.share) for probe in sorted(probes, key=lambda probe: probe.lamb)]
    pen.line(points, SHARES, 2)
    for x, y in points:
        pen.ellipse((x - DOT, y - DOT, x + DOT, y + DOT), SHARES)
    if probes:
        found = read_off(search, probes)
        x, y = place(found.lamb, found.share)
        _, upper = place(found.lamb, min(found.share + found.margin, 1))
        _, lower = place(found.lamb, max(found.share - found.margin, 0))
        pen.line((x, upper, x, lower), INK, 2)
        pen.ellipse((x - 2 * DOT, y - 2 * DOT, x + 2 * DOT, y + 2 * DOT), outline=INK, width=2)
        told = f"lambda {four_digits(found.lamb)}, share {found.share:.2f} ± {found.margin:.2f}"
        pen.text((left, height - 6), told, INK, font, "lb")
    return picture


def _ticks(search: Search) -> list[float]:
    """The powers of ten between the bounds, at most MOST_TICKS; where there are fewer than two, the bounds."""
    first = math.ceil(math.log10(search.lowest) - 1e-9)
    last = math.floor(math.log10(search.highest) + 1e-9)
    if last <= first:
        return [search.lowest, search.highest]
    return [10.0**power for power in range(first, last + 1, -(-(last - first + 1) // MOST_TICKS))]
