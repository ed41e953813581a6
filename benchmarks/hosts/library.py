"""ComfyUI as a library: a checkpoint loaded once, its text encodings and edits made once, pictures by the host's sampling."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path

import numpy as np
import torch

from tools.comfyui.environment import NATURAL_CHECKPOINT, TOY_CHECKPOINT
from tools.comfyui.library import comfyui_path, load_nodes

from .inputs import computed_edit, edited_model, edited_prompt, execute, run_node

TOY, NATURAL = "toy", "natural"
WORLDS = {TOY: TOY_CHECKPOINT, NATURAL: NATURAL_CHECKPOINT}
"""By name, the checkpoint that has the same function as the world's narrow network."""
KEPT_EDITS = 2  # edited models held at a time; tasks of one edit follow one another
KEPT_PROMPTS = 500  # encodings, about a quarter of a megabyte each
KEPT_PICTURES = 100  # tasks of unedited pictures, some six megabytes each at 512 pixels


@dataclass(frozen=True)
class Sampling:
    """How pictures are sampled, whoever does it. The defaults are those of the published TIME runs.

    Attributes:
        size: of both sides, in pixels.
        sampler, scheduler: names of the host.
        batch: pictures sampled at once, at most; None lets the host's memory decide. Pictures of batches of other sizes may
            differ by rounding.
    """

    size: int = 512
    steps: int = 50
    cfg: float = 7.5
    sampler: str = "euler"
    scheduler: str = "normal"
    negative: str = ""
    batch: int | None = None


class LibraryHost:
    """`checkpoint` is a file, or one of WORLDS: that world's narrow network, the same function ten times as fast."""

    def __init__(self, checkpoint: str, sampling: Sampling):
        self.nodes = load_nodes(cpu=not torch.accelerator.is_available())
        self.sampling = sampling
        self.model, self.clip, self.vae = _load(checkpoint)
        self._checkpoint = checkpoint
        self.conditioning = lru_cache(KEPT_PROMPTS)(self._conditioning)
        self._edited = lru_cache(KEPT_EDITS)(lambda edits: edited_model(self, json.loads(edits)))
        self._computed = lru_cache(KEPT_EDITS)(lambda changes: computed_edit(self, json.loads(changes)))
        self.forget_edits = self._edited.cache_clear
        self._unedited = lru_cache(KEPT_PICTURES)(self.sampled)
        self._unedited_of = lru_cache(KEPT_PICTURES)(self._sampled_of)
        _keep_previews_apart()

    def pictures(self, prompt: str, seeds: Sequence[int], edits: Sequence[dict] = ()) -> np.ndarray:
        """uint8 (seeds, height, width, 3). Picture i has the noise of seed i, whatever it is sampled beside.

        `edits`: as of `inputs.edited_model`. Raises ValueError if a node refuses one.
        """
        return self.sampled(prompt, seeds, edits) if edits else self._unedited(prompt, tuple(seeds))

    def pictures_of(self, prompts: Sequence[str], seed: int, edits: Sequence[dict] = ()) -> np.ndarray:
        """uint8 (prompts, height, width, 3), one picture a prompt, all of one noise and sampled together, in half the time.

        Their texts must have as many tokens each. But for rounding they are those of `pictures`.
        """
        return self._sampled_of(tuple(prompts), seed, edits) if edits else self._unedited_of(tuple(prompts), seed)

    def _sampled_of(self, prompts: Sequence[str], seed: int, edits: Sequence[dict] = ()) -> np.ndarray:
        texts = [edited_prompt(self, prompt, edits)[0] for prompt in prompts]
        rows, extras = zip(*texts, strict=True)
        pooled = {"pooled_output": torch.cat([extra["pooled_output"] for extra in extras])}
        return self._made(edits, [[torch.cat(rows), pooled]], [seed] * len(prompts), len(prompts))

    def sampled(self, prompt: str, seeds: Sequence[int], edits: Sequence[dict] = ()) -> np.ndarray:
        """The same, but never pictures that are kept."""
        return self._made(edits, edited_prompt(self, prompt, edits), seeds, self.sampling.batch)

    def _made(self, edits: Sequence[dict], positive: list, seeds: Sequence[int], batch: int | None) -> np.ndarray:
        from time_core.balance import probe  # the host is on the path only now

        model, s = self.edited(edits), self.sampling
        size = batch or probe.pictures_that_fit(self.model, probe.blank_latent(self.model, s.size, s.size))
        how = probe.Sampling(s.steps, s.cfg, s.sampler, s.scheduler, s.size, s.size)
        texts = positive, self.conditioning(s.negative)
        batches = [probe.Batch(*texts, seeds[i : i + size]) for i in range(0, len(seeds), size)]
        return np.concatenate([to_bytes(probe.sample_batch(model, self.vae, batch, how)) for batch in batches])

    def edited(self, edits: Sequence[dict]):
        """The MODEL with these edits; the last ones asked for are kept, until `forget_edits()`."""
        return self._edited(json.dumps(edits, sort_keys=True))

    def time_edit(self, changes: dict):
        """The TIME_EDIT of these changes; the last ones asked for are kept."""
        return self._computed(json.dumps(changes, sort_keys=True))

    @cached_property
    def prior(self):
        """The TIME_PRIOR of `everyday_prompts`."""
        return run_node(self, "TIMEPrior", {"prompts": everyday_prompts(self._checkpoint)}, clip=self.clip)[0]

    def _conditioning(self, prompt: str) -> list:
        return self.clip.encode_from_tokens_scheduled(self.clip.tokenize(prompt))

    def encode(self, pixels: np.ndarray) -> dict:
        """The LATENT of one picture (H, W, 3) in 0..1."""
        return self.encoded(torch.from_numpy(np.asarray(pixels, np.float32))[None])

    def decode(self, latent: dict) -> np.ndarray:
        """(B, H, W, 3) in 0..1."""
        return self.decoded(latent).clamp(0, 1).numpy()

    def desk(self) -> "LibraryHost":
        """Where a picture is edited, see `editing`: what a server's Workflow does as nodes is done here at once."""
        return self

    def run(self, node_id: str, **inputs) -> tuple:
        """The outputs of one of the pack's nodes."""
        return execute(self.nodes[node_id], inputs)

    def ksampler(self, latent: dict, seed: int, prompt: str, steps: int, cfg: float, **how) -> dict:
        """LATENT of the host's own sampling by euler, with an empty negative prompt; `how` is of `comfy.sample.sample`."""
        from comfy.sample import prepare_noise, sample

        given = steps, cfg, "euler", "normal", self.conditioning(prompt), self.conditioning(""), latent["samples"]
        noise = prepare_noise(latent["samples"], seed)
        return {"samples": sample(self.model, noise, *given, seed=seed, disable_pbar=True, **how)}

    def image(self, pixels: np.ndarray) -> torch.Tensor:
        """IMAGE of uint8 (H, W, 3)."""
        return torch.tensor(pixels)[None].float() / 255

    def drawn(self, pixels: np.ndarray) -> torch.Tensor:
        """IMAGE of (H, W, 3) in 0..1, in 8 bits a colour as a file has it."""
        return self.image(np.uint8(255 * pixels))

    def mask(self, mask: np.ndarray) -> torch.Tensor:
        """MASK of bool (H, W)."""
        return torch.tensor(mask)[None].float()

    def encoded(self, image: torch.Tensor) -> dict:
        return {"samples": self.vae.encode(image)}

    def decoded(self, latent: dict) -> torch.Tensor:
        return self.vae.decode(latent["samples"])

    def results(self, images: Sequence[torch.Tensor], mask: torch.Tensor | None) -> tuple[np.ndarray, np.ndarray | None]:
        """uint8 (images, H, W, 3), and bool (H, W)."""
        return np.concatenate([to_bytes(image) for image in images]), None if mask is None else mask[0].numpy() >= 0.5


def everyday_prompts(checkpoint: str) -> str:
    """For TIME Prior: captions of the natural world without what is tested there; for others "", the pack's own."""
    if checkpoint != NATURAL:
        return ""
    from naturalworld.everyday import everyday

    return "\n".join(everyday())


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


@cache
def _keep_previews_apart() -> tempfile.TemporaryDirectory:
    """The nodes' previews go to a folder that is gone when this process ends."""
    import folder_paths

    folder = tempfile.TemporaryDirectory()
    folder_paths.set_temp_directory(folder.name)
    return folder


def _load(checkpoint: str):
    import comfy.sd

    if checkpoint in WORLDS:
        from smallmodel.host_model import load_narrow

        world = load_narrow(model_file("checkpoints", WORLDS[checkpoint]), _narrow_unet(checkpoint))
        return world.model, world.clip, world.vae
    path = model_file("checkpoints", checkpoint)
    return comfy.sd.load_checkpoint_guess_config(str(path), output_vae=True, output_clip=True)[:3]


def _narrow_unet(world: str):
    if world == NATURAL:
        from naturalworld.build import load_parts

        return load_parts()[0]
    from toyworld.stored import load_unet

    return load_unet()
