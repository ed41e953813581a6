"""Start-up problems end in one plain message: each is provoked for real."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tools.comfyui import environment, server

ROOT = environment.ROOT
SETUP = str(ROOT / "tools" / "comfyui" / "environment.py")


def run_setup(**env) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, SETUP], capture_output=True, text=True, env=os.environ | env)


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
    with pytest.raises(environment.SetupError, match=r"Python 3\.9\.1 is running.*need Python 3\.11"):
        environment.check_python((3, 9, 1))


def test_comfyui_path_that_is_none(tmp_path):
    assert_plain(run_setup(COMFYUI_PATH=str(tmp_path)), str(tmp_path), "is no ComfyUI")


def test_comfyui_too_old(tmp_path):
    fake_comfyui(tmp_path, "0.29.3")
    assert_plain(run_setup(COMFYUI_PATH=str(tmp_path)), "0.29.3", "too old", "0.30.0")


def test_comfyui_new_enough_is_accepted(tmp_path):
    environment.check_comfyui(fake_comfyui(tmp_path, "0.100.0"))


def test_missing_checkpoint(tmp_path):
    assert_plain(run_setup(CHECKPOINT=str(tmp_path / "none.safetensors")), "none.safetensors", "does not exist")


def test_no_disk_space(tmp_path):
    with pytest.raises(environment.SetupError, match=r"No disk space: .* GiB are needed"):
        environment.check_room(tmp_path, 2**60)


def test_port_taken():
    with socket.socket() as holder:
        holder.bind((server.ADDRESS, 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(environment.SetupError, match=f"Port {port} is taken"):
            server.check_port(port)


def test_no_network(monkeypatch):
    with socket.socket() as closed:
        closed.bind((server.ADDRESS, 0))
        port = closed.getsockname()[1]
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.setenv(name, f"http://{server.ADDRESS}:{port}/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(environment.SetupError, match="No network"):
        environment.pip("download", "--no-cache-dir", "--no-deps", "-d", "unused", "wheel==0.45.1")


def test_a_server_that_dies_while_starting_shows_its_last_words(tmp_path):
    (tmp_path / "main.py").write_text("print('the last words'); raise SystemExit(3)")
    with pytest.raises(environment.SetupError, match="the last words"):
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
    with pytest.raises(environment.SetupError, match="another copy"):
        environment.link_pack(tmp_path)


def test_a_part_without_its_stamp_is_made_again(tmp_path):
    stamp = tmp_path / "complete"
    assert not environment.is_complete(stamp, "a")
    stamp.write_text("a")
    assert environment.is_complete(stamp, "a")
    assert not environment.is_complete(stamp, "b")
