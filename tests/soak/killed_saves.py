"""kill -9 in the middle of a save: the file of that name is always whole, the old one or the new."""

import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzz import objects
from safetensors.torch import load_file
from safetensors.torch import save as as_bytes
from time_diffedit.time_core.application.atomic import FORGOTTEN, write_atomically
from time_diffedit.time_core.application.edit_file import load_edit, save_edit
from time_diffedit.time_core.application.lora import export_lora
from time_diffedit.time_core.prompts.text import TextReader

LONGEST = 0.05  # seconds until the kill


def killed_saves(count: int, seed: int) -> dict[str, Any]:
    """Half of them of edits, half of LoRAs. AssertionError if one leaves something broken."""
    order = random.Random(seed)
    edits = [objects.edit(), objects.several()]
    loras = [export_lora(objects.model(), edit).tensors for edit in edits]
    reading = TextReader(objects.clip()).fingerprint
    wholes = [[edit.left for edit in edits], [min(lora.items())[1] for lora in loras]]
    parts = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "some.safetensors"

        def save_lora(number: int) -> None:
            write_atomically(path, as_bytes(loras[number]))

        for number in range(count):
            of_edits = number % 2 == 0
            save = (lambda which: save_edit(path, edits[which])) if of_edits else save_lora
            save(0)
            kill_while(save, order.uniform(0, LONGEST))
            found = load_edit(path, reading).left if of_edits else min(load_file(path).items())[1]
            assert any(found.equal(whole) for whole in wholes[not of_edits]), f"kill {number}: what is there is neither file"
            left = [entry for entry in Path(folder).iterdir() if entry != path]
            parts += len(left)
            for entry in left:
                os.utime(entry, (time.time() - FORGOTTEN - 1,) * 2)
            save(1)
            still = [entry.name for entry in Path(folder).iterdir() if entry != path]
            assert not still, f"what a killed save left stays: {still}"
    return {"kills": count, "left behind and removed": parts}


def kill_while(save: Callable[[int], None], seconds: float) -> None:
    """Saves in turn in a process of its own, which is killed after so many seconds."""
    child = os.fork()
    if child == 0:
        try:
            number = 0
            while True:
                number = 1 - number
                save(number)
        finally:
            os._exit(1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "a save failed by itself"
