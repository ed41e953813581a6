"""ComfyUI as a library: a checkpoint loaded once, its text encodings and edits made once, pictures by the host's sampling."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from tools.host import comfyui_path, load_nodes

from .sampling import Sampling

TOY = "toy"
KEPT_EDITS = 2  # edited models held at a time; tasks of one edit follow one another
KEPT_PROMPTS = 500  # encodings, about a quarter of a megabyte each
SHARE_OF_MEMORY = 0.8  # that a batch may take


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
        model = self.edited(edits)
        size = self.sampling.batch or self._largest_batch()
        parts = [self._sample(model, prompt, seeds[i : i + size]) for i in range(0, len(seeds), size)]
        return np.concatenate(parts)

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

    def _sample(self, model, prompt: str, seeds: Sequence[int]) -> np.ndarray:
        import comfy.sample

        s, blank = self.sampling, self._blank()
        noise = torch.cat([comfy.sample.prepare_noise(blank, seed) for seed in seeds])
        latents = comfy.sample.sample(
            model,
            noise,
            s.steps,
            s.cfg,
            s.sampler,
            s.scheduler,
            self.conditioning(prompt),
            self.conditioning(s.negative),
            blank.repeat(len(seeds), *[1] * (blank.ndim - 1)),
            disable_pbar=True,
            seed=seeds[0],
        )
        return to_bytes(self.vae.decode(latents))

    def _blank(self) -> torch.Tensor:
        import comfy.sample

        ratio = self.vae.spacial_compression_decode()
        return comfy.sample.fix_empty_latent_channels(
            self.model, torch.zeros(1, 4, self.sampling.height // ratio, self.sampling.width // ratio)
        )

    def _largest_batch(self) -> int:
        """By the whole memory of the device and not by what happens to be free, so that every worker of a kind has the same."""
        import comfy.model_management

        shape = list(self._blank().shape)
        one = self.model.model.memory_required([2 * shape[0], *shape[1:]])
        weights = self.model.model_size()
        room = SHARE_OF_MEMORY * comfy.model_management.get_total_memory(self.model.load_device) - weights
        return max(1, int(room // one))


def with_defaults(nodes: dict, inputs: dict) -> dict:
    """The inputs of TIME Edit Model, with its own defaults for what is not named. Raises ValueError for a name it lacks."""
    schema = {entry.id: entry for entry in nodes["TIMEEditModel"].GET_SCHEMA().inputs}
    unknown = inputs.keys() - schema.keys()
    if unknown:
        raise ValueError(f"TIME Edit Model has no input {sorted(unknown)[0]!r}; it has {', '.join(schema)}.")
    defaults = {name: entry.default for name, entry in schema.items() if getattr(entry, "default", None) is not None}
    return defaults | inputs


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

        from tools.environment import TOY_CHECKPOINT

        toy = load_narrow(model_file("checkpoints", TOY_CHECKPOINT))
        return toy.model, toy.clip, toy.vae
    path = model_file("checkpoints", checkpoint)
    model, clip, vae, _ = comfy.sd.load_checkpoint_guess_config(str(path), output_vae=True, output_clip=True)
    return model, clip, vae
