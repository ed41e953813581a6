"""Masks in the page: a workflow that makes one, what its view shows, and what a run gave."""

import io

import numpy as np
from comfy_page import ComfyPage
from PIL import Image

from tools.comfyui.environment import TOY_CHECKPOINT
from tools.workflows.examples import EXAMPLE_PICTURE
from tools.workflows.workflow import Choice, Graph, ui_workflow

MASK, AGAIN = "DiffEditMask", "HeatmapToMask"
CELL = 8
MEAN_RATIO = Choice("mean ratio", {"threshold_ratio": 3.0, "threshold": 0.5})
SHOWN = """async (root) => {
  const frame = () => new Promise((next) => requestAnimationFrame(next))
  for (let i = 0; i < 3; i++) await frame()
  const { shown } = root.querySelector('.time-diffedit-mask')
  return shown && { ...shown, cells: Array.from(shown.cells) }
}"""

# As the server tells it while a node runs.
PROGRESS = """([id, value, max]) => {
  const node = { value, max, state: 'running', node_id: id, display_node_id: id, real_node_id: id, prompt_id: 'one' }
  app.api.dispatchCustomEvent('progress_state', { prompt_id: 'one', nodes: { [id]: node } })
}"""


def mask_workflow(
    info: dict,
    pictures: int = 1,
    targets: tuple[str, ...] = ("a blue rose",),
    again: Choice | None = None,
    again_on_picture: bool = False,
    **settings,
) -> dict:
    """Contrast prompts on the example picture, show the mask, and judge it by the rule `again`, as UI JSON."""
    graph = Graph()
    loader = graph.add("CheckpointLoaderSimple", ckpt_name=TOY_CHECKPOINT)
    image = first = graph.add("LoadImage", image=EXAMPLE_PICTURE)
    for _ in range(pictures - 1):
        image = graph.add("ImageBatch", image1=graph.add("ImageInvert", image=first[0])[0], image2=image[0])
    latent = graph.add("VAEEncode", pixels=image[0], vae=loader[2])
    shows = graph.add("CLIPTextEncode", clip=loader[1], text="a red rose")
    inputs = dict(model=loader[0], latent=latent[0], source=shows[0], picture=image[0], seed=1, maps=2)
    inputs |= {"noise_strength": 0.5, "compare": Choice("two prompts")}
    for target in targets:
        wanted = graph.add("CLIPTextEncode", clip=loader[1], text=target)
        mask = graph.add(MASK, target=wanted[0], **inputs | settings)
        inputs["heatmap"] = mask[1]
    graph.add("MaskPreview", mask=mask[0])
    if again is not None:
        below = {"picture": image[0]} if again_on_picture else {}
        graph.add("MaskPreview", mask=graph.add(AGAIN, heatmap=mask[1], rule=again, **below)[0])
    return ui_workflow(graph.api(), info)


def wait_until_shown(comfy: ComfyPage, kind: str = MASK) -> None:
    comfy.page.wait_for_function(
        "(id) => document.querySelector(`[data-time-diffedit='${id}'] .time-diffedit-mask`)?.shown", arg=comfy.node_id(kind)
    )


def shown(comfy: ComfyPage, kind: str = MASK) -> dict | None:
    """What the view shows, after what is under way is drawn."""
    return comfy.view(kind).evaluate(SHOWN)


def cells(comfy: ComfyPage, kind: str = MASK) -> np.ndarray:
    """The mask that the view shows, (frames, height, width)."""
    view = shown(comfy, kind)
    return np.array(view["cells"]).reshape(-1, view["height"], view["width"])


def masked(comfy: ComfyPage, outputs: dict, preview: int = 0) -> np.ndarray:
    """The pixels of the masks of a run, 0 and 1."""
    ids = comfy.page.evaluate("() => app.graph.nodes.filter((n) => n.type === 'MaskPreview').map((n) => String(n.id))")
    files = [comfy.file(item) for item in outputs[ids[preview]]["images"]]
    found = np.stack([np.asarray(Image.open(io.BytesIO(file)).convert("L")) for file in files])
    assert np.isin(found, (0, 255)).all()
    return found // 255


def pixels(found: np.ndarray, cell: int = CELL) -> np.ndarray:
    """Cells as the pixels that they mask."""
    return found.repeat(cell, 0).repeat(cell, 1)
