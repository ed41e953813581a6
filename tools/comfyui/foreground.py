"""`python -m tools.comfyui.foreground`: ISNet, which tells a photograph's foreground, and what runs it, in `.cache/foreground`.

For measuring only: an outside opinion on where the thing is in a photograph. The model (Qin et al., Highly Accurate Dichotomous
Image Segmentation, ECCV 2022, MIT) lies in pieces in an npm package of IMG.LY's (AGPL-3), of which nothing is run or kept else.
Needs npm.
"""

import json
import sys
import tarfile
from pathlib import Path

from .install import LOCK, ROOT, digest, is_complete, make_and_say, pip, remove
from .npm import download

PACKAGE = "@imgly/background-removal-data@1.4.5"
INTEGRITY = "sha512-iRXZpPd7YirbJ4eOZ3SlvbdJkAc/LxVjzWLMHOezmRrVThPJPdPc+Y2kHEAVFEVvpDIuvBDyOfTTFBSJT2QR5w=="
INSIDE = "/models/medium"  # in half precision
FOLDER = ROOT / ".cache" / "foreground"
MODEL = FOLDER / "isnet.onnx"
RUNTIME = FOLDER / "runtime"  # for Python's path


def make_foreground() -> Path:
    stamp, content = FOLDER / "complete", digest(LOCK / "foreground.txt", Path(__file__))
    if is_complete(stamp, content):
        return MODEL
    print("Fetching ISNet (136 MB, of which 88 are kept) and ONNX Runtime …", flush=True)
    remove(FOLDER)
    FOLDER.mkdir(parents=True)
    pip("install", "--quiet", "--no-deps", "--require-hashes", "-r", str(LOCK / "foreground.txt"), "--target", str(RUNTIME))
    archive = download(PACKAGE, INTEGRITY, FOLDER)
    with tarfile.open(archive) as tar:

        def read(name: str) -> bytes:
            stream = tar.extractfile(f"package/dist/{name}")
            assert stream is not None  # a regular file
            return stream.read()

        pieces = json.loads(read("resources.json"))[INSIDE]["chunks"]
        MODEL.write_bytes(b"".join(read(piece["hash"]) for piece in pieces))
    archive.unlink()
    stamp.write_text(content)
    return MODEL


if __name__ == "__main__":
    sys.exit(make_and_say("ISNet", make_foreground))
