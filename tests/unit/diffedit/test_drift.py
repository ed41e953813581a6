"""Pictures that were shifted, zoomed, tinted, edited and made noisy by a known amount."""

import pytest
import torch
import torch.nn.functional as F
from time_diffedit.diffedit_core.repaint.drift import Drift, drift, moved_back, report

HEIGHT, WIDTH = 180, 240
EDITED = (slice(50, 110), slice(70, 140))
TINT = torch.tensor([0.05, -0.03, 0.02])


def picture(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> torch.Tensor:
    """Smooth blots with edges of some sharpness, in .1 .. .9."""
    generator = torch.Generator().manual_seed(seed)
    blots = sum(
        torch.rand(1, 3, height // cell, width // cell, generator=generator)
        .repeat_interleave(cell, -1)
        .repeat_interleave(cell, -2)
        for cell in (30, 12, 6)
    )
    return F.avg_pool2d(0.1 + 0.8 * blots / 3, 3, 1, 1, count_include_pad=False)[0].movedim(0, -1)


def displaced(original: torch.Tensor, zoom: float, right: float, down: float) -> torch.Tensor:
    """What lay at p lies at middle + zoom * (p - middle) + (right, down); beyond the edge is grey."""
    height, width = original.shape[:2]
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    places = torch.stack([(x - width / 2 - right) / zoom * 2 / width, (y - height / 2 - down) / zoom * 2 / height], dim=-1)
    moved = F.grid_sample(original.movedim(-1, 0)[None] - 0.5, places[None], mode="bicubic", align_corners=False)
    return (moved[0].movedim(0, -1) + 0.5).clamp(0, 1)


def drifted(original: torch.Tensor, zoom: float, right: float, down: float) -> torch.Tensor:
    """Displaced, with an edit, a tint and noise."""
    changed = original.clone()
    changed[EDITED] = 1 - changed[EDITED].flip(0)
    noise = torch.randn(original.shape, generator=torch.Generator().manual_seed(9))
    return (displaced(changed, zoom, right, down) + TINT + 0.02 * noise).clamp(0, 1)


PLACES = [(1.0, 0, 0), (1.0, 3.4, -2.2), (1.02, 0, 0), (0.95, -7, 4), (1.07, 9, 6), (1.004, 0.3, 0)]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("zoom", "right", "down"), PLACES)
def test_shift_zoom_and_tint_are_found(zoom, right, down, masked):
    mask = torch.zeros(HEIGHT, WIDTH)
    mask[EDITED] = 1
    found = drift(picture(), drifted(picture(), zoom, right, down), mask if masked else None)
    assert found.zoom == pytest.approx(zoom, abs=1e-3)
    assert (found.shift_x, found.shift_y) == pytest.approx((right, down), abs=0.15)
    assert found.tint == pytest.approx(TINT.tolist(), abs=0.01)
    assert found.known and found.tinted and found.moved == ((zoom, right, down) not in ((1.0, 0, 0), (1.004, 0.3, 0)))
    assert masked == (found.alike > 0.95)


def test_the_same_picture_has_not_moved():
    found = drift(picture(), picture())
    assert not found.moved and not found.tinted and found.alike == pytest.approx(1)
    assert report(found) == (
        "The picture lies where it did (to 0.1 pixels). Its colours are as they were (red +0.0, green +0.0, blue +0.0 of 255)."
    )


def test_large_pictures_are_measured_in_their_own_pixels():
    original = picture(height=900, width=1320)
    found = drift(original, displaced(original, 1.01, -12.5, 6.0))
    assert found.zoom == pytest.approx(1.01, abs=5e-4)
    assert (found.shift_x, found.shift_y) == pytest.approx((-12.5, 6.0), abs=0.3)
    corner = torch.tensor([0.01 * 660 + 12.5, 0.01 * 450 + 6.0]).norm()
    assert found.furthest == pytest.approx(float(corner), abs=1.0)


def test_moved_back_it_lies_on_the_original():
    original, edited = picture(), displaced(picture(), 1.03, 4.0, -3.0)
    back = moved_back(original, edited, drift(original, edited))
    inner = (slice(15, -15), slice(15, -15))
    before, after = ((one - original)[inner].abs().mean() for one in (edited, back))
    assert after < 0.25 * before


def test_what_a_shrunk_picture_does_not_reach_is_the_originals():
    original = picture()
    back = moved_back(original, displaced(original, 1.0, 20.0, 0.0), Drift(20.0, 0.0, 1.0, (0, 0, 0), 20.0, 1.0))
    assert torch.equal(back[:, -20:], original[:, -20:]) and not torch.equal(back[:, :-20], original[:, :-20])


@pytest.mark.parametrize(
    "other",
    [picture(1), torch.full((HEIGHT, WIDTH, 3), 0.5), torch.zeros(HEIGHT, WIDTH, 3)],
    ids=["unrelated", "grey", "black"],
)
def test_pictures_with_nothing_in_common_are_not_judged(other):
    found = drift(picture(), other)
    assert not found.known and not found.moved and not found.tinted
    assert "too little in common" in report(found)


def test_the_report_says_where_to():
    said = report(Drift(6.04, -2.5, 1.0213, (0.02, 0.0, -0.02), 9.37, 0.9))
    assert "6.0 pixels right, 2.5 pixels up, zoom 1.0213; its furthest corner by 9.4 pixels. No mask mends that" in said
    assert "red +5.1, green +0.0, blue -5.1 of 255; match_colours" in said
