"""The real server with ComfyUI-Manager, and what people ask of the Manager: by its HTTP interface, as its page does.

The Manager is told to stay offline. Whether it does is seen at a `Gate`, to which all that wants out of the machine is sent.
"""

import http.client
import socketserver
import threading
import urllib.error
import urllib.parse
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path

from ..comfyui.client import ComfyClient
from ..comfyui.library import comfyui_path
from ..comfyui.manager import make_manager
from ..comfyui.patience import processor_time, wait_while_it_moves
from ..comfyui.server import ADDRESS, ComfyServer
from .archive import write_archive
from .installation import REGISTRY_FOLDER

# Installing from a repository's address is off unless `allow_git_url_install` is set, whatever the security level.
CONFIG = "[default]\nnetwork_mode = offline\nallow_git_url_install = true\n"
CONFIG_FILE = Path("user", "__manager", "config.ini")


class _Asked(socketserver.StreamRequestHandler):
    server: "Gate"

    def handle(self) -> None:
        self.server.asked.append(self.rfile.readline().decode(errors="replace").strip())


class Gate(socketserver.ThreadingTCPServer):
    """A proxy that lets nobody through and takes note of who `asked`: the first line of each request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((ADDRESS, 0), _Asked)
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def variables(self) -> dict[str, str]:
        """What sends Python, pip and git to this gate, but for what they want of this machine."""
        address = f"http://{ADDRESS}:{self.server_address[1]}"
        ways = {way: address for name in ("http_proxy", "https_proxy", "all_proxy") for way in (name, name.upper())}
        return ways | {"no_proxy": ADDRESS, "NO_PROXY": ADDRESS}

    def close(self) -> None:
        self.shutdown()
        self.server_close()


def instead_of(address: str, repository: Path) -> dict[str, str]:
    """Makes git take `repository`, a folder, where it is given this address: nothing else sees a difference."""
    return {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{repository}.insteadOf", "GIT_CONFIG_VALUE_0": address}


def unpack_as_the_manager(repository: Path, custom_nodes: Path) -> Path:
    """The registry's archive as the Manager leaves it: by `.tracking` it knows later that it was not put there by hand."""
    archive = repository.with_suffix(".zip")
    write_archive(archive, repository)
    target = custom_nodes / REGISTRY_FOLDER
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(target)
        (target / ".tracking").write_text("\n".join(packed.namelist()))
    return target


class ManagedServer:
    """A running server with the Manager on the base folder `base`, started when this is made; `close` it.

    `variables` are added to its environment. With `legacy` it has the Manager's older page and the routes of that.
    """

    def __init__(self, base: Path, variables: Mapping[str, str], legacy: bool = False):
        self.base, self.custom_nodes = base, base / "custom_nodes"
        for name in ("custom_nodes", "models"):
            (base / name).mkdir(parents=True, exist_ok=True)
        arguments = ("--cpu", "--base-directory", str(base), "--enable-manager")
        arguments += ("--enable-manager-legacy-ui",) if legacy else ()
        self.server = ComfyServer(comfyui_path(), make_manager(), arguments=arguments, variables=variables)
        config = self.server.folder / CONFIG_FILE
        config.parent.mkdir(parents=True)
        config.write_text(CONFIG)
        self.server.start()
        self.client = ComfyClient(self.server.url)

    def close(self) -> None:
        self.server.close()

    def installed(self) -> dict[str, dict]:
        """The packs that the Manager lists, by folder: `ver`, `cnr_id`, `aux_id` and whether it is `enabled`."""
        return self.client.get_json("/v2/customnode/installed")

    def loaded(self) -> dict[str, dict]:
        """Nodes that the running host has of packs."""
        nodes = self.client.object_info()
        return {name: node for name, node in nodes.items() if node["python_module"].startswith("custom_nodes.")}

    def do(self, kind: str, **params) -> str:
        """Give the Manager a task and wait for what it says of it: "success", "skip", or a sentence."""
        task = uuid.uuid4().hex
        self.client.post("/v2/manager/queue/task", {"kind": kind, "params": params, "ui_id": task, "client_id": "people"})
        return wait_while_it_moves(lambda: self._result(task), self._signs_of_life)

    def _signs_of_life(self) -> tuple[int, int]:
        assert self.server.process is not None  # it was started with this
        return self.server.log.stat().st_size, processor_time(self.server.process.pid)

    def _result(self, task: str) -> str:
        """Empty until the task is done."""
        # Again and again: a worker that is about to end takes no further task, and says until then that it is there.
        self.client.post("/v2/manager/queue/start", {})
        found = self.client.get_json(f"/v2/manager/queue/history?{urllib.parse.urlencode({'ui_id': task})}")["history"]
        return found["result"] if found else ""

    def install_from(self, address: str) -> int:
        """Let the Manager clone a repository, as "Install via Git URL" on its older page does; gives the HTTP status."""
        try:
            self.client.request("/v2/customnode/install/git_url", address.encode(), {"Content-Type": "text/plain"})
        except urllib.error.HTTPError as refusal:
            return refusal.code
        return 200

    def restart(self) -> None:
        """By the Manager, in the same process."""
        try:
            self.client.post("/v2/manager/reboot", {})
        except (http.client.RemoteDisconnected, ConnectionError):
            pass  # it is another program from here on
        else:
            raise AssertionError("The Manager answered instead of restarting.")
        assert self.server.process is not None
        self.server.wait_until_ready(self.server.process)
