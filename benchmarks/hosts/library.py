"""ComfyUI as a library: a checkpoint loaded once, its text encodings and edits made once, pictures by the host's sampling."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from tools.comfyui.library import comfyui_path, load_nodes

from ..run.measurement import chunks
from .inputs import defaults_of
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
        return np.concatenate([self._sample(model, prompt, blank, part) for part in chunks(seeds, size)])

    def edited(self, edits: Sequence[dict]):
        """The MODEL with these edits; the last ones asked for are kept."""
        key = json.dumps(edits, sort_keys=True)
        if key not in self._edited:
            model = self.model
            for inputs in edits:
                model = (
                    self.nodes["TIMEEditModel"]
                    .execute(model=model, clip=self.clip, **with_defaults(self.nodes, inputs))
                    .result[0]
                )
            self._edited[key] = model
            while len(self._edited) > KEPT_EDITS:
                self._edited.pop(next(iter(self._edited)))
        return self._edited[key]

    def conditioning(self, prompt: str) -> list:
        if prompt not in self._encoded:
            if len(self._encoded) >= KEPT_PROMPTS:
                self._encoded.clear()
            self._encoded[prompt] = self.clip.encode_from_tokens_scheduled(self.clip.tokenize(prompt))
        return self._encoded[prompt]

    def _sample(self, model, prompt: str, blank: torch.Tensor, seeds: Sequence[int]) -> np.ndarray:
        from time_core.balance.probe import sample_batch

        s = self.sampling
        texts = self.conditioning(prompt), self.conditioning(s.negative)
        return to_bytes(sample_batch(model, self.vae, *texts, blank, seeds, s.steps, s.cfg, s.sampler, s.scheduler))


def with_defaults(nodes: dict, inputs: dict) -> dict:
    """The inputs of TIME Edit Model, with its own defaults for what is not named. Raises ValueError for a name it lacks."""
    node = nodes["TIMEEditModel"]
    names = [entry.id for entry in node.GET_SCHEMA().inputs]
    unknown = inputs.keys() - set(names)
    if unknown:
        raise ValueError(f"TIME Edit Model has no input {sorted(unknown)[0]!r}; it has {', '.join(names)}.")
    return defaults_of(node) | inputs


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
