"""Files that are either whole or not there."""

import os
import re
import secrets
import time
from pathlib import Path

PART = re.compile(r"\.[0-9a-f]{16}\.part")
FORGOTTEN = 3600.0  # seconds; no save takes so long


def write_atomically(path: Path, data: bytes) -> None:
    """Write a temporary file beside `path`, then put it in the place of `path`, whose folder is made.

    If anything fails the old file stays as it was and no temporary file is left. Those that a killed process left in this
    folder go, once they are an hour old: therefore the data and no function that writes them. That of safetensors makes
    temporary files of its own, under names that nobody can tell from others' after a kill.

    Raises OSError where the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_forgotten(path.parent)
    temporary = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        temporary.touch(exist_ok=False)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _remove_forgotten(folder: Path) -> None:
    for entry in folder.iterdir():
        try:
            if PART.fullmatch(entry.name) and time.time() - entry.lstat().st_mtime > FORGOTTEN:
                entry.unlink()
        except OSError:  # another process was faster, or it may not
            continue
