"""How noise covers a picture, against the host's own model samplings."""

import comfy.model_base
import comfy.model_sampling
import pytest
import torch
from time_diffedit.diffedit_core.model.noising import Noising

KINDS = {
    "eps": (Noising(), comfy.model_sampling.EPS, {"sigma_data": 1.0}),
    "edm": (Noising(sigma_data=0.5), comfy.model_sampling.EDM, {"sigma_data": 0.5}),
    "flow": (Noising(flow=True), comfy.model_sampling.CONST, {}),
    "scaled flow": (Noising(flow=True, noise_scale=8.0), comfy.model_sampling.CONST, {"noise_scale": 8.0}),
    "cosmos": (Noising(linear_input=True), comfy.model_sampling.COSMOS_RFLOW, {}),
}


def host(kind: str):
    _, made_by, attributes = KINDS[kind]
    sampling = made_by()
    for name, value in attributes.items():
        setattr(sampling, name, value)
    return sampling


def random(seed: int) -> torch.Tensor:
    return torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sigma", [0.1, 0.8])
class TestAgainstTheHost:
    def test_noised(self, kind, sigma):
        expected = host(kind).noise_scaling(torch.tensor(sigma), random(1), random(0).clone())
        assert torch.allclose(KINDS[kind][0].noised(random(0), random(1), sigma), expected, atol=1e-6)

    def test_noise_of_is_the_inverse(self, kind, sigma):
        noising = KINDS[kind][0]
        state = noising.noised(random(0), random(1), sigma)
        assert torch.allclose(noising.noise_of(state, random(0), sigma), random(1), atol=1e-5)

    def test_the_network_sees_the_same(self, kind, sigma):
        sampling, noising = host(kind), KINDS[kind][0]
        before = sampling.calculate_input(torch.tensor(sigma), random(0))
        after = sampling.calculate_input(torch.tensor(0.9), noising.same_input(random(0), sigma, 0.9))
        assert torch.allclose(before, after, atol=1e-6)

    def test_noise_stands_to_picture_as_asked(self, kind, sigma):
        noising = KINDS[kind][0]
        level = noising.sigma_at(4.69)
        picture = noising.noised(torch.full((1,), noising.sigma_data), torch.zeros(1), level)
        noise = noising.noised(torch.zeros(1), torch.ones(1), level)
        assert float(noise / picture) == pytest.approx(4.69)
