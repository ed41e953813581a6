"""A world's model in the host's hands, for measuring: as the checkpoint loads, and in its narrow form.

The narrow form is the same function (`tests/e2e` compares both) at about a tenth of the cost: the host's model, sampling and
patching code around the network before its zeros were added. Its text projections keep the full 768 inputs, so that the
pack's nodes see what they see in any SD 1.x model.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from .layers import Linear, scatter
from .unet import CrossAttention, UNet


@dataclass(frozen=True)
class Loaded:
    """MODEL, CLIP and VAE as CheckpointLoaderSimple gives them."""

    model: object
    clip: object
    vae: object


def load_checkpoint(path: Path) -> Loaded:
    import comfy.sd

    model, clip, vae, _ = comfy.sd.load_checkpoint_guess_config(str(path), output_vae=True, output_clip=True)
    return Loaded(model, clip, vae)


class NarrowDiffusionModel(nn.Module):
    """The narrow UNet behind the call signature of the host's UNetModel."""

    def __init__(self, unet: UNet):
        super().__init__()
        self.dtype = torch.float32
        for name, part in unet.named_children():
            self.add_module(name, part)
        for layer in unet.modules():
            if isinstance(layer, CrossAttention) and layer.to_k.into.full == 768:
                layer.to_k, layer.to_v = _with_all_inputs(layer.to_k), _with_all_inputs(layer.to_v)
        self._attentions = [layer for layer in unet.modules() if isinstance(layer, CrossAttention)]

    def forward(self, x, timesteps, context=None, control=None, transformer_options=None, **kwargs):
        for layer in self._attentions:
            layer.hook = transformer_options or {}
        return UNet.forward(self, x, timesteps, context)


def _with_all_inputs(narrow: Linear) -> nn.Linear:
    weight = scatter(narrow.weight.T, narrow.into).T.contiguous()
    wide = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    wide.weight = nn.Parameter(weight, requires_grad=False)
    return wide


def load_narrow(checkpoint: Path, unet: UNet) -> Loaded:
    """The checkpoint's CLIP and VAE, and its model with the narrow network inside."""
    import comfy.model_base
    import comfy.model_patcher

    world = load_checkpoint(checkpoint)
    config = world.model.model.model_config

    def narrow(device=None, operations=None, **unet_config):
        return NarrowDiffusionModel(unet)

    base = comfy.model_base.BaseModel(config, model_type=world.model.model.model_type, unet_model=narrow)
    patcher = comfy.model_patcher.ModelPatcher(base, world.model.load_device, world.model.offload_device)
    return Loaded(patcher, world.clip, world.vae)


class Sampler:
    """Text-to-picture with the host's own functions; text encodings are made once."""

    def __init__(self, world: Loaded, steps: int = 20, cfg: float = 3.0):
        self.world, self.steps, self.cfg, self.encoded = world, steps, cfg, {}

    def conditioning(self, prompt: str):
        if prompt not in self.encoded:
            clip = self.world.clip
            self.encoded[prompt] = clip.encode_from_tokens_scheduled(clip.tokenize(prompt))
        return self.encoded[prompt]

    def pictures(self, prompt: str, seeds, model=None) -> np.ndarray:
        """(len(seeds), H, W, 3) in 0..1, euler/normal; picture i depends on seed i alone."""
        return self._sample(self.conditioning(prompt), seeds, model)

    def pictures_of_prompts(self, prompts, seeds) -> np.ndarray:
        """One picture a prompt, in one batch: a conditioning with a row for each."""
        rows = torch.cat([self.conditioning(prompt)[0][0] for prompt in prompts])
        return self._sample([[rows, {}]], seeds)

    def _sample(self, positive, seeds, model=None) -> np.ndarray:
        import comfy.sample

        blank = torch.zeros(1, 4, 16, 16)
        noise = torch.cat([comfy.sample.prepare_noise(blank, seed) for seed in seeds])
        latents = comfy.sample.sample(
            model or self.world.model,
            noise,
            self.steps,
            self.cfg,
            "euler",
            "normal",
            positive,
            self.conditioning(""),
            blank.expand_as(noise).contiguous(),
            disable_pbar=True,
            seed=seeds[0],
        )
        return self.decode(latents)

    def decode(self, latents: torch.Tensor) -> np.ndarray:
        return self.world.vae.decode(latents).clamp(0, 1).numpy()

    def encode(self, pictures: np.ndarray) -> torch.Tensor:
        return self.world.vae.encode(torch.from_numpy(np.asarray(pictures, np.float32)))
