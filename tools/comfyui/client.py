"""A client of ComfyUI's HTTP and websocket API with a progress bar per workflow."""

import io
import json
import urllib.error
import urllib.parse
import urllib.request
import uuid
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import websocket
from PIL import Image
from tqdm import tqdm

from .patience import SILENCE_LIMIT


class WorkflowError(Exception):
    """The server refused a workflow or it failed: which node, which input, what it said."""


@dataclass(frozen=True)
class Result:
    """Outputs by node id as the server's history lists them, and the seconds the workflow took."""

    outputs: dict[str, dict]
    seconds: float


class ComfyClient:
    def __init__(self, url: str):
        self.url = url
        self.client_id = uuid.uuid4().hex

    def object_info(self) -> dict:
        return self.get_json("/object_info")

    def upload_image(self, path: Path, name: str | None = None) -> str:
        """Put a picture into the server's input folder; returns the name that LoadImage takes."""
        boundary = uuid.uuid4().hex
        field = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name or path.name}"\r\n'
        overwrite = f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="overwrite"\r\n\r\ntrue\r\n--{boundary}--\r\n'
        body = field.encode() + b"Content-Type: image/png\r\n\r\n" + path.read_bytes() + overwrite.encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return json.loads(self.request("/upload/image", body, headers))["name"]

    def run(self, workflow: dict, title: str, quiet: bool = False) -> Result:
        """Queue a workflow in API format and wait for its end, showing progress by node and step."""
        with tqdm(total=len(workflow), desc=title, unit="node", mininterval=1, miniters=0, disable=quiet) as bar:
            with self.listening() as connection:
                prompt_id = self.queue(workflow)
                self._follow(connection, prompt_id, workflow, bar)
            bar.set_postfix_str("", refresh=False)
            bar.update(bar.total - bar.n)
            seconds = bar.format_dict["elapsed"]
        history = self.get_json(f"/history/{prompt_id}")[prompt_id]
        return Result(history["outputs"], seconds)

    def listening(self) -> closing[websocket.WebSocket]:
        """A connection on which the server tells what becomes of this client's workflows."""
        address = f"{self.url.replace('http', 'ws', 1)}/ws?clientId={self.client_id}"
        return closing(websocket.create_connection(address, timeout=SILENCE_LIMIT))

    def forget(self) -> None:
        """Drop the server's cached results and unload its models, so that the next run computes everything anew."""
        self.post("/free", {"unload_models": True, "free_memory": True})

    def picture(self, image: dict) -> np.ndarray:
        """Fetch a picture named in an output as float32 (H, W, 3) in 0..1."""
        pixels = Image.open(io.BytesIO(self.file(image))).convert("RGB")
        return np.asarray(pixels, np.float32) / 255

    def file(self, entry: dict) -> bytes:
        return self.request("/view?" + urllib.parse.urlencode(entry))

    def queue(self, workflow: dict) -> str:
        """The id of its run, which begins when those before it are over.

        Raises WorkflowError if the server refuses it, also where it refuses a part only, and would run the rest.
        """
        try:
            answer = json.loads(self.post("/prompt", {"prompt": workflow, "client_id": self.client_id}))
        except urllib.error.HTTPError as refusal:
            raise WorkflowError(_refusal_text(json.loads(refusal.read()), workflow)) from None
        if answer.get("node_errors"):
            self.post("/queue", {"delete": [answer["prompt_id"]]})
            self.post("/interrupt", {"prompt_id": answer["prompt_id"]})
            raise WorkflowError(_refusal_text(answer, workflow))
        return answer["prompt_id"]

    def _follow(self, connection, prompt_id: str, workflow: dict, bar: tqdm) -> None:
        done = set()
        while True:
            message = connection.recv()
            if not isinstance(message, str):
                continue  # a preview picture
            event = json.loads(message)
            kind, data = event["type"], event.get("data", {})
            if data.get("prompt_id") != prompt_id:
                continue
            if kind == "progress":
                title = _title(workflow, data["node"])
                bar.set_postfix_str(f"{title} {data['value']}/{data['max']}", refresh=False)
            elif kind == "execution_cached":
                done.update(data["nodes"])
            elif kind == "executing":
                # The server names no node once the history holds the outputs.
                if data["node"] is None:
                    return
                bar.set_postfix_str(_title(workflow, data["node"]), refresh=False)
            elif kind == "executed":
                done.add(data["node"])
            elif kind == "progress_state":
                done.update(node for node, state in data["nodes"].items() if state["state"] == "finished")
            elif kind == "execution_error":
                raise WorkflowError(f"{_title(workflow, data['node_id'])}: {data['exception_message'].strip()}")
            elif kind == "execution_interrupted":
                raise WorkflowError(f"{_title(workflow, data['node_id'])}: interrupted.")
            bar.update(len(done) - bar.n)

    def get_json(self, path: str) -> dict:
        return json.loads(self.request(path))

    def post(self, path: str, body: dict) -> bytes:
        return self.request(path, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def request(self, path: str, body: bytes | None = None, headers: dict | None = None) -> bytes:
        request = urllib.request.Request(self.url + path, body, headers or {})
        with urllib.request.urlopen(request, timeout=SILENCE_LIMIT) as answer:
            return answer.read()


def _title(workflow: dict, node_id: str) -> str:
    node = workflow.get(str(node_id).split(":")[0], {})
    return node.get("_meta", {}).get("title") or node.get("class_type") or str(node_id)


def _refusal_text(answer: dict, workflow: dict) -> str:
    lines = [answer.get("error", {}).get("message", "The server refused the workflow")]
    for node_id, node in (answer.get("node_errors") or {}).items():
        lines += [f"{_title(workflow, node_id)}: {error['message']}: {error['details']}" for error in node["errors"]]
    return "\n".join(lines)


def node_titled(api: dict, title: str) -> str:
    return next(i for i, node in api.items() if node.get("_meta", {}).get("title") == title)


def saved(client: ComfyClient, workflow: dict, result: Result, title: str) -> list[np.ndarray]:
    """The pictures of the node with this title."""
    return [client.picture(image) for image in result.outputs[node_titled(workflow, title)]["images"]]
