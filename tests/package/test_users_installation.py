"""`make demo` with an installation of the user's: its own Python, a few packages to talk to it, and the user's checkpoint."""

import os
import subprocess
import sys

import pytest
from PIL import Image

from tools.comfyui import environment
from tools.comfyui.environment import HOST, PACK_FOLDER, TOY_CHECKPOINT
from tools.comfyui.library import comfyui_path
from tools.release.installation import copy_host, files_below

SETTINGS = {"SIZE": "128", "STEPS": "2", "SEEDS": "1", "CPU": "1", "SOURCE": "a rose", "DESTINATION": "a blue rose"}
SETTINGS |= {"COMFYUI_PYTHON": sys.executable}


@pytest.fixture(scope="module")
def comfyui(tmp_path_factory):
    """A ComfyUI that is nobody's but the user's."""
    return copy_host(tmp_path_factory.mktemp("user") / "ComfyUI")


@pytest.fixture(scope="module")
def demo(repository, comfyui, tmp_path_factory):
    """`make demo` in a fresh clone; returns the clone and what was said. The client's packages are those of this checkout."""
    clone = tmp_path_factory.mktemp("clone") / "pack"
    subprocess.run(["git", "clone", "-q", str(repository), str(clone)], check=True)
    environment.make_client()
    (clone / ".cache").mkdir()
    (clone / ".cache" / "client").symlink_to(environment.CLIENT)
    checkpoint = tmp_path_factory.mktemp("downloads") / "a model.safetensors"
    checkpoint.symlink_to(HOST / "ComfyUI" / "models" / "checkpoints" / TOY_CHECKPOINT)
    settings = SETTINGS | {"COMFYUI_PATH": str(comfyui), "CHECKPOINT": str(checkpoint)}
    run = subprocess.run(["make", "demo"], cwd=clone, env=os.environ | settings, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return clone, run.stdout


def test_nothing_is_built_but_the_client(demo):
    clone, said = demo
    assert not (clone / ".venv").exists() and not (clone / ".host").exists()
    assert not (clone / ".cache" / "models").exists()
    assert "Installing" not in said and "Building" not in said


def test_the_pack_is_linked_and_nothing_else_changes(demo, comfyui):
    clone, said = demo
    link = comfyui / "custom_nodes" / PACK_FOLDER
    assert link.resolve() == clone and f"Linked the pack into ComfyUI: {link}" in said
    assert [path.name for path in (comfyui / "custom_nodes").iterdir()] == [PACK_FOLDER]
    new = set(files_below(comfyui)) - set(files_below(comfyui_path()))
    assert not {name for name in new if not name.startswith("custom_nodes/")}


def test_sheets_and_numbers_are_there(demo):
    clone, said = demo
    output = clone / "demo-output"
    assert {path.name for path in output.iterdir()} == {
        "diffedit_sheet.png",
        "time_sheet.png",
        "results.txt",
        "results.json",
        "workflows",
    }
    assert Image.open(output / "time_sheet.png").height > Image.open(output / "diffedit_sheet.png").height
    numbers = (output / "results.txt").read_text()
    assert numbers in said
    assert "'a rose' -> 'a blue rose'" in numbers and "latent error outside mask         0\n" in numbers
