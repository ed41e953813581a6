"""diffusers' StableDiffusionDiffEditPipeline with the toy world's model, to be measured beside the nodes."""

from types import SimpleNamespace

import comfy.utils
import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    DDIMInverseScheduler,
    DDIMScheduler,
    StableDiffusionDiffEditPipeline,
    UNet2DConditionModel,
)
from diffusers.utils import logging
from toyworld.host_model import Sampler, Toy
from transformers import CLIPTextConfig, CLIPTextModel

from .diffedit_nodes import PUBLISHED

SCHEDULE = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1)
WIDTH = 768  # of SD 1.x text rows


class DiffusersSide:
    """The pipeline's three methods, with its own defaults. Latents and text encodings come from the host on both sides.

    Attributes:
        rows: how many latents its UNet was asked about.
        calls: in how many calls.
    """

    def __init__(self, sampler: Sampler, unet: torch.nn.Module):
        self.sampler, self.unet = sampler, unet
        self.calls = self.rows = 0
        logging.set_verbosity_error()  # it says each time that it is deprecated
        unet.register_forward_pre_hook(self._count)
        text = CLIPTextConfig(
            vocab_size=8,
            bos_token_id=0,
            eos_token_id=1,
            hidden_size=WIDTH,
            intermediate_size=64,
            num_attention_heads=4,
            num_hidden_layers=1,
        )
        self.pipeline = StableDiffusionDiffEditPipeline(
            # These two are not asked: text encodings and latents are handed over.
            vae=AutoencoderKL(block_out_channels=(4,), norm_num_groups=4, latent_channels=4),
            text_encoder=CLIPTextModel(text),
            tokenizer=None,
            unet=unet,
            scheduler=DDIMScheduler(**SCHEDULE),
            inverse_scheduler=DDIMInverseScheduler(**SCHEDULE),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        self.pipeline.set_progress_bar_config(disable=True)

    def _count(self, module, args) -> None:
        self.calls += 1
        self.rows += len(args[0])

    def _embeddings(self, prompt: str, prefix: str = "") -> dict[str, torch.Tensor]:
        rows, empty = (self.sampler.conditioning(text)[0][0] for text in (prompt, ""))
        return {f"{prefix}prompt_embeds": rows, f"{prefix}negative_prompt_embeds": empty}

    def edit(
        self, latent: dict, source: str, target: str, invert_prompt: str, invert_guidance: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mask (1, H, W) and samples, at the defaults of the three methods but for the inversion's guidance."""
        model = self.sampler.toy.model.model
        image = model.process_latent_in(latent["samples"])
        mask = torch.from_numpy(
            self.pipeline.generate_mask(
                image=image,
                **self._embeddings(target, "target_"),
                **self._embeddings(source, "source_"),
                generator=[map_noise(k) for k in range(PUBLISHED["mask"]["maps"])],
            )
        ).float()
        states = self.pipeline.invert(image=image, **self._embeddings(invert_prompt), guidance_scale=invert_guidance).latents
        samples = self.pipeline(
            **self._embeddings(target), mask_image=mask[:, None].clone(), image_latents=states, output_type="latent"
        ).images
        return mask.repeat_interleave(8, 1).repeat_interleave(8, 2), model.process_latent_out(samples)


def map_noise(map_index: int) -> torch.Generator:
    """Of the noises that DiffEdit Mask gives the first picture, so that chance does not part the two sides."""
    state = np.random.SeedSequence([PUBLISHED["mask"]["seed"], 0, map_index]).generate_state(1, dtype=np.uint64)
    return torch.Generator().manual_seed(int(state[0]))


def unet_of(toy: Toy) -> UNet2DConditionModel:
    """The checkpoint's weights in diffusers' own UNet."""
    unet = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(320, 320),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=8,
    )
    weights = toy.model.model.diffusion_model.state_dict()
    names = comfy.utils.unet_to_diffusers(toy.model.model.model_config.unet_config)
    unet.load_state_dict({name: weights[names[name]].float() for name in unet.state_dict()})
    return unet.eval().requires_grad_(False)


class NarrowUNet(torch.nn.Module):
    """A narrow toy model's own network behind the call signature of diffusers' UNet."""

    config = SimpleNamespace(in_channels=4, sample_size=16, _diffusers_version="0.42.1")
    device = torch.device("cpu")
    dtype = torch.float32

    def __init__(self, toy: Toy):
        super().__init__()
        self.network = toy.model.model.diffusion_model

    def forward(self, sample, timestep, encoder_hidden_states, cross_attention_kwargs=None) -> SimpleNamespace:
        return SimpleNamespace(sample=self.network(sample, timestep.expand(len(sample)), encoder_hidden_states))


def largest_difference(toy: Toy, unet: torch.nn.Module, rows: torch.Tensor) -> float:
    """Of one noise prediction at timestep 481 by the host's model and by `unet`, as a share of its root mean square."""
    sigma = toy.model.model.model_sampling.sigmas[481].reshape(1)
    x = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0)) * sigma
    ours = (x - toy.model.model.apply_model(x, sigma, c_crossattn=rows)) / sigma
    theirs = unet(x / torch.sqrt(1 + sigma**2), torch.tensor(481), encoder_hidden_states=rows).sample
    return float((ours - theirs).abs().max() / theirs.square().mean().sqrt())
