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
PAGE = os.sysconf("SC_PAGE_SIZE")
POOL = "asyncio_"  # names of threads that the event loop makes when it first needs so many at once, and keeps


@PromptServer.instance.routes.get("/soak/state")
async def state(request: web.Request) -> web.Response:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    kinds = [type(one) for one in gc.get_objects()]
    pooled = sum(thread.name.startswith(POOL) for thread in threading.enumerate())
    with open("/proc/self/statm") as file:
        resident = int(file.read().split()[1]) * PAGE
    counts = {
        "resident bytes": resident,
        "tensors": sum(issubclass(kind, torch.Tensor) for kind in kinds),
        "model patchers": sum(issubclass(kind, ModelPatcher) for kind in kinds),
        "open files": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count() - pooled,
        "threads of asyncio's pool": pooled,
    }
    return web.json_response(counts)
