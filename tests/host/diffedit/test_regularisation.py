"""Regularised inversion: against diffusers' own, and what it does to the noise."""

import pytest
import torch
from diffusers.pipelines.deprecated.stable_diffusion_diffedit.pipeline_stable_diffusion_diffedit import (
    auto_corr_loss,
    kl_divergence,
)
from host.models.diffusers_diffedit import SD15V, embeddings, new_pipeline
from host.models.node_inputs import given
from host.models.tiny_diffusion import picture, prompt, tiny_model
from time_diffedit.diffedit_core.inversion.regularisation import (
    Regularisation,
    auto_correlation,
    divergence,
    regularised,
)
from time_diffedit.diffedit_core.model.noise import generator
from time_diffedit.diffedit_core.model.noising import Noising
from time_diffedit.nodes import DDIMInvert

POSITIVE, NEGATIVE = prompt(0), prompt(1)


def invert(model, latent, **settings):
    regularised = {"regularisation": "pix2pix-zero"} if "num_reg_steps" in settings else {}
    settings = {"steps": 10, "strength": 0.8, "cfg": 1.0, "method": "ddim", **regularised, **settings}
    return DDIMInvert.execute(model, latent, positive=POSITIVE, **given(DDIMInvert, **settings)).result[1]


@pytest.mark.parametrize("size", [(1, 4, 8, 8), (1, 3, 20, 32), (1, 4, 7, 9)])
def test_the_penalties_are_diffusers(size):
    noise = torch.randn(size, generator=torch.Generator().manual_seed(1))
    if min(size[2:]) >= 8 or size[2] == size[3]:
        ours = auto_correlation(noise, torch.Generator().manual_seed(2))
        assert torch.allclose(ours, auto_corr_loss(noise, torch.Generator().manual_seed(2)), rtol=1e-6)
    assert torch.equal(divergence(noise), kl_divergence(noise))


@pytest.mark.gradients
@pytest.mark.parametrize("config, tolerance", [({}, 2e-4), ({"config": SD15V}, 2e-4)], ids=["eps", "v"])
@pytest.mark.parametrize("weights", [(20.0, 20.0), (0.0, 20.0), (20.0, 0.0)])
def test_the_inversion_is_diffusers(config, tolerance, weights):
    model = tiny_model(gain=0.3, **config)
    latent = picture()
    regularisation = dict(num_reg_steps=2, lambda_auto_corr=weights[0], lambda_kl=weights[1], num_auto_corr_rolls=3)
    ours = invert(model, latent, seed=5, **regularisation)
    theirs = new_pipeline(model).invert(
        image=model.model.process_latent_in(latent["samples"]),
        **embeddings(POSITIVE, NEGATIVE),
        num_inference_steps=10,
        inpaint_strength=0.8,
        guidance_scale=1.0,
        generator=generator(5, 0),
        output_type="latent",
        **regularisation,
    )
    theirs = theirs.latents.reshape(8, 4, 8, 8).flip(0)
    scale = torch.sqrt(1 + ours.sigmas[1:] ** 2)[:, None, None, None]
    plain = invert(model, latent)
    assert float((ours.states[1:, 0] / scale - theirs).abs().max()) < tolerance
    assert float((ours.states[-1] - plain.states[-1]).abs().max()) > 100 * tolerance


@pytest.mark.parametrize("noising", [Noising(), Noising(velocity=True), Noising(flow=True)], ids=["eps", "v", "flow"])
def test_it_whitens_the_implied_noise(noising):
    ramp = torch.linspace(-2, 2, 16).expand(1, 4, 16, 16).contiguous()

    def denoise(x, sigma):
        return (x - sigma * ramp) / noising.signal(sigma)

    def implied(settings):
        x = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(3))
        return noising.noise_of(x, regularised(denoise, settings, noising)(x, 0.5), 0.5)

    before = implied(None)
    assert torch.allclose(before, ramp, atol=1e-5)
    uncorrelated = implied(Regularisation(num_reg_steps=5, lambda_kl=0))
    values = [float(auto_correlation(n, torch.Generator().manual_seed(9))) for n in (before, uncorrelated)]
    assert values[1] < values[0] / 4
    standard = implied(Regularisation(num_reg_steps=5, lambda_auto_corr=0, lambda_kl=400))
    assert float(divergence(standard)) < float(divergence(before)) / 4


def test_every_picture_is_regularised_by_itself():
    model, settings = tiny_model(gain=0.3), dict(num_reg_steps=1, seed=5)
    both = invert(model, picture(2), **settings).states
    second = {"samples": picture(2)["samples"][1:], "batch_index": [1]}
    assert torch.allclose(invert(model, second, **settings).states, both[:, 1:], atol=1e-4)
    state = torch.get_rng_state()
    with torch.inference_mode():
        again = invert(model, picture(2), **settings).states
    assert torch.equal(again, both) and torch.equal(torch.get_rng_state(), state)


def test_the_paper_does_without():
    (choice,) = (i for i in DDIMInvert.define_schema().inputs if i.id == "regularisation")
    none, pix2pix_zero = choice.options
    assert (none.key, none.inputs) == ("none", [])
    defaults = {i.id: i.default for i in pix2pix_zero.inputs}
    names = ("lambda_auto_corr", "lambda_kl", "num_auto_corr_rolls")
    assert [defaults[name] for name in names] == [20, 20, 5]
    assert Regularisation(**defaults) == Regularisation()
    left_out, chosen = (invert(tiny_model(), picture(), **way).states for way in ({}, {"regularisation": "none"}))
    assert torch.equal(left_out, chosen)
