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


@PromptServer.instance.routes.get("/soak/state")
async def state(request: web.Request) -> web.Response:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    kinds = [type(one) for one in gc.get_objects()]
    pooled = sum(thread.name.startswith(POOL) for thread in threading.enumerate())
    with open("/proc/self/status") as file:
        memory = dict(line.split(":", 1) for line in file)
    counts = {
        # Not what is read from files, models among them: that goes and comes as the system likes.
        "bytes of memory": 1024 * int(memory["RssAnon"].split()[0]),
        "tensors": sum(issubclass(kind, torch.Tensor) for kind in kinds),
        "model patchers": sum(issubclass(kind, ModelPatcher) for kind in kinds),
        "open files": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count() - pooled,
        "threads of asyncio's pool": pooled,
    }
    return web.json_response(counts)
