"""What starting costs, and what a host that is too old is told: one line, no traceback, and it goes on."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.comfyui.hosts import OLDEST, version_of
from tools.comfyui.install import ROOT
from tools.comfyui.library import PACK, comfyui_path
from tools.release.archive import project
from tools.release.installation import Installation, by_registry, copy_host

START_LIMIT = 0.3  # seconds of a processor, which another job beside does not lengthen

LOAD = """
import asyncio, importlib, json, sys, time
comfyui, pack, withdrawn = sys.argv[1:4]
sys.argv[1:] = ["--cpu"]
sys.path.insert(0, comfyui)
import comfy.options
comfy.options.enable_args_parsing()
import app.logger
app.logger.setup_logger(use_stdout=False)
import utils.extra_config, nodes, server  # as main.py does; nodes of older hosts put a folder before the host's own `utils`
asyncio.run(nodes.init_builtin_extra_nodes())
module, _, name = withdrawn.partition(":")
if name:
    delattr(importlib.import_module(module), name)
elif module:
    sys.modules[module] = None
print("STARTING", file=sys.stderr)
before, start = set(sys.modules), time.process_time()
known = set(nodes.NODE_CLASS_MAPPINGS)
loaded = asyncio.run(nodes.load_custom_node(pack))
seconds = time.process_time() - start
others = sorted(name for name in set(sys.modules) - before if not name.startswith(pack.replace(".", "_x_")))
added = sorted(set(nodes.NODE_CLASS_MAPPINGS) - known)
print(json.dumps({"loaded": loaded, "seconds": seconds, "others": others, "nodes": added}))
"""


@pytest.fixture(scope="module")
def pack(repository, tmp_path_factory) -> Path:
    return by_registry(tmp_path_factory.mktemp("custom_nodes"), repository)


def load(pack: Path, withdrawn: str = "") -> tuple[dict, list[str]]:
    """Let a fresh host load the pack, after taking a module or `module:name` from it; its answer and what it logged."""
    command = [sys.executable, "-P", "-c", LOAD, str(comfyui_path()), str(pack), withdrawn]
    done = subprocess.run(command, capture_output=True, text=True, cwd=pack.parent)
    assert done.returncode == 0, done.stderr
    log = re.sub(r"\x1b\[\d*m", "", done.stderr.partition("STARTING\n")[2])
    return json.loads(done.stdout.splitlines()[-1]), [line for line in log.splitlines() if line.strip()]


def test_starting_takes_less_than_the_limit_and_loads_nothing_else(pack):
    results = [load(pack) for _ in range(2)]
    for result, log in results:
        assert result["loaded"] and log == []
        assert result["others"] == [], "modules that the host had not loaded yet cost time at every start"
    assert min(result["seconds"] for result, _ in results) < START_LIMIT


@pytest.mark.parametrize("withdrawn", ["comfy_api.latest", "comfy_api.latest:ui"])
def test_a_host_without_the_node_interface_is_told_so(pack, withdrawn):
    result, log = load(pack, withdrawn)
    (line,) = log
    assert "TIME & DiffEdit" in line and f"needs ComfyUI {OLDEST}" in line
    assert f"this is {version_of(comfyui_path())}, without " in line
    assert withdrawn.replace(":", ".") in line and "Update ComfyUI" in line
    assert result["loaded"] and result["nodes"] == []


def test_an_old_version_is_told_so_by_the_server_which_goes_on(repository, tmp_path):
    comfyui = copy_host(tmp_path / "ComfyUI")
    (comfyui / "comfyui_version.py").write_text('__version__ = "0.20.1"\n')
    old = Installation(by_registry, repository, tmp_path / "base", comfyui)
    try:
        (line,) = [line for line in old.log if "TIME & DiffEdit" in line]
        assert "this is 0.20.1" in line and f"needs ComfyUI {OLDEST}" in line
        assert not [line for line in old.log if old.pack.name in line and ("File " in line or "FAILED" in line)], old.log
        assert old.nodes() == {} and "KSampler" in old.get("/object_info")
        assert not [path for path in old.get("/extensions") if old.pack.name in path]
    finally:
        old.stop()


def compatibility():
    return sys.modules[f"{PACK}.compatibility"]


def test_every_place_names_the_same_oldest_version():
    assert project()["tool"]["comfy"]["requires-comfyui"] == f">={OLDEST}"
    assert f"ComfyUI {OLDEST} or newer" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    ("version", "accepted"),
    [("0.21.0", True), ("0.21.1rc2", True), ("1.0.0", True), ("0.100.0", True), ("0.20.1", False), ("0.3.77", False)],
)
def test_versions(monkeypatch, version, accepted):
    monkeypatch.setattr("comfyui_version.__version__", version)
    assert (compatibility().host_problem() is None) == accepted


@pytest.mark.parametrize("version", ["", "nightly"])
def test_a_host_that_names_no_version_is_judged_by_its_interface(monkeypatch, version):
    monkeypatch.setattr("comfyui_version.__version__", version)
    assert compatibility().host_problem() is None
    monkeypatch.setitem(sys.modules, "comfy_api.latest", None)
    assert "this one names no version, without comfy_api.latest" in compatibility().host_problem()
