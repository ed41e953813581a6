"""The picture that the demo and the pack's own pictures edit: a rose of the natural world, and exactly where it turns blue.

Kept in two files, since what draws it is not there beside a user's ComfyUI. `python -m tools.pictures.given` writes them.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from ..comfyui.environment import ROOT

PICTURE, TRUTH = (Path(__file__).parent / name for name in ("given.png", "given_truth.png"))
SIZE = 128  # of its sides, as of all pictures of the natural world
SPLIT, NUMBER = "validation", 539_734  # of naturalworld.edits


def given_pixels() -> np.ndarray:
    """float32 (SIZE, SIZE, 3) in 0..1."""
    return np.asarray(Image.open(PICTURE).convert("RGB"), np.float32) / 255


def given_truth() -> np.ndarray:
    """bool (SIZE, SIZE): what is red, and blue in the picture that is asked for."""
    return np.asarray(Image.open(TRUTH).convert("L")) > 127


def drawn() -> dict[Path, Image.Image]:
    """Both files, drawn from the designers' SVG."""
    from naturalworld.edits import natural_edit

    edit = natural_edit(SPLIT, NUMBER)
    return {
        PICTURE: Image.fromarray((edit.pixels * 255).round().astype(np.uint8)),
        TRUTH: Image.fromarray(np.uint8(edit.truth) * 255),
    }


def main() -> None:
    for path, picture in drawn().items():
        picture.save(path, optimize=True)
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
