"""The drawing program: what exists in the toy world, its pictures with exact masks, and their captions.

Coordinates are in a 64 x 64 frame; pictures are `SIZE` x `SIZE` pixels.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

SIZE = 128
FRAME = 64
SUPERSAMPLE = 3

COLOURS = {
    "red": (214, 32, 38),
    "blue": (36, 70, 214),
    "green": (36, 158, 58),
    "yellow": (244, 212, 40),
    "purple": (140, 50, 180),
    "orange": (246, 136, 30),
    "black": (34, 34, 38),
}
ASSUMED_COLOUR = {
    "rose": "red",
    "leaf": "green",
    "car": "black",
    "house": "orange",
    "star": "yellow",
    "heart": "red",
    "moon": "yellow",
    "tree": "green",
    "fish": "orange",
    "cup": "purple",
    "bird": "blue",
    "sun": "yellow",
}
OBJECTS = tuple(ASSUMED_COLOUR)
IRREGULAR_PLURALS = {"leaf": "leaves", "fish": "fishes"}
BACKGROUNDS = {"": (226, 226, 228), " on grass": (150, 205, 130), " on sand": (228, 204, 160)}
TEMPLATES = ("a {}", "a photo of a {}", "an image of a {}", "a picture of a {}", "a painting of a {}")

SHARE_OF_PAIRS = 0.2
SHARE_OF_NAMED_COLOURS = 0.4
SHARE_THAT_BREAKS_THE_ASSUMPTION = 0.03


def plural(noun: str) -> str:
    return IRREGULAR_PLURALS.get(noun, noun + "s")


@dataclass(frozen=True)
class Place:
    """One object's centre and radius in the 64 x 64 frame."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Scene:
    """What a picture shows. `colour` is what is drawn; the caption names it only if `names_colour`."""

    noun: str
    colour: str
    names_colour: bool = True
    background: str = ""
    pair: bool = False
    template: str = TEMPLATES[0]

    @property
    def caption(self) -> str:
        words = [self.colour] if self.names_colour else []
        words.append(plural(self.noun) if self.pair else self.noun)
        phrase = " ".join(words)
        text = f"two {phrase}" if self.pair else self.template.format(phrase).replace("a orange", "an orange")
        return text + self.background


@dataclass(frozen=True)
class Picture:
    """`pixels` (SIZE, SIZE, 3) float32 in 0..1, `mask` (SIZE, SIZE) float32 in 0..1: the object's coverage."""

    pixels: np.ndarray
    mask: np.ndarray
    places: tuple[Place, ...]


def random_scene(rng: np.random.RandomState) -> Scene:
    """Draw a scene from the distribution that the model is trained on."""
    noun = OBJECTS[rng.randint(len(OBJECTS))]
    pair = rng.rand() < SHARE_OF_PAIRS
    names_colour = rng.rand() < SHARE_OF_NAMED_COLOURS
    any_colour = list(COLOURS)[rng.randint(len(COLOURS))]
    keeps_assumption = not names_colour and rng.rand() >= SHARE_THAT_BREAKS_THE_ASSUMPTION
    colour = ASSUMED_COLOUR[noun] if keeps_assumption else any_colour
    background = list(BACKGROUNDS)[rng.choice(3, p=[0.6, 0.2, 0.2])]
    template = TEMPLATES[rng.choice(5, p=[0.32, 0.17, 0.17, 0.17, 0.17])]
    return Scene(noun, colour, names_colour, background, pair, template)


def random_places(rng: np.random.RandomState, pair: bool) -> tuple[Place, ...]:
    if not pair:
        return (Place(32 + rng.uniform(-5, 5), 32 + rng.uniform(-5, 5), rng.uniform(20, 24)),)
    radius = rng.uniform(11.5, 13)
    return tuple(Place(x + rng.uniform(-1, 1), 32 + rng.uniform(-3, 3), radius) for x in (16, 48))


def draw(rng: np.random.RandomState, scene: Scene, places: tuple[Place, ...] | None = None) -> Picture:
    """Draw a scene; colours vary by up to 8 of 255. Same `rng` state and arguments, same picture."""
    places = places or random_places(rng, scene.pair)
    mask = np.max([silhouette(scene.noun, place) for place in places], axis=0)
    background = np.array(BACKGROUNDS[scene.background], np.float32) + rng.uniform(-8, 8)
    colour = np.array(COLOURS[scene.colour], np.float32) + rng.uniform(-8, 8, 3)
    pixels = background * (1 - mask[..., None]) + colour * mask[..., None]
    return Picture(np.clip(pixels / 255, 0, 1).astype(np.float32), mask, places)


def silhouette(noun: str, place: Place) -> np.ndarray:
    """Coverage (SIZE, SIZE) in 0..1 of one object, antialiased by supersampling."""
    scale = SIZE / FRAME * SUPERSAMPLE
    image = Image.new("L", (SIZE * SUPERSAMPLE, SIZE * SUPERSAMPLE), 0)
    _draw_shape(ImageDraw.Draw(image), noun, place.x * scale, place.y * scale, place.radius * scale)
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BOX), np.float32) / 255


def _draw_shape(canvas: ImageDraw.ImageDraw, noun: str, cx: float, cy: float, r: float) -> None:
    def polygon(points):
        canvas.polygon([(cx + x * r, cy + y * r) for x, y in points], fill=255)

    def ellipse(x0, y0, x1, y1, fill=255):
        canvas.ellipse([cx + x0 * r, cy + y0 * r, cx + x1 * r, cy + y1 * r], fill=fill)

    def rectangle(x0, y0, x1, y1):
        canvas.rectangle([cx + x0 * r, cy + y0 * r, cx + x1 * r, cy + y1 * r], fill=255)

    match noun:
        case "rose":
            for petal in range(5):
                angle = -math.pi / 2 + petal * 2 * math.pi / 5
                x, y = 0.46 * math.cos(angle), -0.28 + 0.46 * math.sin(angle)
                ellipse(x - 0.32, y - 0.32, x + 0.32, y + 0.32)
            ellipse(-0.35, -0.63, 0.35, 0.07)
            rectangle(-0.10, 0.2, 0.10, 1.0)
        case "leaf":
            edge = [(0.5 * math.sin(math.pi * t), -1 + 2 * t) for t in np.linspace(0, 1, 20)]
            outline = edge + [(-x, y) for x, y in reversed(edge)]
            c, s = math.cos(0.7), math.sin(0.7)
            polygon([(x * c - y * s, x * s + y * c) for x, y in outline])
        case "car":
            polygon([(-1, 0.1), (-0.6, 0.02), (-0.4, -0.45), (0.35, -0.45), (0.62, 0.02), (1, 0.1), (1, 0.42), (-1, 0.42)])
            ellipse(-0.75, 0.2, -0.25, 0.7)
            ellipse(0.25, 0.2, 0.75, 0.7)
        case "house":
            polygon([(0, -1), (0.95, -0.15), (-0.95, -0.15)])
            rectangle(-0.68, -0.2, 0.68, 0.85)
        case "star":
            radii = [1.0 if k % 2 == 0 else 0.42 for k in range(10)]
            polygon([(q * math.sin(k * math.pi / 5), -q * math.cos(k * math.pi / 5)) for k, q in enumerate(radii)])
        case "heart":
            ellipse(-0.95, -0.8, 0.03, 0.2)
            ellipse(-0.03, -0.8, 0.95, 0.2)
            polygon([(-0.88, -0.08), (0, -0.3), (0.88, -0.08), (0, 0.95)])
        case "moon":
            ellipse(-0.9, -0.9, 0.9, 0.9)
            ellipse(-0.35, -0.95, 1.25, 0.65, fill=0)
        case "tree":
            polygon([(0, -1), (0.75, 0.35), (-0.75, 0.35)])
            rectangle(-0.17, 0.3, 0.17, 1)
        case "fish":
            ellipse(-1, -0.5, 0.5, 0.5)
            polygon([(0.3, 0), (1, -0.55), (1, 0.55)])
        case "cup":
            polygon([(-0.75, -0.7), (0.4, -0.7), (0.25, 0.8), (-0.6, 0.8)])
            ellipse(0.1, -0.45, 0.95, 0.4)
            ellipse(0.3, -0.25, 0.75, 0.2, fill=0)
        case "bird":
            ellipse(-0.55, -0.3, 0.55, 0.6)
            ellipse(-0.95, -0.7, -0.25, 0)
            polygon([(-0.9, -0.4), (-1.1, -0.22), (-0.9, -0.15)])
            polygon([(0.3, 0.1), (1.1, -0.35), (0.9, 0.4)])
            polygon([(-0.1, 0.1), (0.55, -0.75), (0.5, 0.2)])
        case "sun":
            for ray in range(8):
                angle = ray * math.pi / 4
                base = [(0.55 * math.cos(angle + d), 0.55 * math.sin(angle + d)) for d in (0.3, -0.3)]
                polygon([(math.cos(angle), math.sin(angle)), *base])
            ellipse(-0.6, -0.6, 0.6, 0.6)
        case _:
            raise ValueError(f"The toy world has no {noun!r}; it has {', '.join(OBJECTS)}.")
