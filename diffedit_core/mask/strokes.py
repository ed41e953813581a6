"""Strokes that a person drew over a mask: cells that are added to it, or taken away, after its rule.

They are a text, as a node's input is, of strokes with ";" between them, in the order in which they were drawn:

    paint PLACE RADIUS X,Y X,Y ...    masks what a round brush covers on its way from point to point
    erase PLACE RADIUS X,Y X,Y ...    unmasks it
    add PLACE X,Y                     masks the heat around a point: what is connected with it and at least half as hot
    remove PLACE X,Y                  unmasks the masked area that holds a point, as the mask is by then

PLACE is the picture's number in its batch, from 1; of a video clip "2.5" is the fifth latent frame of the second, and "2"
all of its frames, each by itself. X and Y are ten-thousandths of the picture's width and height, from its left upper corner,
and RADIUS is ten-thousandths of its longer side: strokes do not depend on its size, nor on whether a mask is of cells or of
pixels. Cells are connected by their sides.

web/js/diffedit/strokes.mjs is this once more, for the browser: the same operations of float64 in the same order.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from .cell_shapes import connected

UNIT = 10_000  # of coordinates and radii
PAINT, ERASE, ADD, REMOVE = "paint", "erase", "add", "remove"
SHOWN = 60  # characters of what is wrong
TOUCH = 0.5  # cells squared; no brush is smaller, so that it covers the cell that it is in, wherever in it
_NUMBER = "[1-9][0-9]{0,4}"
_POINT = "[0-9]{1,5},[0-9]{1,5}"
_PLACE = rf"({_NUMBER})(?:\.({_NUMBER}))?"
_BRUSH = re.compile(rf"({PAINT}|{ERASE}) {_PLACE} ({_NUMBER})((?: {_POINT})+)")
_AREA = re.compile(rf"({ADD}|{REMOVE}) {_PLACE}( {_POINT})")


@dataclass(frozen=True)
class Stroke:
    """
    Attributes:
        kind: PAINT, ERASE, ADD or REMOVE.
        picture: from 0.
        frame: of a clip, from 0; None: all of them, and the one of a picture.
        radius: of the brush, 1 .. UNIT; 0 of an area.
        points: (x, y), 0 .. UNIT; one of an area.
    """

    kind: str
    picture: int
    frame: int | None
    radius: int
    points: tuple[tuple[int, int], ...]


def parse_strokes(strokes: str) -> tuple[Stroke, ...]:
    """The strokes of a text; none of one that is empty.

    Raises:
        ValueError: one of them is none.
    """
    parts = [part.strip(" ") for part in strokes.split(";")]
    return tuple(_parsed(part, number) for number, part in enumerate(parts, 1)) if parts != [""] else ()


def require_places(strokes: tuple[Stroke, ...], pictures: int, frames: int) -> None:
    """Raises ValueError for a stroke on a picture or a frame that there is not; frames is 1 for pictures."""
    for number, stroke in enumerate(strokes, 1):
        beyond = stroke.picture >= pictures and f"picture {stroke.picture + 1} of {pictures}"
        if not beyond and stroke.frame is not None and stroke.frame >= frames:
            beyond = f"frame {stroke.frame + 1} of {frames}"
        if beyond:
            raise ValueError(
                f"strokes: number {number} was drawn on {beyond}, which there is not; take the strokes back in the node's "
                "view, or connect the pictures that they were drawn on."
            )


def touched_up(mask: torch.Tensor, heat: torch.Tensor, strokes: tuple[Stroke, ...]) -> torch.Tensor:
    """The mask after all strokes, one after the other.

    Args:
        mask: (pictures, [frames,] height, width) of 0 and 1.
        heat: of that shape, of which `add` takes areas.

    Returns:
        Of the shape and type of `mask`, which stays as it is.

    Raises:
        ValueError: see `require_places`.
    """
    *places, height, width = mask.shape
    pictures, frames = places if len(places) > 1 else (*places, 1)
    require_places(strokes, pictures, frames)
    cells = (mask.reshape(pictures, frames, height, width) > 0).numpy()  # a copy, by the comparison
    hot = heat.reshape(cells.shape).numpy()
    for stroke in strokes:
        for frame in range(frames) if stroke.frame is None else [stroke.frame]:
            at = stroke.picture, frame
            _apply(stroke, cells[at], hot[at])
    return torch.from_numpy(cells).to(mask.dtype).reshape(mask.shape)


def covered(stroke: Stroke, height: int, width: int) -> np.ndarray:
    """(height, width) bool: the cells whose centre lies within the brush somewhere on its way."""
    found = np.zeros((height, width), bool)
    reach = stroke.radius * max(height, width) / UNIT
    nearest = max(reach * reach, TOUCH)
    for (ax, ay), (bx, by) in _ways(stroke.points, height, width):
        rows = _near(min(ay, by), max(ay, by), reach, height)
        columns = _near(min(ax, bx), max(ax, bx), reach, width)
        dx, dy = bx - ax, by - ay
        length = dx * dx + dy * dy
        x = np.arange(columns.start, columns.stop) + 0.5 - ax
        y = (np.arange(rows.start, rows.stop) + 0.5 - ay)[:, None]
        along = ((x * dx + y * dy) / length).clip(0, 1) if length > 0 else np.zeros_like(x + y)
        away_x, away_y = x - along * dx, y - along * dy
        found[rows, columns] |= away_x * away_x + away_y * away_y <= nearest
    return found


def _apply(stroke: Stroke, cells: np.ndarray, hot: np.ndarray) -> None:
    """Changes `cells` (height, width), bool."""
    height, width = cells.shape
    if stroke.kind in (PAINT, ERASE):
        cells[covered(stroke, height, width)] = stroke.kind == PAINT
        return
    ((x, y),) = stroke.points
    row, column = min(y * height // UNIT, height - 1), min(x * width // UNIT, width - 1)
    within = hot >= hot[row, column] / 2 if stroke.kind == ADD else cells
    if within[row, column]:
        cells[connected(within, row, column)] = stroke.kind == ADD


def _ways(points: tuple[tuple[int, int], ...], height: int, width: int) -> Iterator[tuple[tuple[float, float], ...]]:
    """From each point to the next, in cells; a single one goes nowhere."""
    scaled = [(x * width / UNIT, y * height / UNIT) for x, y in points]
    return zip(scaled, scaled[1:] or scaled, strict=False)


def _near(low: float, high: float, reach: float, count: int) -> slice:
    """Of `count` cells in a line those that the brush may cover, and a few more."""
    return slice(max(0, math.floor(low - reach) - 1), min(count, math.ceil(high + reach) + 1))


def _parsed(text: str, number: int) -> Stroke:
    if found := _BRUSH.fullmatch(text):
        kind, picture, frame, radius, points = found.groups()
    elif found := _AREA.fullmatch(text):
        (kind, picture, frame, points), radius = found.groups(), "0"
    else:
        raise ValueError(_wrong(text, number, "is no stroke"))
    places = tuple((int(x), int(y)) for x, y in (point.split(",") for point in points.split()))
    if max(int(radius), *(max(place) for place in places)) > UNIT:
        raise ValueError(_wrong(text, number, f"has a number above {UNIT}"))
    return Stroke(kind, int(picture) - 1, None if frame is None else int(frame) - 1, int(radius), places)


def _wrong(text: str, number: int, what: str) -> str:
    shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
    return (
        f"strokes: number {number}, {shown!r}, {what}; take the strokes back in the node's view, empty the input, or write "
        "such as 'paint 1 300 5000,5000 6000,5500; remove 1 1200,800'."
    )
