"""Parity with diffusers' StableDiffusionDiffEditPipeline on one set of random weights.

Its own code makes masks, trajectories and pictures; only its UNet gets the weights of the host's.
"""

import numpy as np
import pytest
import torch
from host.models.diffusers_diffedit import SD15V, embeddings, map_noise, new_pipeline
from host.models.node_inputs import mask_inputs
from host.models.tiny_diffusion import picture, prompt, tiny_model
from time_diffedit.nodes import DDIMInvert, DiffEditMask, MaskedLatentSample

TARGET, SOURCE, NEGATIVE = (prompt(i) for i in range(3))
MODELS = {"eps": {}, "v": {"config": SD15V}}


@pytest.fixture(scope="module", params=MODELS)
def sides(request):
    """A model and the pipeline with its weights."""
    model = tiny_model(gain=0.3, **MODELS[request.param])
    return model, new_pipeline(model)


@pytest.fixture(scope="module", params=MODELS)
def quiet_sides(request):
    """The same with less of a say: under strong guidance random weights blow the rounding of both sides up."""
    model = tiny_model(gain=0.1, **MODELS[request.param])
    return model, new_pipeline(model)


def invert(model, latent: dict, steps: int, strength: float, **settings):
    settings = {"cfg": 1.0, "method": {"method": "ddim"}, "positive": SOURCE, **settings}
    return DDIMInvert.execute(model, latent, steps, strength, **settings).result[1]


def in_diffusers_scale(trajectory) -> torch.Tensor:
    """(states, B, C, h, w) without the clean picture, noisiest first: variance-preserving instead of exploding."""
    sigmas = trajectory.sigmas[1:, None, None, None, None]
    return (trajectory.states[1:] / torch.sqrt(1 + sigmas**2)).flip(0)


@pytest.mark.parametrize("noise_strength", [0.3, 0.5, 0.9])
def test_the_mask(sides, noise_strength):
    model, pipeline = sides
    latent, maps, seed = picture(1, 16, 16), 4, 3
    expected = pipeline.generate_mask(
        image=model.model.process_latent_in(latent["samples"]),
        # Equal negatives: diffusers mixes up positive and negative, which is harmless only then.
        **embeddings(TARGET, NEGATIVE, "target_"),
        **embeddings(SOURCE, NEGATIVE, "source_"),
        num_maps_per_mask=maps,
        mask_encode_strength=noise_strength,
        generator=[map_noise(seed, 0, k) for k in range(maps)],
    )
    mask = DiffEditMask.execute(model, latent, TARGET, seed, maps, noise_strength, **mask_inputs(), source=SOURCE).result[0]
    assert 0 < mask.mean() < 2 / 3
    assert np.array_equal(mask[:, ::8, ::8].numpy(), expected)


@pytest.mark.parametrize(("steps", "strength", "cfg"), [(20, 0.8, 1.0), (50, 0.8, 1.0), (20, 0.5, 3.0)])
def test_the_trajectory(sides, steps, strength, cfg):
    model, pipeline = sides
    latent = picture(1)
    expected = pipeline.invert(
        image=model.model.process_latent_in(latent["samples"]),
        **embeddings(SOURCE, NEGATIVE),
        guidance_scale=cfg,
        num_inference_steps=steps,
        inpaint_strength=strength,
    ).latents[0]
    found = in_diffusers_scale(invert(model, latent, steps, strength, cfg=cfg, negative=NEGATIVE))[:, 0]
    assert expected.shape == found.shape == (round(steps * strength), 4, 8, 8)
    assert torch.allclose(found, expected, rtol=0, atol=5e-6)


@pytest.mark.parametrize(("steps", "cfg"), [(20, 1.0), (20, 3.0), (50, 7.5)])
def test_the_way_back(quiet_sides, steps, cfg):
    model, pipeline = quiet_sides
    latent, strength = picture(1), 0.8
    trajectory = invert(model, latent, steps, strength)
    expected = pipeline(
        **embeddings(TARGET, NEGATIVE),
        mask_image=torch.ones(1, 1, 8, 8),
        image_latents=in_diffusers_scale(trajectory).transpose(0, 1),
        inpaint_strength=strength,
        num_inference_steps=steps,
        guidance_scale=cfg,
        output_type="latent",
    ).images
    result = MaskedLatentSample.execute(model, TARGET, trajectory, cfg, "euler", 0, NEGATIVE).result[0]
    found = model.model.process_latent_in(result["samples"])
    assert (found - expected).norm() <= 1e-5 * expected.norm()
