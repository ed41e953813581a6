"""The real ComfyUI server, started for the length of a `with` block."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import yaml

from .environment import PACK_FOLDER
from .hosts import frontend_root
from .install import SetupError
from .patience import Standstill, processor_time, wait_while_it_moves

ADDRESS = "127.0.0.1"
# Of models, in folders beside those of checkpoints.
KINDS_BESIDE = ("captioning", "text_encoders", "clip_vision", "diffusion_models", "vae")
STOP_DEADLINE = 10


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return probe.getsockname()[1]


def check_port(port: int) -> None:
    with socket.socket() as probe:
        try:
            probe.bind((ADDRESS, port))
        except OSError:
            raise SetupError(f"Port {port} is taken. Stop what listens there, or give another with PORT=.") from None


class ComfyServer:
    """`with ComfyServer(comfyui, python) as server:` gives a running server at `server.url`.

    Outputs, inputs, temporary and user files go to a temporary folder (`server.folder`), so that nothing of the installation
    changes. `checkpoint_folders` are searched for checkpoints before the installation's own, the folders of KINDS_BESIDE
    beside them for other models, LoRAs that a workflow saves to the output folder can be loaded, and packs that lie in
    `node_folder` before the start are loaded besides the installation's. `variables` are added to its environment.
    """

    def __init__(
        self,
        comfyui: Path,
        python: Path,
        port: int | None = None,
        arguments=("--cpu",),
        checkpoint_folders=(),
        variables: Mapping[str, str] | None = None,
    ):
        self.comfyui, self.python, self.arguments = comfyui, python, arguments
        self.environment = {**os.environ, **(variables or {})}
        if port is not None:
            check_port(port)
        self.port = port or free_port()
        self.url = f"http://{ADDRESS}:{self.port}"
        self.folder = Path(tempfile.mkdtemp(prefix="time-diffedit-"))
        self.node_folder = self.folder / "custom_nodes"
        self.log = self.folder / "server.log"
        self.checkpoint_folders = [str(folder) for folder in checkpoint_folders]
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> "ComfyServer":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server and remove its folder, the log with it."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        command = [str(self.python), "main.py", "--listen", ADDRESS, "--port", str(self.port), "--disable-auto-launch"]
        for kind in ("output", "input", "temp", "user"):
            (self.folder / kind).mkdir(exist_ok=True)
            command += [f"--{kind}-directory", str(self.folder / kind)]
        command += ["--database-url", f"sqlite:///{self.folder / 'comfyui.db'}"]
        if frontend := frontend_root():
            command += ["--front-end-root", str(frontend)]
        paths = self.folder / "paths.yaml"
        sections = {"time_diffedit": self._extra_folders(), "time_diffedit_models": self._model_folders()}
        paths.write_text(yaml.safe_dump(sections))
        command += ["--extra-model-paths-config", str(paths)]
        # A group of its own: Ctrl-C reaches us alone, and stopping reaches all of its processes.
        with open(self.log, "w") as log:
            self.process = process = subprocess.Popen(
                [*command, *self.arguments],
                cwd=self.comfyui,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self.wait_until_ready(process)
        except BaseException:
            self.stop()
            raise

    def _extra_folders(self) -> dict[str, str]:
        folders = {"loras": str(self.folder / "output" / "loras")}
        if self.node_folder.is_dir():
            folders["custom_nodes"] = str(self.node_folder)
        return folders

    def _model_folders(self) -> dict[str, str | bool]:
        """Searched before the installation's own, which may hold another file of the same name."""
        folders: dict[str, str | bool] = {"is_default": True}
        if self.checkpoint_folders:
            folders["checkpoints"] = "\n".join(self.checkpoint_folders)
            for kind in KINDS_BESIDE:
                folders[kind] = "\n".join(str(Path(folder).parent / kind) for folder in self.checkpoint_folders)
        return folders

    def wait_until_ready(self, process: subprocess.Popen) -> None:
        try:
            wait_while_it_moves(lambda: self._answers(process), lambda: (self.log.stat().st_size, processor_time(process.pid)))
        except Standstill as problem:
            raise SetupError(f"ComfyUI does not start. {problem} Its last lines:\n{self.log_tail()}") from None
        if re.search(rf"\(IMPORT FAILED\).*{PACK_FOLDER}", self.log.read_text(errors="replace")):
            raise SetupError(f"ComfyUI could not import the pack:\n{self.log_tail(40)}")

    def _answers(self, process: subprocess.Popen) -> bool:
        if process.poll() is not None:
            raise SetupError(f"ComfyUI stopped while starting; its last lines:\n{self.log_tail()}")
        try:
            urllib.request.urlopen(f"{self.url}/system_stats", timeout=5).read()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
        return True

    def wait(self) -> None:
        """Until the server ends by itself."""
        if self.process is not None:
            self.process.wait()

    def stop(self) -> None:
        """End the server; what it wrote stays in `folder`."""
        if self.process is None or self.process.poll() is not None:
            return
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def log_tail(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
