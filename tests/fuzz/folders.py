"""Folders of the host for one run, so that examples may write: nothing of the installation changes."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import folder_paths
from time_diffedit.nodes.shared import places
from time_diffedit.time_core.application.edit_file import save_edit

from . import objects

INSIDE = "inside"


@contextmanager
def own_folders() -> Iterator[Path]:
    """With edits to load in them. AssertionError at the end if anything was written beside them."""
    root = Path(tempfile.mkdtemp(prefix="time-diffedit-fuzz-"))
    inside = root / INSIDE
    known, output, temporary = (
        dict(folder_paths.folder_names_and_paths),
        folder_paths.get_output_directory(),
        folder_paths.get_temp_directory(),
    )
    for kind in (places.EDITS, places.PRIORS, places.LORAS):
        folder_paths.folder_names_and_paths[kind] = ([str(inside / kind)], {places.SUFFIX})
    folder_paths.set_output_directory(str(inside / "output"))
    folder_paths.set_temp_directory(str(inside / "temp"))
    try:
        fill(inside / places.EDITS)
        yield inside
        assert [entry.name for entry in root.iterdir()] == [INSIDE], "something was written outside"
    finally:
        folder_paths.folder_names_and_paths.clear()
        folder_paths.folder_names_and_paths.update(known)
        folder_paths.set_output_directory(output)
        folder_paths.set_temp_directory(temporary)
        shutil.rmtree(root, ignore_errors=True)


def fill(folder: Path) -> None:
    folder.mkdir(parents=True)
    pool = objects.pools()["TIME_EDIT"]
    for name, edit in (pool.fitting | pool.others).items():
        if edit is not None:
            save_edit(folder / f"standing {name}{places.SUFFIX}", edit)
    whole = (folder / f"standing roses{places.SUFFIX}").read_bytes()
    (folder / f"standing cut off{places.SUFFIX}").write_bytes(whole[: len(whole) // 2])
    (folder / f"standing empty{places.SUFFIX}").write_bytes(b"")
