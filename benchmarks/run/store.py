"""Where a run keeps its results: a folder, or any place that fsspec can write to (s3://, gs://, memory:// ...).

manifest.json      settings and versions; a run that goes on must have the same
tasks/<id>.json    one finished task, written in one piece after its pictures
pictures/<id>/     pictures for the contact sheets
runs/<time>.json   when, where and how long each start ran
"""

import io
import json
import uuid
from collections.abc import Mapping

import fsspec
import numpy as np
from PIL import Image

from .values import Outcome, Task

FINISHED = "results.json"
"""Written when all tasks are done."""


def canonical(value) -> bytes:
    """JSON in one spelling, so that equal values are equal bytes."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


class Store:
    """Opened by its URL in every process; keeps nothing in memory."""

    def __init__(self, url: str):
        self.url = url
        self.fs, self.root = fsspec.core.url_to_fs(url)

    def write(self, name: str, content: bytes) -> None:
        """In one piece: a reader, and a run after a kill, see the whole file or none."""
        path = self._path(name)
        self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        part = f"{path}.{uuid.uuid4().hex}.part"
        try:
            self.fs.pipe_file(part, content)
            self.fs.mv(part, path)
        except BaseException:
            if self.fs.exists(part):
                self.fs.rm_file(part)
            raise

    def read(self, name: str) -> bytes | None:
        """None if there is no such file."""
        try:
            return self.fs.cat_file(self._path(name))
        except FileNotFoundError:
            return None

    def forget_finished(self) -> None:
        """Remove a run that has its report; one that was stopped before stays."""
        if self.read(FINISHED) is not None:
            self.fs.rm(self.root, recursive=True)

    def save(self, task: Task, outcome: Outcome) -> None:
        for name, pixels in outcome.pictures.items():
            self.write(picture_name(task.id, name), _png(pixels))
        self.write(f"tasks/{task.id}.json", canonical(outcome.result))

    def results(self) -> dict[str, dict]:
        """Of all finished tasks, by id."""
        folder = self._path("tasks")
        if not self.fs.exists(folder):
            return {}
        names = sorted(name for name in self.fs.find(folder) if name.endswith(".json"))
        contents: Mapping[str, bytes] = self.fs.cat(names) if names else {}
        start = len(self.fs._strip_protocol(folder)) + 1
        return {name[start : -len(".json")]: json.loads(contents[name]) for name in names}

    def picture(self, task_id: str, name: str) -> Image.Image | None:
        content = self.read(picture_name(task_id, name))
        return None if content is None else Image.open(io.BytesIO(content)).convert("RGB")

    def _path(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}"


def picture_name(task_id: str, name: str) -> str:
    return f"pictures/{task_id}/{name}.png"


def _png(pixels: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()
