"""ComfyUI as a library: a checkpoint loaded once, its text encodings and edits made once, pictures by the host's sampling."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from tools.comfyui.library import comfyui_path, load_nodes

from ..run.values import chunks
from .inputs import execute, inputs_of
from .sampling import Sampling

TOY = "toy"
KEPT_EDITS = 2  # edited models held at a time; tasks of one edit follow one another
KEPT_PROMPTS = 500  # encodings, about a quarter of a megabyte each


class LibraryHost:
    """`checkpoint` is a file, or TOY: the toy world's model with its narrow network, the same function ten times as fast."""

    def __init__(self, checkpoint: str, sampling: Sampling):
        self.nodes = load_nodes(cpu=not torch.accelerator.is_available())
        self.sampling = sampling
        self.model, self.clip, self.vae = _load(checkpoint)
        self._encoded: dict[str, list] = {}
        self._edited: dict[str, object] = {}

    def pictures(self, prompt: str, seeds: Sequence[int], edits: Sequence[dict] = ()) -> np.ndarray:
        """uint8 (seeds, height, width, 3). Picture i has the noise of seed i, whatever it is sampled beside.

        `edits`: inputs of TIME Edit Model, one node after another. Raises ValueError if the node refuses one.
        """
        from time_core.balance.probe import blank_latent, pictures_that_fit  # the host is on the path only now

        model, s = self.edited(edits), self.sampling
        blank = blank_latent(self.model, s.width, s.height)
        size = s.batch or pictures_that_fit(self.model, blank)
        return np.concatenate([self._sample(model, prompt, part) for part in chunks(seeds, size)])

    def edited(self, edits: Sequence[dict]):
        """The MODEL with these edits; the last ones asked for are kept."""
        key = json.dumps(edits, sort_keys=True)
        if key not in self._edited:
            model = self.model
            for inputs in edits:
                node = self.nodes["TIMEEditModel"]
                model = execute(node, inputs_of(node, inputs) | {"model": model, "clip": self.clip})[0]
            self._edited[key] = model
            while len(self._edited) > KEPT_EDITS:
                self._edited.pop(next(iter(self._edited)))
        return self._edited[key]

    def forget_edits(self) -> None:
        """Drop the models that are kept."""
        self._edited.clear()

    def conditioning(self, prompt: str) -> list:
        if prompt not in self._encoded:
            if len(self._encoded) >= KEPT_PROMPTS:
                self._encoded.clear()
            self._encoded[prompt] = self.clip.encode_from_tokens_scheduled(self.clip.tokenize(prompt))
        return self._encoded[prompt]

    def encode(self, pixels: np.ndarray) -> dict:
        """The LATENT of one picture (H, W, 3) in 0..1."""
        return {"samples": self.vae.encode(torch.from_numpy(np.asarray(pixels, np.float32))[None])}

    def decode(self, samples: torch.Tensor) -> np.ndarray:
        """(B, H, W, 3) in 0..1."""
        return self.vae.decode(samples).clamp(0, 1).numpy()

    def _sample(self, model, prompt: str, seeds: Sequence[int]) -> np.ndarray:
        from time_core.balance import probe

        s = self.sampling
        batch = probe.Batch(self.conditioning(prompt), self.conditioning(s.negative), seeds)
        sampling = probe.Sampling(s.steps, s.cfg, s.sampler, s.scheduler, s.width, s.height)
        return to_bytes(probe.sample_batch(model, self.vae, batch, sampling))


def to_bytes(pixels: torch.Tensor) -> np.ndarray:
    """IMAGE in 0..1 as the host writes it into a PNG: cut, not rounded."""
    return (pixels[..., :3].clamp(0, 1) * 255).to(torch.uint8).cpu().numpy()


def model_file(kind: str, name: str) -> Path:
    """`name` as a path, or as a file in the host's models/`kind`. Raises ValueError if there is none."""
    candidates = [Path(name), comfyui_path() / "models" / kind / name]
    for path in candidates:
        if path.is_file():
            return path
    raise ValueError(f"{name!r} is no file, and there is none of this name in {candidates[1].parent}.")


def _load(checkpoint: str):
    import comfy.sd

    if checkpoint == TOY:
        from toyworld.host_model import load_narrow

        from tools.comfyui.environment import TOY_CHECKPOINT

        toy = load_narrow(model_file("checkpoints", TOY_CHECKPOINT))
        return toy.model, toy.clip, toy.vae
    path = model_file("checkpoints", checkpoint)
    model, clip, vae, _ = comfy.sd.load_checkpoint_guess_config(str(path), output_vae=True, output_clip=True)
    return model, clip, vae
