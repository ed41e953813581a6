"""`make ui`, as a user calls it."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

from tools.comfyui.client import ComfyClient
from tools.comfyui.environment import ROOT
from tools.ui import TOY_TEMPLATES


@pytest.fixture(scope="module")
def addresses() -> Iterator[list[str]]:
    """Those that it says, while it runs."""
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment["PYTHONPATH"] = os.pathsep.join(("tests", "."))
    command = [sys.executable, "-m", "tools.ui"]
    settings = {"cwd": ROOT, "env": environment, "stdout": subprocess.PIPE, "text": True}
    # What a shell starts in the background does not hear Ctrl-C, nor do its children: this one must.
    with subprocess.Popen(command, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **settings) as run:
        said: list[str] = []
        while run.poll() is None and not (said and said[-1].startswith("Ctrl-C")):
            said.append(run.stdout.readline().strip())
        yield [line for line in said if line.startswith("http")]
        run.send_signal(signal.SIGINT)
    assert run.returncode == 0


@pytest.fixture(scope="module")
def client(addresses) -> ComfyClient:
    return ComfyClient(addresses[0].partition("/?")[0])


def template(client: ComfyClient, name: str) -> dict:
    return client.get_json(f"/api/workflow_templates/{TOY_TEMPLATES}/{name}.json")


def pictures(workflow: dict) -> set[str]:
    """That its Load Image nodes name, those in blocks, too."""
    graphs = (workflow, *workflow.get("definitions", {}).get("subgraphs", ()))
    return {node["widgets_values"][0] for graph in graphs for node in graph["nodes"] if node["type"] == "LoadImage"}


def test_the_two_templates_that_it_opens_are_there(addresses, client):
    asked = [{name: values[0] for name, values in parse_qs(urlsplit(address).query).items()} for address in addresses]
    assert len(asked) == 2 and {one["source"] for one in asked} == {TOY_TEMPLATES}
    assert all(template(client, one["template"])["nodes"] for one in asked)


def test_it_brings_the_pictures_that_its_templates_ask_for(client):
    names = client.get_json("/api/workflow_templates")[TOY_TEMPLATES]
    asked = {name: pictures(template(client, name)) for name in names}
    assert len(names) >= 25 and sum(map(bool, asked.values())) >= 10
    for picture in set().union(*asked.values()):
        assert Image.open(io.BytesIO(client.file({"filename": picture, "type": "input"}))).width >= 64, picture
