"""TIME and DiffEdit for ComfyUI. The host calls `comfy_entrypoint`; the way on is nodes/ -> time_core/ or diffedit_core/."""

from comfy_api.latest import ComfyExtension, io

from .nodes import NODES

WEB_DIRECTORY = "./web"


class TimeDiffEditExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return list(NODES)


async def comfy_entrypoint() -> TimeDiffEditExtension:
    return TimeDiffEditExtension()
