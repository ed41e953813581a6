"""`make artwork`: the registry's icon and banner in assets/: the toy world's rose, turning from red to blue inside a mask."""

import math
import sys

import matplotlib
import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont
from toyworld.world import COLOURS

from ..comfyui.environment import ROOT

FOLDER = ROOT / "assets"
ICON = (400, 400)
BANNER = (1260, 540)  # 21:9
SUPERSAMPLE = 3

NIGHT, DUSK = (20, 22, 34), (44, 47, 72)
WHITE, GREY = (255, 255, 255), (178, 184, 208)
RED, BLUE, GREEN = COLOURS["red"], (52, 104, 246), COLOURS["green"]
PETALS = 5


def ground(size: tuple[int, int]) -> Image.Image:
    """Night above, dusk below."""
    share = np.linspace(0, 1, size[1])[:, None, None]
    rows = np.array(NIGHT) * (1 - share) + np.array(DUSK) * share
    return Image.fromarray(np.broadcast_to(rows, (size[1], size[0], 3)).round().astype(np.uint8))


def disc(canvas: ImageDraw.ImageDraw, x: float, y: float, r: float, fill=255) -> None:
    canvas.ellipse([x - r, y - r, x + r, y + r], fill=fill)


def petals(size: tuple[int, int], x: float, y: float, r: float) -> Image.Image:
    """The bloom's silhouette: five petals around a disc, as the toy world draws it."""
    shape = Image.new("L", size, 0)
    canvas = ImageDraw.Draw(shape)
    for petal in range(PETALS):
        angle = -math.pi / 2 + petal * 2 * math.pi / PETALS
        disc(canvas, x + 0.58 * r * math.cos(angle), y + 0.58 * r * math.sin(angle), 0.42 * r)
    disc(canvas, x, y, 0.55 * r)
    return shape


def folds(size: tuple[int, int], x: float, y: float, r: float) -> Image.Image:
    """The lines inside the bloom: a spiral."""
    shape = Image.new("L", size, 0)
    turns = np.linspace(0.35, 4.6 * math.pi, 400)
    points = [(x + 0.036 * r * t * math.cos(t), y + 0.036 * r * t * math.sin(t)) for t in turns]
    canvas = ImageDraw.Draw(shape)
    for px, py in points:
        disc(canvas, px, py, 0.024 * r)
    return shape


def stem(size: tuple[int, int], x: float, y: float, r: float) -> Image.Image:
    shape = Image.new("L", size, 0)
    canvas = ImageDraw.Draw(shape)
    canvas.rounded_rectangle([x - 0.085 * r, y + 0.6 * r, x + 0.085 * r, y + 2.05 * r], 0.08 * r, fill=255)
    for side, top in ((1, 1.32), (-1, 1.5)):
        along = np.linspace(0, 1, 24)
        edge = [(0.75 * t + 0.16 * math.sin(math.pi * t), 0.34 * t - 0.26 * math.sin(math.pi * t)) for t in along]
        back = [(0.75 * t - 0.04 * math.sin(math.pi * t), 0.34 * t + 0.16 * math.sin(math.pi * t)) for t in along[::-1]]
        canvas.polygon([(x + side * px * r, y + (top + 0.25 - py) * r) for px, py in edge + back], fill=255)
    return shape


def red_to_blue(size: tuple[int, int], left: float, right: float) -> Image.Image:
    """Red up to `left`, blue from `right`, smooth between."""
    share = np.clip((np.arange(size[0]) - left) / (right - left), 0, 1)[None, :, None]
    share = share * share * (3 - 2 * share)
    row = np.array(RED) * (1 - share) + np.array(BLUE) * share
    return Image.fromarray(np.broadcast_to(row, (size[1], size[0], 3)).round().astype(np.uint8))


def mask_outline(size: tuple[int, int], x: float, y: float, r: float) -> Image.Image:
    """Dashes along the bloom's edge, a little outside of it."""
    width = max(2, round(0.06 * r))
    shape = Image.new("L", size, 0)
    canvas = ImageDraw.Draw(shape)
    far, near = petals(size, x, y, 1.26 * r), petals(size, x, y, 1.26 * r - width)
    dashes = 40
    for dash in range(dashes):
        start = 360 * dash / dashes
        canvas.pieslice([x - 2 * r, y - 2 * r, x + 2 * r, y + 2 * r], start, start + 360 * 0.6 / dashes, fill=255)
    return ImageChops.multiply(ImageChops.subtract(far, near), shape)


def paint_rose(image: Image.Image, x: float, y: float, r: float, colours: Image.Image, masked: bool) -> None:
    size = image.size
    glow = petals(size, x, y, 1.15 * r).filter(ImageFilter.GaussianBlur(0.3 * r)).point(lambda value: value * 0.4)
    image.paste(colours, mask=glow)
    image.paste(GREEN, mask=stem(size, x, y, r))
    image.paste(colours, mask=petals(size, x, y, r))
    image.paste(WHITE, mask=folds(size, x, y, r).point(lambda value: value * 0.55))
    if masked:
        image.paste(WHITE, mask=mask_outline(size, x, y, r))


def noise(image: Image.Image, x: float, y: float, r: float, share: float) -> Image.Image:
    """`image` with noise around one rose: `share` of it at the centre, none outside."""
    rng = np.random.RandomState(5)
    grain = 5 * SUPERSAMPLE
    coarse = rng.normal(128, 70, (-(-image.size[1] // grain), -(-image.size[0] // grain), 3))
    grains = np.kron(coarse, np.ones((grain, grain, 1)))[: image.size[1], : image.size[0]]
    cover = petals(image.size, x, y, 1.12 * r).filter(ImageFilter.GaussianBlur(0.04 * r)).point(lambda value: value * share)
    return Image.composite(Image.fromarray(grains.clip(0, 255).astype(np.uint8)), image, cover)


def font(name: str, height: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/{name}.ttf", height)


def shrink(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image.resize(size, Image.Resampling.LANCZOS)


def supersampled(size: tuple[int, int]) -> tuple[int, int]:
    return size[0] * SUPERSAMPLE, size[1] * SUPERSAMPLE


def icon() -> Image.Image:
    size = supersampled(ICON)
    image = ground(size)
    x, y, r = size[0] * 0.5, size[1] * 0.39, size[0] * 0.25
    paint_rose(image, x, y, r, red_to_blue(size, x - 0.45 * r, x + 0.45 * r), masked=True)
    rounded = Image.new("L", size, 0)
    ImageDraw.Draw(rounded).rounded_rectangle([0, 0, size[0] - 1, size[1] - 1], size[0] * 0.16, fill=255)
    image.putalpha(rounded)
    return shrink(image, ICON)


def banner() -> Image.Image:
    """A rose on its way: as it is, its mask, noise, and what another text makes of it."""
    size = supersampled(BANNER)
    image = ground(size)
    y, r = size[1] * 0.29, size[1] * 0.135
    red, blue = Image.new("RGB", size, RED), Image.new("RGB", size, BLUE)
    mixed = red_to_blue(size, size[0] * 0.42, size[0] * 0.7)
    places = [size[0] * share for share in (0.125, 0.3125, 0.5, 0.6875, 0.875)]
    paint_rose(image, places[0], y, r, red, masked=False)
    paint_rose(image, places[1], y, r, red, masked=True)
    paint_rose(image, places[2], y, r, mixed, masked=True)
    image = noise(image, places[2], y, r, 0.85)
    paint_rose(image, places[3], y, r, blue, masked=True)
    paint_rose(image, places[4], y, r, blue, masked=False)
    canvas = ImageDraw.Draw(image)
    middle = size[0] / 2
    canvas.text((middle, size[1] * 0.745), "TIME & DiffEdit", WHITE, font("DejaVuSans-Bold", round(size[1] * 0.135)), "mm")
    line = "edit what a model assumes · edit a picture by text alone"
    canvas.text((middle, size[1] * 0.885), line, GREY, font("DejaVuSans", round(size[1] * 0.055)), "mm")
    return shrink(image, BANNER)


def main() -> int:
    FOLDER.mkdir(exist_ok=True)
    for name, draw in (("icon.png", icon), ("banner.png", banner)):
        draw().save(FOLDER / name, optimize=True)
        print(f"wrote {FOLDER.name}/{name}, {(FOLDER / name).stat().st_size // 1024} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
