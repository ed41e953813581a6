"""A process in which the host is started in one way. It is told what to do and answers part by part."""

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

from .configurations import CPU, MODELS, Configuration, Effort
from .host import describe, open_model, start_host

Answer = tuple[str, dict]
FAILED, ENDED, MACHINE = "failed", "ended", "machine"


@dataclass(frozen=True)
class Checkpoint:
    """Write the checkpoint of a model into `folder`."""

    model: str
    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / f"{self.model}.safetensors"


@dataclass(frozen=True)
class Reference(Checkpoint):
    """Write what the CPU makes of it beside it."""

    effort: Effort

    @property
    def wanted(self) -> Path:
        return self.folder / f"{self.model}-on-the-cpu.safetensors"


@dataclass(frozen=True)
class Measured(Reference):
    configuration: Configuration


def serve(connection: Connection, start: str) -> None:
    """The life of the process: one order after another, each answered by (part, values) and at last by ENDED.

    What goes wrong is an answer, too: the values {FAILED: in words}.
    """
    os.environ["TQDM_DISABLE"] = "1"
    try:
        nodes = start_host(start)
        answer(connection, MACHINE, lambda: describe(start))
        connection.send((ENDED, {}))
    except Exception as error:
        connection.send((MACHINE, {FAILED: in_words(error)}))
        return
    import torch

    with torch.inference_mode():
        while (order := receive(connection)) is not None:
            for part, work in work_of(order, nodes):
                answer(connection, part, work)
            connection.send((ENDED, {}))


def receive(connection: Connection) -> Checkpoint | None:
    try:
        return connection.recv()
    except EOFError:  # whoever asked is gone
        return None


def answer(connection: Connection, part: str, work: Callable[[], dict | None]) -> None:
    try:
        values = work() or {}
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        values = {FAILED: in_words(error)}
    connection.send((part, values))


def in_words(error: Exception) -> str:
    """One line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def work_of(order: Checkpoint, nodes: dict[str, type]) -> Iterator[tuple[str, Callable[[], dict | None]]]:
    """The parts of an order. They share what the earlier ones made; the model is off the card after the last."""
    import comfy.model_management
    import folder_paths

    from . import equality, measures, weights

    size = MODELS[order.model]
    folder_paths.set_temp_directory(str(order.folder))  # the nodes' previews
    if type(order) is Checkpoint:
        device = comfy.model_management.get_torch_device()
        yield "checkpoint", lambda: weights.write_checkpoint(size.kind, order.path, device)
        return
    made: dict[str, measures.Bench] = {}

    def open_bench() -> None:
        configuration = order.configuration if isinstance(order, Measured) else Configuration(order.model, "fp32", CPU)
        effort = order.effort
        opened = open_model(order.path, configuration.dtype)
        made["bench"] = measures.bench_of(nodes, opened.model, opened.clip, size.pixels, effort)

    def small() -> measures.Bench:
        """On a picture of the size that is compared."""
        cells = size.compared // 8
        whole = made["bench"]
        samples = measures.random_latent(cells)
        return replace(whole, latent={"samples": samples})

    yield "opening", open_bench
    if "bench" in made and isinstance(order, Measured):
        yield "edit", lambda: measures.edit(made["bench"])
        yield "sampling", lambda: measures.sampling(made["bench"])
        yield "DiffEdit", lambda: measures.diffedit(made["bench"])
        yield "equality", lambda: equality.against_reference(small(), order.wanted)
        yield "loading", lambda: measures.loading(made["bench"])
    elif "bench" in made:
        yield "reference", lambda: equality.write_reference(small(), order.wanted)
    made.clear()
    yield "forgetting", measures.forget_models
