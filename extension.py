"""The pack as the host sees it: the list of its nodes."""

from comfy_api.latest import ComfyExtension, io

from . import routes
from .nodes import NODES


class TimeDiffEditExtension(ComfyExtension):
    async def on_load(self) -> None:
        routes.register()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return list(NODES)


async def comfy_entrypoint() -> TimeDiffEditExtension:
    return TimeDiffEditExtension()
