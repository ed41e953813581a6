"""The designers' pictures as SVG text, from the packed file in this folder (`fetch.py` makes it)."""

import json
import lzma
from functools import cache
from pathlib import Path

PACK = Path(__file__).with_name("pictures.json.xz")
STYLES = ("noto", "twemoji")


@cache
def pack() -> dict[str, dict[str, str]]:
    """{style: {name: SVG text}}."""
    return json.loads(lzma.decompress(PACK.read_bytes()))


def picture(style: str, name: str) -> str:
    """One picture's SVG text.

    Raises:
        ValueError: there is no such picture.
    """
    try:
        return pack()[style][name]
    except KeyError:
        raise ValueError(f"No picture {name!r} in style {style!r}. Add it to the tables and run naturalworld.fetch.") from None
