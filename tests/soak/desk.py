"""The server of the toy world as `make ui` starts it, the templates that are run on it, and what a run gave."""

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from short_runs import shortened

from tools.comfyui.client import ComfyClient
from tools.comfyui.environment import link_pack
from tools.comfyui.hosts import MODELS
from tools.comfyui.library import comfyui_path
from tools.comfyui.server import ComfyServer
from tools.ui import draw_toy_rose
from tools.workflows.examples import EXAMPLE_PICTURE, EXAMPLES, TOY_CHECKPOINT
from tools.workflows.examples.shared import HOSTS_PICTURE
from tools.workflows.workflow import Graph

PROBE = Path(__file__).with_name("probe")
PROMPTS = {"positive": "a rose", "negative": ""}
OVER = ("execution_success", "execution_interrupted", "execution_error")


@dataclass(frozen=True)
class Ran:
    """How a run ended, one of OVER with what was said; the pictures it saved or showed, by a digest of each; in seconds the
    longest that the server was silent, and the whole."""

    end: str
    said: str
    pictures: tuple[str, ...]
    silence: float
    seconds: float


class Desk:
    def __init__(self, server: ComfyServer):
        self.server, self.client = server, ComfyClient(server.url)

    def prepare(self) -> None:
        picture = self.server.folder / EXAMPLE_PICTURE
        draw_toy_rose(picture)
        self.client.upload_image(picture)
        self.client.upload_image(comfyui_path() / "input" / HOSTS_PICTURE)

    def run(self, api: dict) -> Ran:
        """Nothing of it stays in the server's history, nor its pictures on the disk."""
        begun = heard = time.monotonic()
        silence = 0.0
        with self.client.listening() as connection:
            prompt_id = self.client.queue(api)
            while True:
                message = connection.recv()
                silence, heard = max(silence, time.monotonic() - heard), time.monotonic()
                event = json.loads(message) if isinstance(message, str) else {"type": "preview"}
                if event["type"] in OVER and event["data"]["prompt_id"] == prompt_id:
                    break
        seconds = time.monotonic() - begun
        said = event["data"].get("exception_message", "")
        pictures = self._pictures(prompt_id) if event["type"] == "execution_success" else ()
        self.client.post("/history", {"clear": True})
        return Ran(event["type"], said, pictures, silence, seconds)

    def interrupt(self) -> None:
        self.client.post("/interrupt", {})

    def state(self) -> dict[str, int]:
        return self.client.get_json("/soak/state")

    def _pictures(self, prompt_id: str) -> tuple[str, ...]:
        while prompt_id not in (history := self.client.get_json(f"/history/{prompt_id}")):
            time.sleep(0.01)
        outputs = history[prompt_id]["outputs"]
        files = [image for node in sorted(outputs) for image in outputs[node].get("images", ())]
        found = []
        for file in files:
            found.append(hashlib.sha256(self.client.picture(file).tobytes()).hexdigest()[:16])
            (self.server.folder / file["type"] / file["subfolder"] / file["filename"]).unlink(missing_ok=True)
        return tuple(found)


@contextmanager
def desk() -> Iterator[Desk]:
    """A server that remembers no result, so that every run calculates."""
    with new_server() as server:
        made = Desk(server)
        made.prepare()
        yield made


def new_server() -> ComfyServer:
    link_pack(comfyui_path())
    server = ComfyServer(
        comfyui_path(),
        Path(sys.executable),
        arguments=("--cpu", "--cache-none"),
        variables={"PYTHONMALLOC": "malloc"},  # so that the probe counts all that is allocated
        checkpoint_folders=[MODELS / "checkpoints"],
    )
    shutil.copytree(PROBE, server.node_folder / "soak_probe", ignore=shutil.ignore_patterns("__pycache__"))
    return server


def workflows() -> dict[str, dict]:
    """The templates on the toy world by name, short; a template that needs another's file comes after it."""
    made = {name: shortened(example.for_toy_world().api()) for name, example in EXAMPLES.items()}
    first = [example.needs for example in EXAMPLES.values() if example.needs]
    return {name: made[name] for name in dict.fromkeys([*first, *made])}


def host_alone() -> dict[str, dict]:
    """By its name a workflow without a node of the pack: the checkpoint is loaded, a picture sampled, decoded and saved."""
    graph = Graph()
    loader = graph.add("CheckpointLoaderSimple", "", ckpt_name=TOY_CHECKPOINT)
    texts = {name: graph.add("CLIPTextEncode", "", text=text, clip=loader[1])[0] for name, text in PROMPTS.items()}
    latent = graph.add("EmptyLatentImage", "", width=128, height=128, batch_size=1)
    how = {"seed": 1, "steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    sampled = graph.add("KSampler", "", model=loader[0], latent_image=latent[0], **texts, **how)
    decoded = graph.add("VAEDecode", "", samples=sampled[0], vae=loader[2])
    graph.add("SaveImage", "", images=decoded[0], filename_prefix="host")
    return {"host": graph.api()}
