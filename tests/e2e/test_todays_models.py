"""The templates for models that people have and we do not: the host takes them, and stops at the first file, which is empty."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.comfyui.client import ComfyClient, WorkflowError
from tools.comfyui.library import comfyui_path
from tools.comfyui.server import ComfyServer
from tools.workflows.examples import EXAMPLES
from tools.workflows.examples.shared import FILES, HOSTS_PICTURE
from tools.workflows.examples.todays_models import TODAYS_MODELS
from tools.workflows.workflow import is_link


@pytest.fixture(scope="module")
def with_empty_files(tmp_path_factory) -> Iterator[ComfyClient]:
    folder = tmp_path_factory.mktemp("models")
    for file in FILES:
        (folder / file["directory"]).mkdir(exist_ok=True)
        (folder / file["directory"] / file["name"]).touch()
    with ComfyServer(comfyui_path(), Path(sys.executable), checkpoint_folders=[folder / "checkpoints"]) as server:
        client = ComfyClient(server.url)
        client.upload_image(comfyui_path() / "input" / HOSTS_PICTURE)
        yield client


@pytest.mark.parametrize("name", [*TODAYS_MODELS, "instruction_edit"])
def test_the_host_takes_all_but_the_empty_file(with_empty_files, name):
    graph = EXAMPLES[name].as_shipped()
    loaders = {
        node["_meta"]["title"] for node in graph.nodes.values() if node["class_type"].endswith(("Loader", "LoaderSimple"))
    }
    with pytest.raises(WorkflowError) as refused:
        with_empty_files.run(graph.api(), name, quiet=True)
    title, _, said = str(refused.value).partition(": ")
    assert title in loaders and "not in list" not in said, refused.value


@pytest.mark.parametrize("name", [*TODAYS_MODELS, "instruction_edit"])
def test_each_file_can_be_fetched(name):
    offered = {file["name"] for file in FILES}
    for node in EXAMPLES[name].as_shipped().nodes.values():
        named = {value for value in node["inputs"].values() if not is_link(value) and str(value).endswith(".safetensors")}
        assert named <= offered
