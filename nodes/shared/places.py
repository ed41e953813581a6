"""Where the pack's files lie: the models folder and the output folder, and nowhere else."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import folder_paths

EDITS, PRIORS, LORAS = "time_edits", "time_priors", "loras"
FOLDERS = ("models", "output")
SUFFIX = ".safetensors"
# Refused on Windows, and a separator or a stream there; refused everywhere, so that workflows stay portable.
RESERVED = re.compile(r'[<>:"|?*\\\x00-\x1f\x7f\ud800-\udfff]')
DEVICES = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(?:\..*)?", re.IGNORECASE)
# They are not seen, and make a name look like another: controls, line ends, and marks that turn the direction of writing.
UNSEEN = re.compile("[\x80-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]")
LONGEST = 255 - len(SUFFIX)  # bytes; what file systems allow a name

for own in (EDITS, PRIORS):
    folder_paths.add_model_folder_path(own, os.path.join(folder_paths.models_dir, own))


def save_path(folder: str, kind: str, filename: str) -> Path:
    """Where `filename` of this `kind` is saved: below the first models folder of the kind, or below output/<kind>.

    `filename` may have sub-folders, and gets SUFFIX if it lacks it. Raises ValueError for a name that is empty, has
    reserved characters, leaves the folder, or is one that no file can have there.
    """
    name = filename.strip()
    parts = PurePosixPath(name).parts
    if not name or name.endswith("/") or RESERVED.search(name) or name.startswith("/") or {"..", "."} & set(name.split("/")):
        raise ValueError(
            f'filename is {name!r}; write a name such as "roses" or "flowers/roses", without .. and without any of '
            '< > : " | ? * \\.'
        )
    if UNSEEN.search(name):
        raise ValueError(f"filename is {name!r}, with characters that are not seen; type the name anew.")
    if any(part.startswith(".") or part != part.rstrip(". ") for part in parts):
        raise ValueError(f"filename is {name!r}; no part of it may begin with a dot or end in a dot or blank.")
    for part in parts:
        if DEVICES.fullmatch(part):
            raise ValueError(f"filename is {name!r}; {part!r} is the name of a device on Windows, choose another.")
        if len(part.encode()) > LONGEST:
            raise ValueError(f"filename is too long: {name[:30]!r}...; each part may have {LONGEST} bytes.")
    root = _root(folder, kind)
    path = os.path.join(root, *parts)
    path = path if path.endswith(SUFFIX) else path + SUFFIX
    if not _is_within(root, path):
        raise ValueError(f"filename is {name!r}, which leads out of the {folder} folder; choose a name inside it.")
    _require_free(name, path)
    return Path(path)


@contextmanager
def saving(path: Path) -> Iterator[None]:
    """What goes wrong while a file from `save_path` is written, as a ValueError that names the input."""
    try:
        yield
    except OSError as error:
        raise ValueError(
            f"filename: {path.name!r} cannot be written to {path.parent} ({error.strerror or error}); make room there or allow "
            "writing, or choose another folder."
        ) from error


def own_path(kind: str, name: str) -> Path:
    """Where the pack keeps a file of this `kind` that no user named; what a file name cannot have becomes "_"."""
    return Path(_root("models", kind), RESERVED.sub("_", name) + SUFFIX)


def label(folder: str, kind: str, path: Path) -> str:
    """What to call a path from `save_path` in a message: "<folder>/<kind>/<name>"."""
    return f"{folder}/{kind}/{path.relative_to(_root(folder, kind)).as_posix()}"


def saved(kind: str) -> list[str]:
    """The files of this kind as "<folder>/<name>", for a combo."""
    found = []
    for folder in FOLDERS:
        for root in _roots(folder, kind):
            names, _ = folder_paths.recursive_search(root)
            found += [
                f"{folder}/{Path(name).as_posix()}"
                for name in names
                if name.endswith(SUFFIX) and _is_within(root, os.path.join(root, name))
            ]
    return sorted(dict.fromkeys(found))


def find(kind: str, file: str) -> Path:
    """The file that `saved` listed as `file`. Raises ValueError if it is not there or lies outside."""
    folder, _, name = file.partition("/") if isinstance(file, str) else ("", "", "")
    if folder in FOLDERS and name:
        for root in _roots(folder, kind):
            path = os.path.join(root, *PurePosixPath(name).parts)
            if _is_within(root, path) and os.path.isfile(path):
                return Path(path)
    raise ValueError(f"file {file!r} is not in the models or output folder; save the edit first, or refresh the page.")


def _require_free(name: str, path: str) -> None:
    try:
        is_folder = stat.S_ISDIR(os.stat(path).st_mode)
    except FileNotFoundError:
        return
    except OSError as error:  # too long as a whole, or a part of it is a file
        raise ValueError(f"filename is {name[:60]!r}, which cannot be written ({error.strerror}); choose another.") from None
    if is_folder:
        raise ValueError(f"filename is {name!r}, and a folder has that name; choose another.")


def _is_within(folder: str, path: str) -> bool:
    """Whether `path` lies in `folder` once links are followed. Older hosts have no function of their own for it."""
    try:
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
    except ValueError:  # a null character
        return False


def _root(folder: str, kind: str) -> str:
    return _roots(folder, kind)[0]


def _roots(folder: str, kind: str) -> list[str]:
    if folder not in FOLDERS:
        raise ValueError(f"folder is {folder!r}; it must be one of {', '.join(FOLDERS)}.")
    if folder == "models":
        return folder_paths.get_folder_paths(kind)
    return [os.path.join(folder_paths.get_output_directory(), kind)]
