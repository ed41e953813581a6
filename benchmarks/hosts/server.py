"""A running ComfyUI with this pack: the same pictures by workflows that are posted to it."""

from collections.abc import Sequence

import numpy as np

from tools.comfyui.client import ComfyClient
from tools.comfyui.library import load_nodes
from tools.workflows.workflow import Graph

from .inputs import inputs_of
from .sampling import Sampling


class ServerHost:
    """One picture a sampler node, since a workflow's batch has one seed: picture i has the noise of seed i."""

    def __init__(self, url: str, checkpoint: str, sampling: Sampling):
        self.nodes = load_nodes()
        self.client, self.checkpoint, self.sampling = ComfyClient(url.rstrip("/")), checkpoint, sampling

    def pictures(self, prompt: str, seeds: Sequence[int], edits: Sequence[dict] = ()) -> np.ndarray:
        """As LibraryHost.pictures. Raises WorkflowError with the server's words if it refuses."""
        graph, previews = self._workflow(prompt, seeds, edits)
        outputs = self.client.run(graph.nodes, "", quiet=True).outputs
        return np.stack([self.shown(outputs[preview]) for preview in previews])

    def shown(self, output: dict) -> np.ndarray:
        """uint8 (height, width, 3), the first picture of a node's output."""
        return (self.client.picture(output["images"][0]) * 255).round().astype(np.uint8)

    def _workflow(self, prompt: str, seeds: Sequence[int], edits: Sequence[dict]) -> tuple[Graph, list[str]]:
        s, graph = self.sampling, Graph()
        loader = graph.add("CheckpointLoaderSimple", ckpt_name=self.checkpoint)
        model = loader[0]
        for inputs in edits:
            model = graph.add("TIMEEditModel", model=model, clip=loader[1], **inputs_of(self.nodes["TIMEEditModel"], inputs))[0]
        positive = graph.add("CLIPTextEncode", clip=loader[1], text=prompt)
        negative = graph.add("CLIPTextEncode", clip=loader[1], text=s.negative)
        latent = graph.add("EmptyLatentImage", width=s.width, height=s.height, batch_size=1)
        previews = []
        for seed in seeds:
            sampled = graph.add(
                "KSampler",
                model=model,
                positive=positive[0],
                negative=negative[0],
                latent_image=latent[0],
                seed=seed,
                steps=s.steps,
                cfg=s.cfg,
                sampler_name=s.sampler,
                scheduler=s.scheduler,
                denoise=1.0,
            )
            picture = graph.add("VAEDecode", samples=sampled[0], vae=loader[2])
            previews.append(graph.add("PreviewImage", images=picture[0]).id)
        return graph, previews
