"""TIME and DiffEdit for ComfyUI. The host calls `comfy_entrypoint`; the way on is nodes/ -> time_core/ or diffedit_core/."""

import logging

from .compatibility import host_problem

if problem := host_problem():
    logging.error(problem)
    # Every host takes an empty mapping for a pack without nodes and goes on; an exception would put a traceback over the line.
    NODE_CLASS_MAPPINGS = {}
else:
    from .extension import comfy_entrypoint

    WEB_DIRECTORY = "./web"
    __all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
