"""Where a run keeps its results: a folder, or any place that fsspec can write to (s3://, gs://, memory:// ...).

manifest.json      settings and versions; a run that goes on must have the same
tasks/<id>.json    one finished task, written in one piece after its pictures
pictures/<id>/     pictures for the contact sheets
runs/<time>.json   when, where and how long each start ran
"""

import io
import json
import posixpath
import uuid
from collections.abc import Mapping

import fsspec
from fsspec.implementations.dirfs import DirFileSystem
from PIL import Image

from ..data.pictures import png_of
from .measurement import Outcome, Task

FINISHED = "results.json"
"""Written when all tasks are done."""


def canonical(value) -> bytes:
    """JSON in one spelling, so that equal values are equal bytes."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


class Store:
    """Opened by its URL in every process; keeps nothing in memory."""

    def __init__(self, url: str):
        self.url = url
        fs, root = fsspec.core.url_to_fs(url)
        self.fs = DirFileSystem(root, fs)

    def write(self, name: str, content: bytes) -> None:
        """In one piece: a reader, and a run after a kill, see the whole file or none."""
        self.fs.makedirs(posixpath.dirname(name), exist_ok=True)
        part = f"{name}.{uuid.uuid4().hex}.part"
        try:
            self.fs.pipe_file(part, content)
            self.fs.mv(part, name)
        except BaseException:
            if self.fs.exists(part):
                self.fs.rm_file(part)
            raise

    def read(self, name: str) -> bytes | None:
        """None if there is no such file."""
        try:
            return self.fs.cat_file(name)
        except FileNotFoundError:
            return None

    def forget_finished(self) -> None:
        """Remove a run that has its report; one that was stopped before stays."""
        if self.read(FINISHED) is not None:
            self.fs.rm("", recursive=True)

    def save(self, task: Task, outcome: Outcome) -> None:
        for name, pixels in outcome.pictures.items():
            self.write(picture_name(task.id, name), png_of(pixels))
        self.write(f"tasks/{task.id}.json", canonical(outcome.result))

    def results(self) -> dict[str, dict]:
        """Of all finished tasks, by id."""
        names = sorted(name for name in self.fs.find("tasks") if name.endswith(".json"))
        contents: Mapping[str, bytes] = self.fs.cat(names) if names else {}
        return {name.removeprefix("tasks/").removesuffix(".json"): json.loads(contents[name]) for name in names}

    def picture(self, task_id: str, name: str) -> Image.Image | None:
        content = self.read(picture_name(task_id, name))
        return None if content is None else Image.open(io.BytesIO(content)).convert("RGB")


def picture_name(task_id: str, name: str) -> str:
    return f"pictures/{task_id}/{name}.png"
