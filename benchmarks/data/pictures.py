"""Pictures to edit, with their prompts and masks: read from a CSV, a folder, or PIE-Bench.

    CSV:        picture,source,target[,mask[,kind]]; files are named relative to the CSV. Further columns that are read where
                they are there: wanted, the picture as it shall be; other, a mask of what stands beside; size and ground, by
                which results are grouped, too
    folder:     rose.png beside rose.txt (source, then target, a line each) or rose.json; rose.mask.png where it is known
    PIE-Bench:  mapping_file.json beside annotation_images/ (Ju et al., Direct Inversion, ICLR 2024)

Places are paths or fsspec URLs. A mask is white where the picture may change. A bad row is reported by its line number, file or
key and left out.
"""

import hashlib
import io
import json
import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath

import fsspec
import numpy as np
from PIL import Image, ImageOps

from .tables import Rows, read_all, rows_of_csv

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
MAPPING = "mapping_file.json"
PIE_SIZE = (512, 512)
GRID = 8  # pixels; VAE Encode crops to whole latent cells
GROUPS = ("size", "ground")


@dataclass(frozen=True)
class Edit:
    """A picture to edit.

    Attributes:
        name: unique, and can be a file name.
        row: where it stands in the file or folder it was read from, in words.
        picture: URL.
        source, target: prompts for what it shows and for what it shall show.
        mask: where it may change: URL of a picture of the same size, runs (see `mask_of_runs`), or None if unknown.
        kind: of edit, by which results are grouped; may be empty.
        digest: of the contents of picture and mask.
        wanted: URL of the picture as it shall be, or None if unknown.
        other: URL of a mask of another thing in it, which shall stay as it is, or None.
        groups: by name, to which of them it belongs.
        border: do the outermost pixels count as masked when the background is measured? So in PIE-Bench's own evaluation,
            which does not trust annotations at the border.
    """

    name: str
    row: str
    picture: str = field(metadata={"decides": False})  # where it lies; the digest says what it is
    source: str
    target: str
    mask: str | tuple[int, ...] | None = None
    kind: str = ""
    digest: str = ""
    wanted: str | None = field(default=None, metadata={"decides": False})
    other: str | None = field(default=None, metadata={"decides": False})
    groups: Mapping[str, str] = field(default_factory=dict)
    border: bool = False

    def measured_mask(self, mask: np.ndarray) -> np.ndarray:
        """`mask` (H, W) as it is when the background is measured."""
        return mask if not self.border else np.pad(mask[1:-1, 1:-1], 1, constant_values=True)


def read_edits(place: str) -> tuple[list[Edit], list[str]]:
    """The edits at `place`, and what is wrong with those left out.

    Raises ValueError if `place` is none of the three, or if nothing there can be edited.
    """
    fs, root = fsspec.core.url_to_fs(str(place))
    url = fs.unstrip_protocol(root)
    if fs.isfile(root):
        rows = rows_of_csv(_text(url), place, ("picture", "source", "target"), partial(_edit_of_cells, posixpath.dirname(url)))
    elif fs.isfile(posixpath.join(root, MAPPING)):
        entries = _json(posixpath.join(url, MAPPING)).items()
        rows = ((f"key {key}", partial(_edit_of_entry, url, key, entry)) for key, entry in entries)
    elif fs.isdir(root):
        rows = _rows_of_folder(url, sorted(fs.unstrip_protocol(path) for path in fs.ls(root, detail=False) if fs.isfile(path)))
    else:
        raise ValueError(f"{place} is no file and no folder.")
    names: set[str] = set()
    return read_all(root, ((row, partial(_checked, read, names)) for row, read in rows), "no picture can be edited.")


@dataclass(frozen=True)
class Pixels:
    """Of an edit: `picture` and `wanted` uint8 (H, W, 3), `mask` and `other` bool (H, W); None where it is not known."""

    picture: np.ndarray
    mask: np.ndarray | None = None
    wanted: np.ndarray | None = None
    other: np.ndarray | None = None


def load(edit: Edit, size: int | None = None) -> Pixels:
    """All that is known of an edit; raises ValueError if a file cannot be read.

    With `size` the largest square in the middle is resized to `size` x `size`; without it sides are cropped in the middle
    to multiples of 8, as VAE Encode does.
    """
    picture = _picture(_content(edit.picture), edit.picture)

    def fitted(shown: Image.Image, how: Image.Resampling) -> np.ndarray:
        if size is not None:
            shown = ImageOps.fit(shown, (size, size), how)
        rows, columns = (slice(s % GRID // 2, s % GRID // 2 + s // GRID * GRID) for s in (shown.height, shown.width))
        return np.array(shown)[rows, columns]

    def mask(known: str | tuple[int, ...] | None) -> np.ndarray | None:
        return None if known is None else fitted(Image.fromarray(_mask(known, picture.size)), Image.Resampling.NEAREST)

    wanted = edit.wanted and fitted(_same_size(_content(edit.wanted), edit.wanted, picture.size), Image.Resampling.LANCZOS)
    return Pixels(fitted(picture, Image.Resampling.LANCZOS), mask(edit.mask), wanted, mask(edit.other))


def png_of(pixels: np.ndarray) -> bytes:
    """A file of uint8 (H, W, 3) or (H, W), in RGB: the host does not read a grey one exactly."""
    content = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").save(content, "PNG")
    return content.getvalue()


def mask_of_runs(runs: Sequence[int], shape: tuple[int, int]) -> np.ndarray:
    """Bool (H, W) of PIE-Bench's encoding of a mask: start and length of each run of masked pixels, row by row.

    A run may reach over the end. Raises ValueError for what are no runs.
    """
    pixels = shape[0] * shape[1]
    if len(runs) % 2 or not all(isinstance(number, int) and number >= 0 for number in runs):
        raise ValueError("the mask is no list of starts and lengths.")
    mask = np.zeros(pixels, bool)
    for start, length in zip(runs[::2], runs[1::2], strict=True):
        if start >= pixels:
            raise ValueError(f"the mask has a run that starts at pixel {start} of {pixels}.")
        mask[start : start + length] = True
    return mask.reshape(shape)


def _edit_of_cells(folder: str, line: int, cells: dict[str, str]) -> Edit:
    if not cells["picture"]:
        raise ValueError("picture is empty.")
    files = {name: posixpath.join(folder, cells[name]) for name in ("picture", "mask", "wanted", "other") if cells.get(name)}
    picture = files.pop("picture")
    groups = {name: cells[name] for name in GROUPS if cells.get(name)}
    name = f"line {line} {re.sub(r'[^A-Za-z0-9.-]+', '_', PurePosixPath(picture).stem)}"
    return Edit(
        name, f"line {line}", picture, cells["source"], cells["target"], kind=cells.get("kind", ""), groups=groups, **files
    )


def _rows_of_folder(folder: str, files: Sequence[str]) -> Rows[Edit]:
    """Of pictures and of prompts, whichever are there."""
    pictures = [path for path in files if path.lower().endswith(PICTURES) and not PurePosixPath(path).stem.endswith(".mask")]
    if not pictures:
        raise ValueError(f"{folder} holds no pictures ({', '.join(PICTURES)}) and no {MAPPING}.")
    described = {posixpath.splitext(path)[0] for path in pictures}
    alone = [path for path in files if path.endswith((".txt", ".json")) and posixpath.splitext(path)[0] not in described]
    for path in pictures + alone:
        yield posixpath.basename(path), partial(_edit_of_file, path, files)


def _edit_of_file(picture: str, files: Sequence[str]) -> Edit:
    """Of a picture, or of prompts without one; `files` are all in the folder."""
    beside, stem = posixpath.splitext(picture)[0], PurePosixPath(picture).stem
    if not picture.lower().endswith(PICTURES):
        raise ValueError(f"there is no picture {stem}.")
    kind, mask = "", f"{beside}.mask.png"
    if f"{beside}.json" in files:
        said = _json(f"{beside}.json")
        source, target, kind = _prompt_in(said, "source"), _prompt_in(said, "target"), str(said.get("kind", ""))
    elif f"{beside}.txt" in files:
        lines = [line.strip() for line in _text(f"{beside}.txt").strip().splitlines()]
        if len(lines) != 2:
            raise ValueError(f"{stem}.txt has {len(lines)} lines, not two: the source prompt and the target prompt.")
        source, target = lines
    else:
        raise ValueError(f"there is neither {stem}.txt nor {stem}.json with its prompts.")
    return Edit(stem, posixpath.basename(picture), picture, source, target, mask if mask in files else None, kind)


def _edit_of_entry(folder: str, key: str, entry: dict) -> Edit:
    if not isinstance(entry, dict):
        raise ValueError("it is no entry with prompts and a picture.")
    source, target = (re.sub(r"[\[\]]", "", _prompt_in(entry, name)).strip() for name in ("original_prompt", "editing_prompt"))
    picture = posixpath.join(folder, "annotation_images", _prompt_in(entry, "image_path"))
    runs = entry.get("mask")
    if not isinstance(runs, list):
        raise ValueError("it has no mask.")
    return Edit(key, f"key {key}", picture, source, target, tuple(runs), str(entry.get("editing_type_id", "")), border=True)


def _checked(read: Callable[[], Edit], names: set[str]) -> Edit:
    """What `read` gives, with its digest, after looking at all that it needs; `names` are those of the others.

    Raises ValueError with what is wrong.
    """
    edit = read()
    for which, prompt in (("source", edit.source), ("target", edit.target)):
        if not prompt:
            raise ValueError(f"the {which} prompt is empty.")
    if edit.source == edit.target:
        raise ValueError("source and target are the same prompt, so there is nothing to change.")
    contents = [_content(edit.picture)]
    shown = _picture(contents[0], edit.picture)
    if edit.mask is not None and not isinstance(edit.mask, str):
        mask_of_runs(edit.mask, PIE_SIZE[::-1])
        if shown.size != PIE_SIZE:
            wanted = "{} x {}".format(*PIE_SIZE)
            raise ValueError(f"the picture is {shown.width} x {shown.height}, but its mask is for {wanted}.")
        contents.append(repr(edit.mask).encode())
    for beside in (edit.mask, edit.wanted, edit.other):
        if isinstance(beside, str):
            contents.append(_content(beside))
            _same_size(contents[-1], beside, shown.size)
    if edit.name in names:
        raise ValueError(f"there is another picture {edit.name!r}.")
    names.add(edit.name)
    digest = hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents)).hexdigest()[:16]
    return replace(edit, digest=digest)


def _content(url: str) -> bytes:
    fs, path = fsspec.core.url_to_fs(url)
    if not fs.isfile(path):
        raise ValueError(f"there is no file {path}.")
    return fs.cat_file(path)


def _picture(content: bytes, name: str) -> Image.Image:
    try:
        # As Load Image reads it.
        return ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    except (OSError, Image.DecompressionBombError) as error:
        raise ValueError(f"{posixpath.basename(name)} is no readable picture ({error}).") from None


def _mask(mask: str | tuple[int, ...], size: tuple[int, int]) -> np.ndarray:
    """bool (H, W) for a picture of `size` (W, H)."""
    if not isinstance(mask, str):
        return mask_of_runs(mask, size[::-1])
    return np.asarray(_same_size(_content(mask), mask, size).convert("L")) >= 128


def _same_size(content: bytes, url: str, size: tuple[int, int]) -> Image.Image:
    """A picture beside one of `size`, such as its mask."""
    picture = _picture(content, url)
    if picture.size != size:
        name = posixpath.basename(url)
        raise ValueError(f"{name} is {picture.width} x {picture.height}, but the picture is {size[0]} x {size[1]}.")
    return picture


def _prompt_in(entry: dict, key: str) -> str:
    if not isinstance(entry.get(key), str):
        raise ValueError(f"it has no {key!r}.")
    return entry[key].strip()


def _text(url: str) -> str:
    try:
        return _content(url).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{url} is no UTF-8 text.") from None


def _json(url: str) -> dict:
    try:
        found = json.loads(_text(url))
    except json.JSONDecodeError as error:
        raise ValueError(f"{url} is no JSON ({error}).") from None
    if not isinstance(found, dict):
        raise ValueError(f"{url} holds no object of names and values.")
    return found
