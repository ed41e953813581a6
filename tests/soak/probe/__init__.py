"""GET /soak/state: what the process of the server holds, after everything that is no longer used has been freed."""

import ctypes
import gc
import os
import threading
from collections import Counter

import safetensors
import torch
from aiohttp import web
from comfy.model_patcher import ModelPatcher
from comfy.sd1_clip import SDTokenizer
from server import PromptServer

NODE_CLASS_MAPPINGS: dict[str, type] = {}
POOL = "asyncio_"  # names of threads that the event loop makes when it first needs so many at once, and keeps


class Mallinfo(ctypes.Structure):
    """What glibc's mallinfo2 gives, in bytes or numbers, over all of its arenas."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ["arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"]
    ]


libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Mallinfo

# safetensors 0.5 to 0.8 leaves some of a shape's numbers behind for each tensor that is read, and a server that remembers no
# result reads its checkpoints for every run. How often, and how much that is by itself, is counted and taken off.
OFTEN = 200
reading = safetensors.safe_open
read: Counter[str] = Counter()
left_behind: dict[str, float] = {}


def counted(filename, *args, **kwargs):
    read[str(filename)] += 1
    return reading(filename, *args, **kwargs)


safetensors.safe_open = counted

# tokenizers 0.23 keeps a cache of words for each thread and each tokenizer that was ever loaded, also when the tokenizer is
# gone: about half a kilobyte for each text that it read. Here a tokenizer is loaded for every run.
tokenizer_made = SDTokenizer.__init__


def without_cache(self, *args, **kwargs):
    tokenizer_made(self, *args, **kwargs)
    backend = getattr(self.tokenizer, "backend_tokenizer", None)
    if hasattr(getattr(backend, "model", None), "_resize_cache"):
        backend.model._resize_cache(0)


SDTokenizer.__init__ = without_cache


def allocated() -> int:
    gc.collect()
    found = libc.mallinfo2()
    return found.uordblks + found.hblkhd


def read_all(path: str, times: int) -> None:
    for _ in range(times):
        with reading(path, framework="pt") as file:
            for name in sorted(file.keys()):
                file.get_tensor(name)


def left_behind_by_reading() -> int:
    """Bytes, by all that was read until now."""
    for path in read.keys() - left_behind.keys():
        read_all(path, 1)  # what only the first time allocates is none of it
        before = allocated()
        read_all(path, OFTEN)
        left_behind[path] = (allocated() - before) / OFTEN
        read[path] += 1 + OFTEN
    return round(sum(count * left_behind[path] for path, count in read.items()))


@PromptServer.instance.routes.get("/soak/state")
async def state(request: web.Request) -> web.Response:
    by_reading = left_behind_by_reading()
    libc.malloc_trim(0)
    kinds = [type(one) for one in gc.get_objects()]
    pooled = sum(thread.name.startswith(POOL) for thread in threading.enumerate())
    with open("/proc/self/status") as file:
        memory = dict(line.split(":", 1) for line in file)
    counts = {
        # Python's own objects among them, with PYTHONMALLOC=malloc.
        "bytes allocated": allocated() - by_reading,
        "bytes left behind by reading files": by_reading,
        # Pages that no file backs: what is allocated, and the gaps between, as the allocator's threads happened to leave them.
        "bytes resident": 1024 * int(memory["RssAnon"].split()[0]),
        "tensors": sum(issubclass(kind, torch.Tensor) for kind in kinds),
        "model patchers": sum(issubclass(kind, ModelPatcher) for kind in kinds),
        "open files": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count() - pooled,
        "threads of asyncio's pool": pooled,
    }
    return web.json_response(counts)
