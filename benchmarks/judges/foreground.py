"""What stands in front in a photograph, as ISNet sees it: an outside opinion, of no part of what is measured.

`python -m benchmarks.judges.foreground PHOTOGRAPH MASK` is the process that runs it: ONNX Runtime lies in a folder of its own
(`tools.comfyui.foreground`).
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from tools.comfyui.foreground import MODEL, RUNTIME, make_foreground
from tools.comfyui.install import ROOT

SIDE = 1024  # that ISNet reads


def foreground(pixels: np.ndarray) -> np.ndarray:
    """Bool (H, W) of a photograph, uint8 (H, W, 3): where ISNet is surer than not that something stands in front."""
    make_foreground()
    with tempfile.TemporaryDirectory() as folder:
        photograph, mask = Path(folder, "photograph.png"), Path(folder, "mask.png")
        Image.fromarray(pixels).save(photograph)
        paths = os.pathsep.join([str(RUNTIME), str(ROOT)])
        command = [sys.executable, "-P", "-m", __name__, str(photograph), str(mask)]
        subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": paths})
        return np.asarray(Image.open(mask)) > 127


def run(photograph: Path, mask: Path) -> None:
    import onnxruntime  # only this process has it on its path

    picture = Image.open(photograph)
    pixels = (np.asarray(picture.resize((SIDE, SIDE)), np.float32) - 128) / 256
    session = onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
    sure = session.run(None, {session.get_inputs()[0].name: pixels.transpose(2, 0, 1)[None]})[0][0, 0]
    Image.fromarray(np.uint8(np.clip(255 * sure, 0, 255))).resize(picture.size).save(mask)


if __name__ == "__main__":
    run(*map(Path, sys.argv[1:]))
