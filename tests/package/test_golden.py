"""Files of every recorded version still load and run: schemas, and workflows in both formats on the real server."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toyworld.world import Scene, draw

from tools.client import ComfyClient
from tools.environment import HOST, ROOT, link_pack
from tools.examples import EXAMPLE_PICTURE
from tools.golden import GOLDEN, is_released, schemas
from tools.host import comfyui_path
from tools.schemas import breaks
from tools.server import ComfyServer
from tools.ui_to_api import api_workflow, with_defaults

VERSIONS = sorted(path.name for path in GOLDEN.iterdir())
WORKFLOWS = [
    (path.parents[1].name, path.name.removesuffix(".ui.json")) for path in sorted(GOLDEN.glob("*/workflows/*.ui.json"))
]


def recorded(version: str, name: str, form: str) -> dict:
    return json.loads((GOLDEN / version / "workflows" / f"{name}.{form}.json").read_text())


@pytest.fixture(scope="module")
def current_schemas(tmp_path_factory):
    return schemas(comfyui_path(), ROOT, tmp_path_factory.mktemp("schemas") / "base")


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    link_pack(comfyui_path())
    picture = draw(np.random.RandomState(3), Scene("rose", "red"))
    path = tmp_path_factory.mktemp("picture") / EXAMPLE_PICTURE
    Image.fromarray((picture.pixels * 255).round().astype(np.uint8)).save(path)
    checkpoints = [HOST / "ComfyUI" / "models" / "checkpoints"]
    with ComfyServer(comfyui_path(), Path(sys.executable), checkpoint_folders=checkpoints) as server:
        client = ComfyClient(server.url)
        client.upload_image(path)
        yield client


@pytest.fixture(scope="module")
def object_info(client):
    return client.object_info()


@pytest.mark.parametrize("version", VERSIONS)
def test_no_change_breaks_saved_files(current_schemas, version):
    accepted = GOLDEN / version / "accepted.json"
    reasons = json.loads(accepted.read_text()) if accepted.exists() else {}
    before = json.loads((GOLDEN / version / "schemas.json").read_text())
    assert breaks(before, current_schemas) == list(reasons)


def test_every_node_is_recorded(current_schemas):
    newest = json.loads((GOLDEN / VERSIONS[-1] / "schemas.json").read_text())
    assert newest == current_schemas, "the schemas changed since they were recorded; run `make golden`"


@pytest.mark.parametrize(("version", "name"), WORKFLOWS)
def test_both_formats_of_a_recorded_workflow_are_the_same_prompt(object_info, version, name):
    ui, api = recorded(version, name, "ui"), recorded(version, name, "api")
    assert with_defaults(api, object_info) == api_workflow(ui, object_info)


@pytest.mark.parametrize(("version", "name"), WORKFLOWS)
def test_recorded_workflows_run(client, object_info, version, name):
    """Released ones in both formats; those in preparation are the templates, whose formats are the same prompt."""
    prompts = [recorded(version, name, "api")]
    if is_released(version):
        prompts.append(api_workflow(recorded(version, name, "ui"), object_info))
    shown = []
    for prompt in prompts:
        result = client.run(prompt, name, quiet=True)
        shown.append([client.picture(image) for output in result.outputs.values() for image in output.get("images", [])])
        assert shown[-1]
    for pictures in shown:
        np.testing.assert_array_equal(pictures, shown[0])
