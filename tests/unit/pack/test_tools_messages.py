"""Start-up problems end in one plain message: each is provoked for real."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tools.comfyui import environment, hosts, install, server
from tools.pictures import subject

ROOT = install.ROOT
OLDER = "0.20.1"  # the last before the oldest that the pack works on


def run_setup(*arguments: str, **env) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "tools.comfyui.environment", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | env)


def assert_plain(result: subprocess.CompletedProcess, *words: str) -> None:
    assert result.returncode == 1
    assert result.stderr.startswith("error: ") and "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


def fake_comfyui(folder: Path, version: str) -> Path:
    (folder / "main.py").write_text("")
    (folder / "comfyui_version.py").write_text(f'__version__ = "{version}"\n')
    return folder


def test_wrong_python():
    with pytest.raises(install.SetupError, match=r"Python 3\.9\.1 is running.*need Python 3\.11"):
        environment.check_python((3, 9, 1))


def test_comfyui_path_that_is_none(tmp_path):
    assert_plain(run_setup(COMFYUI_PATH=str(tmp_path)), str(tmp_path), "is no ComfyUI")


def test_comfyui_too_old(tmp_path):
    fake_comfyui(tmp_path, OLDER)
    assert_plain(run_setup(COMFYUI_PATH=str(tmp_path)), OLDER, "too old", hosts.OLDEST)


def test_comfyui_new_enough_is_accepted(tmp_path):
    hosts.check_comfyui(fake_comfyui(tmp_path, "0.100.0"))


@pytest.mark.parametrize("arguments", [(), ("--client",)])
def test_comfyui_without_a_python(tmp_path, arguments):
    fake_comfyui(tmp_path, hosts.OLDEST)
    result = run_setup(*arguments, COMFYUI_PATH=str(tmp_path), COMFYUI_PYTHON="")
    assert_plain(result, str(tmp_path), "has no Python", "COMFYUI_PYTHON=")


@pytest.mark.parametrize("arguments", [(), ("--client",)])
def test_comfyui_python_that_does_not_exist(tmp_path, arguments):
    fake_comfyui(tmp_path, hosts.OLDEST)
    result = run_setup(*arguments, COMFYUI_PATH=str(tmp_path), COMFYUI_PYTHON="/nowhere/python")
    assert_plain(result, "COMFYUI_PYTHON=/nowhere/python", "does not exist", "starts your ComfyUI")


def test_a_python_that_is_named_from_here_is_found_from_the_folder_of_comfyui(tmp_path, monkeypatch):
    folder = Path(sys.executable).parent.resolve()  # as the system tells where one is
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COMFYUI_PYTHON", Path(sys.executable).name)
    assert environment.comfyui_python(tmp_path) == folder / Path(sys.executable).name


def test_a_user_without_checkpoint_needs_a_python_that_can_build_one(tmp_path):
    """The fake's Python has no torch: the environment of the client is enough for everything else."""
    with pytest.raises(install.SetupError, match="failed, see above.*ComfyUI's requirements"):
        environment.make_toy_models(tmp_path, Path(sys.base_prefix) / "bin" / "python3")
    assert not (tmp_path / "checkpoints" / environment.TOY_CHECKPOINT).exists()


def test_python_too_old_for_the_client():
    with pytest.raises(install.SetupError, match=r"Python 3\.9\.1 is running; 3\.10 or newer is needed"):
        environment.check_clients_python((3, 9, 1))


def test_the_demo_imports_only_what_the_client_has():
    """Beside a ComfyUI of the user's it runs without torch."""
    code = f"""
import importlib.metadata, sys
sys.path += {[str(ROOT / "tests"), str(ROOT)]}
import tools.demo, tools.ui, toyworld.world
packages = importlib.metadata.packages_distributions()
print(*(name for module in list(sys.modules) for name in packages.get(module.partition(".")[0], ())))
"""
    run = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    used = {name.lower().replace("_", "-") for name in run.stdout.split()}
    pinned = set(re.findall(r"^([a-z0-9-]+)==", (install.LOCK / "client.txt").read_text(), re.MULTILINE))
    only_if_there = {"setuptools", "charset-normalizer"}  # by the others, in try ... except ImportError
    assert {"numpy", "pillow", "websocket-client"} <= used <= pinned | only_if_there


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SIZE", "big", "SIZE=big is no whole number from 64 on"),
        ("STEPS", "0", "STEPS=0 is no whole number from 1 on"),
        ("SEEDS", "1.5", "SEEDS=1.5 is no whole number"),
        ("CFG", "high", "CFG=high is no number"),
        ("LAMBDA", "0,1", "LAMBDA=0,1 is no number"),
    ],
)
def test_a_setting_that_is_no_number(name, value, words):
    with pytest.raises(install.SetupError, match=re.escape(words)):
        subject.subject({name: value})


def test_a_port_that_is_no_number():
    with pytest.raises(install.SetupError, match="PORT=web is no whole number"):
        subject.port({"PORT": "web"})


def test_missing_checkpoint(tmp_path):
    assert_plain(run_setup(CHECKPOINT=str(tmp_path / "none.safetensors")), "none.safetensors", "does not exist")


def test_no_disk_space(tmp_path):
    with pytest.raises(install.SetupError, match=r"No disk space: .* GiB are needed"):
        install.check_room(tmp_path, 2**60)


def test_port_taken():
    with socket.socket() as holder:
        holder.bind((server.ADDRESS, 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(install.SetupError, match=f"Port {port} is taken"):
            server.check_port(port)


def test_no_network(monkeypatch, tmp_path):
    with socket.socket() as closed:
        closed.bind((server.ADDRESS, 0))
        port = closed.getsockname()[1]
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.setenv(name, f"http://{server.ADDRESS}:{port}/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(install.SetupError, match="No network"):
        install.pip("download", "--no-cache-dir", "--no-deps", "-d", str(tmp_path), "wheel==0.45.1")


def test_a_server_that_dies_while_starting_shows_its_last_words(tmp_path):
    (tmp_path / "main.py").write_text("print('the last words'); raise SystemExit(3)")
    with pytest.raises(install.SetupError, match="the last words"):
        server.ComfyServer(tmp_path, Path(sys.executable)).start()


def test_link_is_repaired_and_a_copy_is_not_overwritten(tmp_path):
    nodes = tmp_path / "custom_nodes"
    nodes.mkdir()
    link = nodes / environment.PACK_FOLDER
    link.symlink_to(tmp_path)
    environment.link_pack(tmp_path)
    assert link.resolve() == ROOT
    link.unlink()
    link.mkdir()
    with pytest.raises(install.SetupError, match="another copy"):
        environment.link_pack(tmp_path)


def test_another_copy_under_another_name_is_not_joined_by_a_second_one(tmp_path):
    """The Manager's folder is called after the project."""
    installed = tmp_path / "custom_nodes" / environment.PROJECT["name"]
    installed.mkdir(parents=True)
    (installed / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    with pytest.raises(install.SetupError, match=f"{installed} exists and is another copy"):
        environment.link_pack(tmp_path)
    assert list((tmp_path / "custom_nodes").iterdir()) == [installed]


def test_custom_nodes_that_cannot_be_written(tmp_path):
    (tmp_path / "custom_nodes").write_text("")
    with pytest.raises(install.SetupError, match="cannot be made a link to .*: File exists"):
        environment.link_pack(tmp_path)


def test_a_part_without_its_stamp_is_made_again(tmp_path):
    stamp = tmp_path / "complete"
    assert not install.is_complete(stamp, "a")
    stamp.write_text("a")
    assert install.is_complete(stamp, "a")
    assert not install.is_complete(stamp, "b")
