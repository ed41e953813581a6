"""The loop of FlowEdit, on denoisers whose answer is known."""

from itertools import pairwise

import pytest
import torch
from time_diffedit.diffedit_core.model.noising import Noising
from time_diffedit.diffedit_core.repaint.flow_edit import SOURCE, TARGET, flow_edit

SHAPE = (2, 3, 4, 4)
FLOW, SCALED, VARIANCE_EXPLODING = Noising(flow=True), Noising(flow=True, noise_scale=1.3), Noising()
LEVELS = {FLOW: (0.95, 0.7, 0.4, 0.1, 0.0), SCALED: (0.95, 0.7, 0.4, 0.1, 0.0), VARIANCE_EXPLODING: (9.0, 3.0, 1.0, 0.2, 0.0)}
FAMILIES = pytest.mark.parametrize("made_of", LEVELS, ids=["flow", "scaled flow", "variance exploding"])


def random(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*(shape or SHAPE), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


CLEAN = random(1)
HALF = torch.tensor([1.0, 1.0, 0.0, 0.0], dtype=torch.float64)
MIXING = {TARGET: random(2, 3, 3), SOURCE: random(3, 3, 3)}


def curved(side: str, x: torch.Tensor, sigma: float) -> torch.Tensor:
    """Some smooth function of both."""
    return torch.einsum("ij,bjhw->bihw", MIXING[side], x.sin()) + sigma


def noises(averages: int):
    return lambda step: [random(100 + 10 * step + k) for k in range(averages)]


def edited(made_of: Noising, denoise=curved, mask: torch.Tensor = HALF, averages: int = 2) -> torch.Tensor:
    *_, last = flow_edit(denoise, CLEAN, LEVELS[made_of], noises(averages), lambda sigma: mask, made_of)
    return CLEAN + last.edit


def published(made_of: Noising, averages: int) -> torch.Tensor:
    """FlowEdit's own loop, line by line, with velocities; as published for flow, the mask added."""
    x_src, zt_edit = CLEAN, CLEAN.clone()
    for step, (t, next_t) in enumerate(pairwise(LEVELS[made_of])):
        average = torch.zeros_like(x_src)
        for noise in noises(averages)(step):
            zt_src = (1 - t if made_of.flow else 1) * x_src + t * made_of.noise_scale * noise
            zt_tar = zt_edit + zt_src - x_src
            vt_src, vt_tar = ((z - curved(side, z, t)) / t for side, z in ((SOURCE, zt_src), (TARGET, zt_tar)))
            average += (1 / averages) * (vt_tar - vt_src)
        zt_edit = zt_edit + (next_t - t) * HALF * average
    return zt_edit


@FAMILIES
@pytest.mark.parametrize("averages", [1, 2, 5])
def test_is_the_published_loop(made_of, averages):
    found, expected = edited(made_of, averages=averages), published(made_of, averages)
    assert torch.allclose(found, expected, rtol=0, atol=1e-11)
    assert float((found - CLEAN)[..., :2].abs().min()) > 1e-4


@FAMILIES
def test_outside_the_mask_and_between_equal_sides_nothing_changes_at_all(made_of):
    assert torch.equal(edited(made_of)[..., 2:], CLEAN[..., 2:])
    same = edited(made_of, lambda side, x, sigma: curved(TARGET, x, sigma), mask=torch.ones(1, dtype=torch.float64))
    assert torch.equal(same, CLEAN)


@FAMILIES
def test_a_side_that_knows_its_picture_gets_it(made_of):
    """The source says that the picture is what it is, the target that it is another one, whatever they see."""
    wanted = {SOURCE: CLEAN, TARGET: random(7)}
    found = edited(made_of, lambda side, x, sigma: wanted[side])
    assert torch.allclose(found[..., :2], wanted[TARGET][..., :2], rtol=0, atol=1e-12)


@FAMILIES
def test_both_sides_see_the_same_noise_at_the_model_s_level(made_of):
    """From the state that the source side sees, `noise_of` gives the noise back; the target side sees it on the
    edited picture."""
    seen: list[tuple[str, torch.Tensor, float]] = []

    def note(side: str, x: torch.Tensor, sigma: float) -> torch.Tensor:
        seen.append((side, x, sigma))
        return curved(side, x, sigma)

    steps = list(flow_edit(note, CLEAN, LEVELS[made_of], noises(1), lambda sigma: HALF, made_of))
    assert [side for side, *_ in seen] == [TARGET, SOURCE] * len(steps)
    for step, ((_, z_tar, sigma), (_, z_src, _)) in enumerate(zip(seen[::2], seen[1::2], strict=True)):
        assert torch.allclose(made_of.noise_of(z_src, CLEAN, sigma), random(100 + 10 * step), atol=1e-12)
        before = steps[step - 1].edit if step else torch.zeros_like(CLEAN)
        assert torch.allclose(z_tar - z_src, before, atol=1e-12)


@FAMILIES
def test_a_soft_mask_changes_in_between(made_of):
    wanted = {SOURCE: CLEAN, TARGET: CLEAN + 1}
    moved = [edited(made_of, lambda side, x, sigma: wanted[side], mask=torch.tensor([m])) for m in (0.1, 0.4, 0.7)]
    amounts = [float((one - CLEAN).mean()) for one in moved]
    assert 0 < amounts[0] < amounts[1] < amounts[2] < 1
