"""Files of every recorded version still load and run: schemas, and workflows in both formats on the real server."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from short_runs import shortened
from toyworld.world import Scene, draw

from tools.comfyui.client import ComfyClient
from tools.comfyui.environment import HOST, link_pack
from tools.comfyui.library import comfyui_path
from tools.comfyui.server import ComfyServer
from tools.release.golden import GOLDEN, is_released, object_info, schemas_of
from tools.release.schemas import breaks
from tools.workflows.examples import EXAMPLE_PICTURE, EXAMPLES
from tools.workflows.ui_to_api import api_workflow, with_defaults

VERSIONS = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())


def after_what_it_needs(workflow: tuple[str, str]) -> tuple[str, bool, str]:
    version, name = workflow
    return version, name in EXAMPLES and bool(EXAMPLES[name].needs), name


WORKFLOWS = sorted(
    ((path.parents[1].name, path.name.removesuffix(".ui.json")) for path in GOLDEN.glob("*/workflows/*.ui.json")),
    key=after_what_it_needs,
)


def recorded(version: str, name: str, form: str) -> dict:
    return json.loads((GOLDEN / version / "workflows" / f"{name}.{form}.json").read_text())


def pictures(client: ComfyClient, output: dict) -> list[np.ndarray]:
    return [client.picture(image) for image in output.get("images", [])]


@pytest.fixture(scope="module")
def current_schemas(tmp_path_factory):
    return schemas_of(object_info(comfyui_path(), tmp_path_factory.mktemp("schemas") / "base"))


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
def info(client):
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
def test_both_formats_of_a_recorded_workflow_are_the_same_prompt(info, version, name):
    ui, api = recorded(version, name, "ui"), recorded(version, name, "api")
    assert with_defaults(api, info) == api_workflow(ui, info)


@pytest.mark.parametrize(("version", "name"), [each for each in WORKFLOWS if is_released(each[0])])
def test_released_workflows_run(client, info, version, name):
    """In both formats, with equal pictures. Those of the version in preparation are the templates, which tests/browser runs."""
    shown = []
    for prompt in (recorded(version, name, "api"), api_workflow(recorded(version, name, "ui"), info)):
        result = client.run(shortened(prompt), name, quiet=True)
        # Nodes that show text may be missing where the server had nothing to run again.
        shown.append({node: pictures(client, output) for node, output in result.outputs.items() if output.get("images")})
        assert shown[-1]
    assert shown[0].keys() == shown[1].keys()
    for node in shown[0]:
        np.testing.assert_array_equal(shown[1][node], shown[0][node])
