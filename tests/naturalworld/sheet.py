"""Contact sheets: things in all colours, people, grounds, scenes with their captions.

Run as `python -m naturalworld.sheet FOLDER`.
"""

import sys
import textwrap
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from .colours import COLOURS
from .dataset import draw_split
from .grounds import GROUNDS, draw_ground
from .pictures import STYLES
from .professions import GENDERS, PROFESSIONS, SKIN_TONES
from .sprites import person_sprite, thing_sprite
from .things import THINGS

PAPER = (206, 208, 212)
CELL = 64
OVERLAY = np.array([[0, 0, 0], [230, 60, 60], [60, 90, 230], [60, 170, 80], [230, 190, 40]], np.uint8)


def grid(rows: list[list[np.ndarray]], cell: int = CELL) -> Image.Image:
    """RGBA or RGB pictures in rows, each reduced to `cell` pixels."""
    sheet = Image.new("RGB", (cell * max(map(len, rows)), cell * len(rows)), PAPER)
    for y, row in enumerate(rows):
        for x, pixels in enumerate(row):
            one = Image.fromarray(pixels).convert("RGBA").resize((cell, cell), Image.Resampling.BOX)
            sheet.paste(one, (x * cell, y * cell), one)
    return sheet


def things(coloured: bool) -> Image.Image:
    rows = [
        [thing_sprite(thing, style, colour).rgba for style in STYLES for colour in (COLOURS if coloured else (None,))]
        for thing in THINGS
        if bool(thing.colour) == coloured
    ]
    if coloured:
        return grid(rows)
    return grid([sum(rows[i : i + 8], []) for i in range(0, len(rows), 8)])


def people() -> Image.Image:
    """Each profession: woman, man, neutral form; every second one in the other style, skin tones in turn."""
    rows = [
        [person_sprite(p, style, gender, SKIN_TONES[i % len(SKIN_TONES)]).rgba for style in STYLES for gender in GENDERS]
        for i, p in enumerate(PROFESSIONS)
    ]
    return grid(rows)


def grounds() -> Image.Image:
    rows = [
        [(draw_ground(np.random.RandomState(seed), g.kind, source, 128) * 255).astype(np.uint8) for seed in range(8)]
        for g in GROUNDS
        for source in g.sources
    ]
    return grid(rows, 128)


def scenes(split: str, count: int, columns: int = 8) -> Image.Image:
    """Pictures with their captions, and under each its truth: objects in colours, their coloured part brighter."""
    drawn, cell = draw_split(split, count), 132
    sheet = Image.new("RGB", (cell * columns, (2 * cell + 50) * -(-count // columns)), "white")
    text = ImageDraw.Draw(sheet)
    for i in range(count):
        x, y = i % columns * cell, i // columns * (2 * cell + 50)
        truth = OVERLAY[drawn.labels[i]] // np.where(drawn.coloured[i], 1, 2)[..., None].astype(np.uint8)
        sheet.paste(Image.fromarray(drawn.pixels[i]), (x, y))
        sheet.paste(Image.fromarray(truth), (x, y + cell - 3))
        for line, words in enumerate(textwrap.wrap(drawn.captions[i], 23)[:4]):
            text.text((x, y + 2 * cell - 4 + 12 * line), words, fill="black")
    return sheet


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    folder.mkdir(parents=True, exist_ok=True)
    sheets = {
        "coloured": things(True),
        "others": things(False),
        "people": people(),
        "grounds": grounds(),
        "scenes": scenes("validation", 40),
    }
    for name, sheet in sheets.items():
        sheet.save(folder / f"{name}.png")
    print(f"{len(sheets)} sheets in {folder}")


if __name__ == "__main__":
    main()
