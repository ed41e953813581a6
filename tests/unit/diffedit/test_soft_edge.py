"""A mask's edge that is as soft as the picture's."""

import torch

from diffedit_core.repaint.composite import composite
from diffedit_core.repaint.crop import crop_around, cut_out, cut_out_mask, stitch
from diffedit_core.repaint.seams import Fit
from diffedit_core.repaint.soft_edge import softened

SIZE, LEFT, RIGHT = 32, 10, 22
COVER = torch.zeros(SIZE)
COVER[LEFT:RIGHT] = 1


def striped(cover: torch.Tensor) -> torch.Tensor:
    """A red stripe on blue that covers so much of each column: (1, SIZE, SIZE, 3)."""
    red, blue = torch.tensor([0.9, 0.2, 0.1]), torch.tensor([0.1, 0.3, 0.8])
    return torch.lerp(blue, red, cover[:, None]).expand(1, SIZE, SIZE, 3)


def mask_of(cover: torch.Tensor) -> torch.Tensor:
    return (cover > 0).float().expand(1, SIZE, SIZE)


def test_a_hard_edge_stays_hard():
    assert torch.allclose(softened(mask_of(COVER), striped(COVER), 4), mask_of(COVER), atol=0.02)


def test_an_edge_is_softer_where_less_of_the_thing_covers_it():
    def at_edge(cover: float) -> torch.Tensor:
        blended = COVER.clone()
        blended[[LEFT, RIGHT - 1]] = cover
        found = softened(mask_of(blended), striped(blended), 2)[0]
        assert (found[:, LEFT + 5 : RIGHT - 5] - 1).abs().max() < 1e-3
        return found[:, [LEFT, RIGHT - 1]]

    little, half, whole = map(at_edge, (0.3, 0.6, 1.0))
    assert little.max() < 0.75 < half.min() <= half.max() < 0.9 < whole.min()


def test_nothing_changes_outside_the_mask_and_more_softens_more():
    noisy = torch.rand(1, SIZE, SIZE, 3, generator=torch.Generator().manual_seed(1))
    mask = mask_of(COVER)
    narrow, wide = (softened(mask, noisy, pixels) for pixels in (1, 6))
    assert (narrow[mask == 0] == 0).all() and (wide <= mask).all()
    assert (1 - wide)[mask == 1].sum() > (1 - narrow)[mask == 1].sum() > 0


def test_composite_takes_the_weights_and_keeps_the_rest():
    original, mask = striped(COVER), mask_of(COVER)
    edited, colours = 1 - original, torch.rand(1, SIZE, SIZE, 3, generator=torch.Generator().manual_seed(2))
    assert torch.equal(composite(original, edited, mask, fit=Fit()), composite(original, edited, mask))
    result = composite(colours, edited, mask, fit=Fit(soft_edge=3))
    assert torch.equal(result[mask == 0], colours[mask == 0])
    weight = softened(mask, colours, 3)[..., None]
    assert torch.allclose(result, torch.lerp(colours, edited, weight), atol=1e-6)


def test_one_mask_for_many_pictures_is_softened_by_each():
    blended = COVER.clone()
    blended[LEFT] = 0.4
    originals, mask = torch.cat([striped(COVER), striped(blended)]), mask_of(COVER)
    both = composite(originals, 1 - originals, mask, fit=Fit(soft_edge=2))
    for i in range(2):
        one = composite(originals[i : i + 1], 1 - originals[i : i + 1], mask, fit=Fit(soft_edge=2))
        assert torch.equal(both[i], one[0])


def test_a_stitched_crop_is_softened_too():
    original, mask = striped(COVER).float(), torch.zeros(1, SIZE, SIZE)
    mask[:, 8:24, LEFT:RIGHT] = 1
    window = crop_around(mask, (SIZE, SIZE), 0.5, 32)
    edited, cut_mask = 1 - cut_out(original, window), cut_out_mask(mask, window)
    hard, soft = (stitch(original, edited, window, cut_mask, 0, fit) for fit in (Fit(), Fit(soft_edge=4)))
    assert torch.equal(soft[mask == 0], original[mask == 0])
    assert not torch.equal(soft, hard)
