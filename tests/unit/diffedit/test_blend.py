"""The blend with the background, on a trajectory of the toy denoisers."""

import pytest
import torch
from time_diffedit.diffedit_core.inversion.methods import Path, method_named
from time_diffedit.diffedit_core.repaint.background import Background
from time_diffedit.diffedit_core.repaint.blend import BackgroundBlend
from unit.toy_denoisers import KINDS, clean, denoise_as, levels, walk

STEPS = 40


def blend(path: Path, mask_at, **window) -> BackgroundBlend:
    """Over the states of a path, which are given by their levels."""
    sigmas = torch.tensor(path.sigmas)

    def at(sigma: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return path.states[int((sigmas - sigma[0]).abs().argmin())], torch.zeros(1)

    return BackgroundBlend(Background(at, **window), clean(), mask_at, sigmas.flip(0), {})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["o-belm", "ddpm"])
@pytest.mark.parametrize("mask", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("end", [0, 8, 20])
def test_a_way_that_is_blended_is_the_same_way(kind, method, mask, end):
    path, down = walk(method, kind), levels(kind).flip(0)
    mixed = blend(path, lambda sigma, extra: torch.tensor(mask), until=float(down[STEPS - end]) if end else -1.0)
    path = Path(path.states, path.sigmas, path.kept, blend=mixed)
    *_, last = method_named(method).sample(denoise_as(kind), path, down.tolist(), KINDS[kind])
    assert float((last.state - clean()).abs().max()) < 1e-4


def test_each_level_is_blended_once_by_the_smaller_of_its_steps_masks():
    path = walk("ddpm")
    down = torch.tensor(path.sigmas).flip(0)
    masks = {float(sigma): value for sigma, value in zip(down, (0.25, 0.5, 0.5, 0.125), strict=False)}
    mixed = blend(path, lambda sigma, extra: torch.tensor(masks[float(sigma[0])]), until=float(down[4]))
    x = clean(seed=1)
    for i, weight in enumerate((0.25, 0.25, 0.5, 0.125, 0.125)):
        assert torch.allclose(mixed(x, None, i), weight * x + (1 - weight) * path.states[-1 - i]), i
    assert mixed(x, None, 5) is x
    assert torch.equal(mixed.estimate(x, 1), 0.5 * x + 0.5 * clean()) and mixed.estimate(x, 4) is x


def test_nothing_is_blended_where_the_model_paints_everywhere():
    x, mixed = clean(seed=1), blend(walk("ddpm"), None)
    assert mixed(x, x, 3) is x and mixed.estimate(x, 3) is x


def test_a_background_that_is_not_shown_leads_straight_to_the_picture():
    path, x = walk("o-belm"), clean(seed=1)
    mixed = blend(path, lambda sigma, extra: torch.tensor(0.0), shown=False)
    assert mixed(x, None, 0) is x
    share = path.sigmas[-3] / path.sigmas[-2]
    assert torch.allclose(mixed(x, x, 2), clean() + share * (x - clean()), atol=1e-6)
    assert torch.equal(mixed(x, x, STEPS), clean())
