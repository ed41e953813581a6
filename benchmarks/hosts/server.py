"""A running ComfyUI with this pack: the same pictures by workflows that are posted to it."""

import hashlib
import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tools.comfyui.client import ComfyClient
from tools.comfyui.library import load_nodes
from tools.workflows.workflow import Graph

from ..data.pictures import png_of
from .inputs import computed_edit, edited_model, edited_prompt, run_node
from .library import Sampling, everyday_prompts


class ServerHost:
    """One picture a sampler node, since a workflow's batch has one seed: picture i has the noise of seed i."""

    def __init__(self, url: str, checkpoint: str, sampling: Sampling):
        self.nodes = load_nodes()
        self.client, self.checkpoint, self.sampling = ComfyClient(url.rstrip("/")), checkpoint, sampling

    def pictures(self, prompt: str, seeds: Sequence[int], edits: Sequence[dict] = ()) -> np.ndarray:
        """As LibraryHost.pictures. Raises WorkflowError with the server's words if it refuses."""
        desk, s = self.desk(), self.sampling
        model = edited_model(desk, edits)
        latent = desk.run("EmptyLatentImage", width=s.size, height=s.size, batch_size=1)[0]
        sides = {
            "positive": edited_prompt(desk, prompt, edits),
            "negative": desk.conditioning(s.negative),
            "latent_image": latent,
        }
        how = {"steps": s.steps, "cfg": s.cfg, "sampler_name": s.sampler, "scheduler": s.scheduler, "denoise": 1.0}
        sampled = [desk.run("KSampler", model=model, seed=seed, **sides, **how)[0] for seed in seeds]
        return desk.results([desk.decoded(one) for one in sampled])[0]

    def desk(self) -> "Workflow":
        """A new workflow."""
        return Workflow(self)


class Workflow:
    """What LibraryHost does at once, as nodes of a workflow; what it gives are references to their outputs."""

    def __init__(self, host: ServerHost):
        self.nodes, self.client, self.graph = host.nodes, host.client, Graph()
        self._checkpoint = host.checkpoint
        loader = self.run("CheckpointLoaderSimple", ckpt_name=host.checkpoint)
        self.model, self.clip, self.vae = loader[0], loader[1], loader[2]
        self._encoded: dict[str, list] = {}

    def run(self, node_id: str, **inputs) -> Any:
        return self.graph.add(node_id, **{name: value for name, value in inputs.items() if value is not None})

    def conditioning(self, prompt: str) -> list:
        if prompt not in self._encoded:
            self._encoded[prompt] = self.run("CLIPTextEncode", clip=self.clip, text=prompt)[0]
        return self._encoded[prompt]

    def time_edit(self, changes: dict) -> list:
        return computed_edit(self, changes)

    @cached_property
    def prior(self) -> list:
        return run_node(self, "TIMEPrior", {"prompts": everyday_prompts(self._checkpoint)}, clip=self.clip)[0]

    def image(self, pixels: np.ndarray) -> list:
        """IMAGE of uint8 (H, W, 3)."""
        return self.run("LoadImage", image=self._upload(pixels))[0]

    def mask(self, mask: np.ndarray) -> list:
        """MASK of bool (H, W)."""
        return self.run("LoadImageMask", image=self._upload(np.uint8(255) * mask), channel="red")[0]

    def encoded(self, image: list) -> list:
        return self.run("VAEEncode", pixels=image, vae=self.vae)[0]

    def decoded(self, latent: list) -> list:
        return self.run("VAEDecode", samples=latent, vae=self.vae)[0]

    def results(self, images: Sequence[list], mask: list | None = None) -> tuple[np.ndarray, np.ndarray | None]:
        """Run it: uint8 (images, H, W, 3), and bool (H, W)."""
        wanted = [*images, *([] if mask is None else [self.run("MaskToImage", mask=mask)[0]])]
        previews = [self.run("PreviewImage", images=image).id for image in wanted]
        outputs = self.client.run(self.graph.nodes, "", quiet=True).outputs
        shown = [self.client.picture(outputs[preview]["images"][0]) for preview in previews]
        pictures = np.stack([(one * 255).round().astype(np.uint8) for one in shown])
        return (pictures, None) if mask is None else (pictures[:-1], pictures[-1, ..., 0] >= 128)

    def _upload(self, pixels: np.ndarray) -> str:
        content = png_of(pixels)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"benchmark_{hashlib.sha256(content).hexdigest()[:16]}.png")
            path.write_bytes(content)
            return self.client.upload_image(path)
