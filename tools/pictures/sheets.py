"""Contact sheets: labelled grids of pictures."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

PAPER, INK, MUTED = (255, 255, 255), (20, 20, 24), (110, 110, 118)
GAP = 6
TEXT = 15


def to_image(pixels: np.ndarray, side: int) -> Image.Image:
    """(H, W, 3) or (H, W) in 0..1 to a square picture."""
    image = Image.fromarray((np.clip(pixels, 0, 1) * 255).round().astype(np.uint8)).convert("RGB")
    return image.resize((side, side), Image.Resampling.NEAREST if image.width < side else Image.Resampling.LANCZOS)


def grid(title: str, rows: list[tuple[str, list]], columns: list[str], side: int = 128) -> Image.Image:
    """`rows` are (label, pictures); a picture may be None (left blank). A label may have several lines."""
    font, big = ImageFont.load_default(size=TEXT), ImageFont.load_default(size=TEXT + 6)
    label_width = 20 + max(int(font.getlength(line)) for label, _ in rows for line in label.split("\n"))
    top = 3 * TEXT + 2 * GAP + 10
    width = max(label_width + len(columns) * (side + GAP) + GAP, int(big.getlength(title)) + 4 * GAP)
    sheet = Image.new("RGB", (width, top + len(rows) * (side + GAP) + GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((GAP, GAP), title, INK, big)
    for i, column in enumerate(columns):
        pen.text((label_width + i * (side + GAP), 2 * TEXT + GAP), column, MUTED, font)
    for j, (label, pictures) in enumerate(rows):
        y = top + j * (side + GAP)
        pen.multiline_text((GAP, y + GAP), label, INK, font)
        for i, picture in enumerate(pictures):
            if picture is not None:
                sheet.paste(to_image(picture, side), (label_width + i * (side + GAP), y))
    return sheet
