"""SVG text to pixels, by resvg."""

import io

import numpy as np
import resvg_py
from PIL import Image


def render(svg: str, size: int) -> np.ndarray:
    """RGBA uint8 (size, size, 4) with straight alpha; a picture that is not square is centred."""
    data = resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, skip_system_fonts=True)
    image = Image.open(io.BytesIO(bytes(data))).convert("RGBA")
    if image.size != (size, size):
        canvas = Image.new("RGBA", (size, size))
        canvas.paste(image, ((size - image.width) // 2, (size - image.height) // 2))
        image = canvas
    return np.array(image)
