"""Parity with diffusers' StableDiffusionDiffEditPipeline on one set of random weights.

Its own code makes the masks and the trajectory; only its UNet gets the weights of the host's.
"""

import comfy.utils
import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DDIMInverseScheduler,
    DDIMScheduler,
    StableDiffusionDiffEditPipeline,
    UNet2DConditionModel,
)
from host.tiny_diffusion import CONTEXT, picture, prompt, tiny_model
from time_diffedit.diffedit_core.contrast import contrast
from time_diffedit.diffedit_core.schedule import noise_sigma
from time_diffedit.diffedit_core.threshold import masked_cells, rescale
from time_diffedit.nodes import DDIMInvert
from transformers import CLIPTextConfig, CLIPTextModel

SD = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1)
TARGET, SOURCE, NEGATIVE = (prompt(i) for i in range(3))


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture(scope="module")
def pipeline(model):
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
        cross_attention_dim=CONTEXT,
        attention_head_dim=8,
    )
    weights = model.model.diffusion_model.state_dict()
    names = comfy.utils.unet_to_diffusers(model.model.model_config.unet_config)
    unet.load_state_dict({name: weights[names[name]] for name in unet.state_dict()})
    text = CLIPTextConfig(hidden_size=CONTEXT, intermediate_size=64, num_attention_heads=4, num_hidden_layers=1)
    made = StableDiffusionDiffEditPipeline(
        vae=AutoencoderKL(block_out_channels=(4,), norm_num_groups=4, latent_channels=4),
        text_encoder=CLIPTextModel(text),
        tokenizer=None,
        unet=unet,
        scheduler=DDIMScheduler(**SD),
        inverse_scheduler=DDIMInverseScheduler(**SD),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    made.set_progress_bar_config(disable=True)
    return made


def test_the_mask(model, pipeline):
    latent, maps, seed = picture(1, 16, 16)["samples"], 4, 3

    def own_noise(map_index: int) -> torch.Generator:
        state = np.random.SeedSequence([seed, 0, map_index]).generate_state(1, dtype=np.uint64)
        return torch.Generator().manual_seed(int(state[0]))

    expected = pipeline.generate_mask(
        image=model.model.process_latent_in(latent),
        target_prompt_embeds=TARGET[0][0],
        source_prompt_embeds=SOURCE[0][0],
        # Equal ones: diffusers mixes up positive and negative, which is harmless only then.
        target_negative_prompt_embeds=NEGATIVE[0][0],
        source_negative_prompt_embeds=NEGATIVE[0][0],
        num_maps_per_mask=maps,
        generator=[own_noise(k) for k in range(maps)],
    )
    sigma = noise_sigma(model.model.model_sampling.sigmas, 0.5)
    heatmap = contrast(model, latent, [0], TARGET, SOURCE, sigma, maps, seed)
    mask = masked_cells(rescale(heatmap.values, 3.0), 0.5)
    assert 0 < mask.mean() < 0.5
    assert np.array_equal(mask.numpy(), expected)


def test_the_trajectory(model, pipeline):
    latent = picture(1)
    expected = pipeline.invert(
        image=model.model.process_latent_in(latent["samples"]),
        prompt_embeds=SOURCE[0][0],
        negative_prompt_embeds=NEGATIVE[0][0],
        guidance_scale=1.0,
        num_inference_steps=20,
        inpaint_strength=0.8,
    ).latents[0]
    trajectory = DDIMInvert.execute(model, latent, 20, 0.8, 1.0, "ddim", 1, positive=SOURCE).result[1]
    found = trajectory.states[1:, 0] / torch.sqrt(1 + trajectory.sigmas[1:, None, None, None] ** 2)
    assert expected.shape == found.shape == (16, 4, 8, 8)
    assert torch.allclose(found.flip(0), expected, atol=2e-5)
