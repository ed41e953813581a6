"""What the table of things rests on: how much of each picture its main colour takes, and how well each colour is told.

Run as `python -m naturalworld.measure`; prints a line for each thing and style.
"""

from .colours import COLOURS
from .pictures import STYLES, picture
from .render import render
from .sprites import LARGEST, coloured_part, drawn_as_named, named_share, thing_sprite
from .things import THINGS, Thing


def main_share(thing: Thing, style: str) -> float:
    """The share of the thing's pixels that its main colour takes."""
    alpha = render(picture(style, thing.picture), LARGEST)[..., 3] >= 128
    return float(coloured_part(style, thing.picture).sum() / alpha.sum())


def told(thing: Thing, style: str, colour: str) -> float:
    """Which share of the thing's coloured pixels has the colour's name after it was turned to that colour."""
    sprite = thing_sprite(thing, style, colour)
    return named_share(sprite.rgba, sprite.part, colour)


def main() -> None:
    for thing in THINGS:
        for style in STYLES if thing.colour else ():
            shares = {colour: told(thing, style, colour) for colour in COLOURS}
            worst = min(shares, key=shares.get)
            drawn = "as drawn" if drawn_as_named(style, thing.picture, thing.colour) else "turned"
            print(
                f"{thing.noun:12} {style:8} main {main_share(thing, style):.2f}  {thing.colour} by nature, {drawn:8}  "
                f"worst told: {worst} {shares[worst]:.2f}"
            )


if __name__ == "__main__":
    main()
