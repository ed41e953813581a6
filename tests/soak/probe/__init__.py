"""GET /soak/state: what the process of the server holds, after everything that is no longer used has been freed."""

import ctypes
import gc
import os
import threading

import torch
from aiohttp import web
from comfy.model_patcher import ModelPatcher
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


@PromptServer.instance.routes.get("/soak/state")
async def state(request: web.Request) -> web.Response:
    gc.collect()
    libc.malloc_trim(0)
    allocated = libc.mallinfo2()
    kinds = [type(one) for one in gc.get_objects()]
    pooled = sum(thread.name.startswith(POOL) for thread in threading.enumerate())
    with open("/proc/self/status") as file:
        memory = dict(line.split(":", 1) for line in file)
    counts = {
        # Python's own objects among them, with PYTHONMALLOC=malloc.
        "bytes allocated": allocated.uordblks + allocated.hblkhd,
        # Pages that no file backs: what is allocated, and the gaps between, as the allocator's threads happened to leave them.
        "bytes resident": 1024 * int(memory["RssAnon"].split()[0]),
        "tensors": sum(issubclass(kind, torch.Tensor) for kind in kinds),
        "model patchers": sum(issubclass(kind, ModelPatcher) for kind in kinds),
        "open files": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count() - pooled,
        "threads of asyncio's pool": pooled,
    }
    return web.json_response(counts)
