"""How a node's inputs may change once people have saved it: the host puts another node in its place.

The old node is made up, and so is the pack that gave it up; what stands in its place is one of ours, with the value of a
widget that became the setting of a choice, and an output that moved.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toyworld.world import Scene, draw

from tools.comfyui.client import ComfyClient
from tools.comfyui.environment import HOST, TOY_CHECKPOINT, link_pack
from tools.comfyui.library import comfyui_path
from tools.comfyui.server import ComfyServer
from tools.workflows.examples import EXAMPLE_PICTURE
from tools.workflows.workflow import Choice, Graph

OLD, NEW = "HottestPercentOfHeat", "HeatmapToMask"
PERCENT = 35.0
PACK = f'''
from comfy_api.latest import ComfyAPI, ComfyExtension, io


class Pack(ComfyExtension):
    async def on_load(self):
        await ComfyAPI().node_replacement.register(
            io.NodeReplace(
                old_node_id="{OLD}",
                new_node_id="{NEW}",
                old_widget_ids=["percent"],
                input_mapping=[
                    {{"new_id": "heatmap", "old_id": "heat"}},
                    {{"new_id": "rule", "set_value": "area"}},
                    {{"new_id": "rule.area", "old_id": "percent"}},
                ],
                output_mapping=[{{"old_idx": 1, "new_idx": 0}}, {{"old_idx": 0, "new_idx": 1}}],
            )
        )

    async def get_node_list(self):
        return []


async def comfy_entrypoint():
    return Pack()
'''


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    link_pack(comfyui_path())
    path = tmp_path_factory.mktemp("picture") / EXAMPLE_PICTURE
    Image.fromarray((draw(np.random.RandomState(3), Scene("rose", "red")).pixels * 255).round().astype(np.uint8)).save(path)
    checkpoints = [HOST / "ComfyUI" / "models" / "checkpoints"]
    server = ComfyServer(comfyui_path(), Path(sys.executable), checkpoint_folders=checkpoints)
    pack = server.node_folder / "GaveAnOldNodeUp"
    pack.mkdir(parents=True)
    (pack / "__init__.py").write_text(PACK)
    with server:
        client = ComfyClient(server.url)
        client.upload_image(path)
        yield client


def heat_and(last: str, output: int, **inputs) -> dict:
    """A heat map, and a mask of it by the node `last`."""
    graph = Graph()
    loader = graph.add("CheckpointLoaderSimple", ckpt_name=TOY_CHECKPOINT)
    latent = graph.add("VAEEncode", pixels=graph.add("LoadImage", image=EXAMPLE_PICTURE)[0], vae=loader[2])
    texts = [graph.add("CLIPTextEncode", text=text, clip=loader[1]) for text in ("a blue rose", "a red rose")]
    sides = {"target": texts[0][0], "source": texts[1][0]}
    settings = {"seed": 1, "maps": 1, "noise_strength": 0.5}
    rule = Choice("mean ratio", {"threshold_ratio": 3.0, "threshold": 0.5})
    choices = {"rule": rule, "compare": Choice("two prompts")}
    heat = graph.add("DiffEditMask", model=loader[0], latent=latent[0], **sides, **settings, **choices)
    (name,) = (name for name, value in inputs.items() if value is None)
    graph.add("MaskPreview", mask=graph.add(last, title=last, **inputs | {name: heat[1]})[output])
    return graph.api()


def mask_of(client: ComfyClient, prompt: dict) -> np.ndarray:
    (preview,) = (node_id for node_id, node in prompt.items() if node["class_type"] == "MaskPreview")
    (image,) = client.run(prompt, "a mask", quiet=True).outputs[preview]["images"]
    return client.picture(image)


def test_an_old_workflow_runs_with_the_node_that_replaces_its_own(client):
    assert OLD not in client.object_info()
    found = mask_of(client, heat_and(OLD, 1, heat=None, percent=PERCENT))
    expected = mask_of(client, heat_and(NEW, 0, heatmap=None, rule=Choice("area", {"area": PERCENT})))
    np.testing.assert_array_equal(found, expected)
    assert (found > 0.5 * found.max()).mean() == pytest.approx(PERCENT / 100, abs=0.01)
