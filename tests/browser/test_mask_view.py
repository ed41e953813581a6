"""The view of DiffEdit Mask and Heatmap to Mask: what it shows is what the next run masks."""

import pytest
from comfy_page import ComfyPage

from tools.client import ComfyClient
from tools.examples import EXAMPLE_PICTURE
from tools.examples.shared import TOY_CHECKPOINT
from tools.workflow import Graph, ui_workflow


def mask_workflow(server, pictures: int = 1, **settings) -> dict:
    """Contrast two prompts on the example picture and show the mask, as UI JSON."""
    graph = Graph()
    loader = graph.add("CheckpointLoaderSimple", ckpt_name=TOY_CHECKPOINT)
    image = graph.add("LoadImage", image=EXAMPLE_PICTURE)
    for _ in range(pictures - 1):
        image = graph.add("ImageBatch", image1=graph.add("ImageInvert", image=image[0])[0], image2=image[0])
    latent = graph.add("VAEEncode", pixels=image[0], vae=loader[2])
    shows, wanted = (graph.add("CLIPTextEncode", clip=loader[1], text=text) for text in ("a red rose", "a blue rose"))
    values = {"seed": 1, "maps": 2, "noise_strength": 0.5, "threshold_ratio": 3.0, "threshold": 0.5, "cfg": 7.5, **settings}
    mask = graph.add(
        "DiffEditMask", model=loader[0], latent=latent[0], target=wanted[0], source=shows[0], picture=image[0], **values
    )
    graph.add("MaskPreview", mask=mask[0])
    return ui_workflow(graph.api(), ComfyClient(server.url).object_info())
