"""Times and memory of what the pack does, through its nodes and the host's own sampling."""

import gc
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import comfy.model_management
import comfy.sample
import torch

from time_core.application.apply import apply_edit
from time_core.equations.equations import Equations, equations
from time_core.equations.request import Request
from time_core.prompts.text import TextReader
from time_core.reading.projections import cross_attention

from ..hosts.inputs import execute, inputs_of
from .configurations import Effort

CFG = 7.5
MIB = 2**20
STRENGTH = 0.8  # of inversions, as published
SOURCE, TARGET = "A pack of roses", "A pack of blue roses"
PAUSE = 0.01  # seconds between two looks at the card's memory

Values = dict[str, object]


@dataclass(frozen=True)
class Bench:
    """`nodes` by id on `model` and `clip`; `edited` is the model with `edit`; `latent` of the size that is timed."""

    nodes: dict[str, type]
    model: object
    clip: object
    edit: object
    edited: object
    latent: dict
    texts: dict[str, list]
    effort: Effort

    def run(self, node_id: str, changes: dict, **connected) -> tuple:
        node = self.nodes[node_id]
        return execute(node, inputs_of(node, changes) | connected)


def bench_of(nodes: dict[str, type], model, clip, pixels: int, effort: Effort) -> Bench:
    """With the edit that `effort` asks for, and a picture of `pixels`."""
    latent = {"samples": random_latent(pixels // 8)}
    texts = {text: clip.encode_from_tokens_scheduled(clip.tokenize(text)) for text in ("", SOURCE, TARGET)}
    plain = Bench(nodes, model, clip, None, None, latent, texts, effort)
    edit = plain.run("TIMEComputeEdit", effort.prompts, clip=clip)[0]
    edited = plain.run("TIMEApplyEdit", {}, model=model, time_edit=edit)[0]
    return Bench(nodes, model, clip, edit, edited, latent, texts, effort)


def random_latent(cells: int) -> torch.Tensor:
    return torch.randn(1, 4, cells, cells, generator=torch.Generator().manual_seed(3))


def synchronise() -> None:
    """Wait until the card has done what it was asked."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def seconds(work: Callable[[], object]) -> float:
    synchronise()
    start = time.perf_counter()
    work()
    synchronise()
    return time.perf_counter() - start


def spread(values: list[float]) -> Values:
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


@contextmanager
def peak_memory() -> Iterator[Values]:
    """Fills in MiB on the card: what PyTorch had handed out at most, and what was used at most beyond before, by anyone.

    Dynamic VRAM keeps weights outside of PyTorch's allocator; only the second number has them.
    """
    found: Values = {}
    if not torch.cuda.is_initialized():
        yield found
        return
    torch.cuda.reset_peak_memory_stats()
    used, ended = [_used()], threading.Event()

    def watch() -> None:
        while not ended.wait(PAUSE):
            used.append(_used())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        ended.set()
        watcher.join()
        found |= {"PyTorch": torch.cuda.max_memory_allocated() / MIB, "card": max(used) / MIB}


def _used() -> int:
    free, total = torch.cuda.mem_get_info()
    return total - free


def forget_models() -> None:
    """Nothing of ours is left on the card."""
    comfy.model_management.unload_all_models()
    gc.collect()
    comfy.model_management.soft_empty_cache(force=True)
    synchronise()


def edit(bench: Bench) -> Values:
    """Seconds of an edit with the text encoder in place: encoding the prompts, solving, and adding the patches."""
    made = bench.edit
    request = Request(made.pairs, made.preserve, made.settings)
    asked: list[Equations] = []

    def times(work: Callable[[], object]) -> Values:
        return spread([seconds(work) for _ in range(bench.effort.edits)])

    return {
        "projections": len(cross_attention(bench.model).projections),
        "rank": bench.edit.left.shape[1],
        "encoding, s": times(lambda: asked.append(equations(TextReader(bench.clip), request))),
        "solving, s": times(lambda: asked[-1].edit(made.settings.lamb, with_curve=True)),
        "patches, s": times(lambda: apply_edit(bench.model, made)),
    }


def loading(bench: Bench) -> Values:
    """Seconds from host memory to a loaded model, and of the first model call on it, with the edit's patches and without.

    With dynamic VRAM weights are loaded, and patched, by that call.
    """

    def loaded(model) -> dict[str, float]:
        forget_models()
        load = seconds(lambda: comfy.model_management.load_models_gpu([model]))
        call = seconds(lambda: sample(bench, model, steps=1))
        return {"load, s": load, "first call, s": call, "together, s": load + call}

    sample(bench, bench.model, steps=1)  # kernels are chosen in the first call of all
    plain, edited = loaded(bench.model), loaded(bench.edited)
    return {"plain": plain, "edited": edited, "patching, s": edited["together, s"] - plain["together, s"]}


def sampling(bench: Bench) -> Values:
    """Milliseconds of a step under guidance, plain and edited in turns; the step in which a model is loaded is left out."""
    times: dict[str, list[float]] = {"plain": [], "edited": []}
    with peak_memory() as memory:
        for _ in range(bench.effort.rounds):
            times["plain"] += sample(bench, bench.model, bench.effort.steps)
            times["edited"] += sample(bench, bench.edited, bench.effort.steps)
    found = {name: spread([1000 * value for value in values]) for name, values in times.items()}
    return found | {"ratio": found["edited"]["median"] / found["plain"]["median"], "memory": memory}


def sample(bench: Bench, model, steps: int) -> list[float]:
    """Seconds of every step but the first."""
    ends = []

    def ended(*_) -> None:
        synchronise()
        ends.append(time.perf_counter())

    how = steps, CFG, "euler", "normal", bench.texts[TARGET], bench.texts[""]
    samples = torch.zeros_like(bench.latent["samples"])
    noise = comfy.sample.prepare_noise(samples, 1)
    comfy.sample.sample(model, noise, *how, samples, callback=ended, disable_pbar=True, seed=1)
    return [later - earlier for earlier, later in zip(ends[:-1], ends[1:], strict=True)]


def diffedit(bench: Bench) -> Values:
    """Seconds of a mask, an inversion and a repainting, the model loaded; and what the repainting changed outside its mask."""
    steps, maps = bench.effort.inversion, bench.effort.maps
    texts = {"positive": bench.texts[""], "negative": bench.texts[""]}
    sides = {"source": bench.texts[SOURCE], "target": bench.texts[TARGET]}

    def contrast(maps: int):
        return bench.run("DiffEditMask", {"maps": maps}, model=bench.model, latent=bench.latent, clip=bench.clip, **sides)[0]

    def invert(steps: int):
        changes = {"steps": steps, "strength": STRENGTH}
        return bench.run("DDIMInvert", changes, model=bench.model, latent=bench.latent, **texts)[1]

    def repaint(trajectory) -> torch.Tensor:
        prompts = {"positive": bench.texts[TARGET], "negative": bench.texts[""]}
        done = bench.run("MaskedLatentSample", {"cfg": CFG}, model=bench.model, trajectory=trajectory, mask=mask, **prompts)
        return done[0]["samples"]

    cells = bench.latent["samples"].shape[-1]
    mask = torch.zeros(1, 8 * cells, 8 * cells)
    mask[..., : 4 * cells] = 1
    contrast(1)
    repaint(invert(2))
    made: dict[str, object] = {}
    found: Values = {}
    for name, work in {
        "mask": lambda: contrast(maps),
        "inversion": lambda: made.update(trajectory=invert(steps)),
        "repainting": lambda: made.update(samples=repaint(made["trajectory"])),
    }.items():
        with peak_memory() as memory:
            taken = seconds(work)
        found |= {f"{name}, s": taken, f"{name}, memory": memory}
    walked = len(made["trajectory"].states) - 1
    outside = (made["samples"] - bench.latent["samples"])[..., cells // 2 :].abs().max().item()
    return found | {"noises of a mask": maps, "steps walked": walked, "outside": outside}
