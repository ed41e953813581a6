"""Edited pictures whose colours are made to fit the original."""

import numpy as np
import pytest
import torch
from time_diffedit.diffedit_core.repaint.composite import composite
from time_diffedit.diffedit_core.repaint.seams import Fit, _membrane, matched_colours, without_seam

SIZE = 48
MASKED = torch.zeros(SIZE, SIZE, dtype=torch.bool)
MASKED[14:34, 10:38] = True
TINT = torch.tensor([0.06, -0.04, 0.03])


def picture(seed: int = 0) -> torch.Tensor:
    """Smooth colours with some noise, in .2 .. .8."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 6, 6, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (SIZE, SIZE), mode="bilinear")[0].permute(1, 2, 0)
    return 0.2 + 0.58 * smooth + 0.02 * torch.rand(SIZE, SIZE, 3, generator=generator)


def seam(image: torch.Tensor, original: torch.Tensor) -> float:
    """How much more neighbours across the edge of the mask differ than in the original."""
    steps = []
    for dim in (0, 1):
        across = MASKED.narrow(dim, 1, SIZE - 1) != MASKED.narrow(dim, 0, SIZE - 1)
        both = [one.narrow(dim, 1, SIZE - 1) - one.narrow(dim, 0, SIZE - 1) for one in (image, original)]
        steps.append((both[0] - both[1])[across])
    return float(torch.cat(steps).square().mean().sqrt())


def test_an_injected_tint_is_removed():
    original = picture()
    tinted = original * 0.9 + 0.03 + 0.5 * TINT
    found = composite(original[None], tinted[None], MASKED[None].float(), fit=Fit(match_colours=True))[0]
    assert (found - original)[MASKED].abs().max() < 1e-5
    assert torch.equal(found[~MASKED], original[~MASKED])


def test_a_tint_of_the_mask_alone_is_removed_by_the_membrane():
    original = picture()
    edited = torch.where(MASKED[..., None], original + TINT, original)
    plain = composite(original[None], edited[None], MASKED[None].float())[0]
    smooth = composite(original[None], (original + TINT)[None], MASKED[None].float(), fit=Fit("seamless"))[0]
    assert seam(plain, original) > 0.04
    assert seam(smooth, original) < 1e-3
    assert torch.equal(smooth[~MASKED], original[~MASKED])


def test_inside_the_gradients_of_the_edit_stay():
    original, edited = picture(), picture(1)
    found = without_seam(edited, original, MASKED)
    inner = MASKED.clone()
    inner[:-1] &= MASKED[1:]
    inner[1:] &= MASKED[:-1]
    inner[:, :-1] &= MASKED[:, 1:]
    inner[:, 1:] &= MASKED[:, :-1]

    def laplacian(image):
        return sum(torch.roll(image, *by) for by in ((1, 0), (-1, 0), (1, 1), (-1, 1))) - 4 * image

    assert (laplacian(found) - laplacian(edited))[inner].abs().max() < 2e-3


def test_the_membrane_solves_laplaces_equation():
    columns = np.linspace(0, 1, 20)[None, :, None].repeat(20, 0)  # a plane is its own membrane
    inside = np.zeros((20, 20), bool)
    inside[5:15, 5:15] = True
    values = np.where(inside[..., None], 7.0, columns)
    assert np.abs(_membrane(values, inside) - columns).max() < 1e-3


def test_at_the_edge_of_the_picture_the_membrane_is_free():
    inside = np.zeros((8, 30), bool)
    inside[:, 10:] = True
    values = np.where(inside[..., None], 0.0, 0.5)
    assert np.abs(_membrane(values, inside) - 0.5).max() < 1e-3


def test_each_picture_of_a_batch_has_its_own_tint():
    originals = torch.stack([picture(0), picture(2)])
    tinted = torch.stack([originals[0] + TINT, originals[1] - TINT])
    found = composite(originals, tinted, MASKED[None].float(), fit=Fit(match_colours=True))
    assert (found - originals).abs().max() < 1e-5


def test_an_even_surrounding_has_no_contrast_to_match():
    original = torch.full((SIZE, SIZE, 3), 0.5)
    edited = original.clone() + 0.1
    edited[MASKED] = picture(3)[MASKED]
    found = matched_colours(edited, original, MASKED)
    assert torch.allclose(found[MASKED], (edited[MASKED] - 0.1).clamp(0, 1), atol=1e-6)


def test_alpha_stays_and_soft_masks_blend():
    original, edited = torch.rand(1, SIZE, SIZE, 4), torch.rand(1, SIZE, SIZE, 4)
    soft = MASKED[None] * 0.5
    found = composite(original, edited, soft, fit=Fit("seamless", match_colours=True))
    assert torch.allclose(found[..., 3], torch.lerp(original[..., 3], edited[..., 3], soft), atol=1e-6)
    assert torch.equal(found[0, ~MASKED], original[0, ~MASKED])


def test_a_mask_of_everything_has_no_edge_and_no_surroundings():
    original, edited = picture()[None], picture(1)[None]
    everything = torch.ones(1, SIZE, SIZE)
    assert torch.equal(composite(original, edited, everything, fit=Fit("seamless")), edited)
    with pytest.raises(ValueError, match="mask is above 0 everywhere.*turn match_colours off"):
        composite(original, edited, everything, fit=Fit(match_colours=True))


def test_no_other_seam():
    with pytest.raises(ValueError, match="seam is 'glued'; choose one of paste, seamless"):
        composite(picture()[None], picture()[None], MASKED[None].float(), fit=Fit("glued"))
