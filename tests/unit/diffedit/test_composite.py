"""Edited pictures laid over their originals."""

import comfy.sd
import pytest
import torch
from time_diffedit.diffedit_core.repaint.composite import composite
from time_diffedit.nodes.diffedit.composite_edited_picture import CompositeEditedPicture


def values(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def cropped(pixels: torch.Tensor, cell: int) -> torch.Tensor:
    """What the host's VAE Encode keeps of a picture."""
    crop = {"crop_input": True, "spacial_compression_encode": lambda self: cell, "output_channels": pixels.shape[-1]}
    return comfy.sd.VAE.vae_encode_crop_pixels(type("Crop", (), crop)(), pixels)


def test_outside_is_the_original_and_inside_the_edited_exactly():
    original, edited = values(1, 32, 40, 3), values(1, 32, 40, 3, seed=1)
    mask = (values(1, 32, 40, seed=2) > 0.5).float()
    result = composite(original, edited, mask)
    inside = mask.bool()
    assert torch.equal(result[inside], edited[inside]) and torch.equal(result[~inside], original[~inside])


def test_masks_of_truth_values():
    original, edited, mask = values(1, 8, 8, 3), values(1, 8, 8, 3, seed=1), values(1, 8, 8, seed=2) > 0.5
    for one in (mask, mask.byte()):
        assert torch.equal(composite(original, edited, one, 1), composite(original, edited, mask.float(), 1))


def test_soft_masks_blend():
    original, edited, mask = values(1, 8, 8, 3), values(1, 8, 8, 3, seed=1), values(1, 8, 8, seed=2)
    assert torch.allclose(composite(original, edited, mask), torch.lerp(original, edited, mask[..., None]), atol=1e-6)


def test_the_inputs_stay_as_they_are_and_values_that_are_not_finite_stay_inside():
    original, edited, mask = values(1, 8, 8, 3), values(1, 8, 8, 3, seed=1), torch.zeros(1, 8, 8)
    edited[0, 2, 2] = float("nan")
    before = original.clone()
    mask[0, 5] = 1
    assert torch.isfinite(composite(original, edited, mask)).all()
    assert torch.equal(original, before)


@pytest.mark.parametrize("size, cell", [((37, 45), 8), ((39, 47), 8), ((71, 64), 16), ((95, 40), 32), ((40, 41), 8)])
def test_lies_where_vae_encode_cut_it_out(size, cell):
    original = values(1, *size, 3)
    part = cropped(original, cell)
    assert part.shape != original.shape
    assert torch.equal(composite(original, part, torch.ones(1, *size)), original)
    assert torch.equal(composite(original, part, torch.ones(part.shape[:3])), original)

    mask = values(1, *size) > 0.5
    small = cropped(mask[..., None], cell)[..., 0]
    result = composite(original, 1 - part, mask.float())
    assert torch.equal(result, composite(original, 1 - part, small.float()))
    assert torch.equal(cropped(result, cell), torch.where(small[..., None], 1 - part, part))
    changed = (result != original).any(-1)
    assert changed.sum() == small.sum()


def test_feather_fades_in_inwards_only():
    mask = torch.zeros(1, 1, 20)
    mask[..., 5:15] = 1
    result = composite(torch.zeros(1, 1, 20, 3), torch.ones(1, 1, 20, 3), mask, feather=3)[0, 0, :, 0]
    expected = [0] * 5 + [0.25, 0.5, 0.75, 1, 1, 1, 1, 0.75, 0.5, 0.25] + [0] * 5
    assert torch.allclose(result, torch.tensor(expected, dtype=torch.float32))


def test_feather_is_round_multiplies_soft_masks_and_leaves_the_picture_edge():
    mask = torch.ones(2, 9, 9)
    mask[0, 4, 4] = 0
    mask[1] = 0.5
    result = composite(torch.zeros(2, 9, 9, 3), torch.ones(2, 9, 9, 3), mask, feather=4)[..., 0]
    assert float(result[0, 4, 4]) == 0 and float(result[0, 0, 0]) == 1
    assert float(result[0, 7, 8]) == pytest.approx(1.0) and float(result[0, 5, 5]) == pytest.approx(2**0.5 / 5)
    assert (result[1] == 0.5).all()


def test_one_original_with_many_edited_and_masks_for_all_or_for_each():
    original, edited, masks = values(1, 8, 8, 3), values(3, 8, 8, 3, seed=1), values(3, 8, 8, seed=2)
    result = composite(original, edited, masks)
    assert result.shape == (3, 8, 8, 3)
    for i in range(3):
        assert torch.equal(result[i], composite(original, edited[i : i + 1], masks[i])[0])
        assert torch.equal(composite(original, edited, masks[0])[i], composite(original, edited[i : i + 1], masks[0])[0])
    many = composite(values(3, 8, 8, 3, seed=5), edited, masks)
    assert torch.equal(many[2], composite(values(3, 8, 8, 3, seed=5)[2:], edited[2:], masks[2])[0])


def test_alpha_channels_are_kept():
    colour, alpha = values(1, 8, 8, 3), values(1, 8, 8, 4)
    mask = (values(1, 8, 8, seed=2) > 0.5).float()
    inside = mask.bool()

    of_original = composite(alpha, colour, mask)
    assert torch.equal(of_original[..., 3], alpha[..., 3])
    assert torch.equal(of_original[inside][:, :3], colour[inside])

    of_edited = composite(colour, alpha, mask)
    assert torch.equal(of_edited[inside], alpha[inside])
    assert torch.equal(of_edited[~inside], torch.cat([colour, torch.ones(1, 8, 8, 1)], -1)[~inside])


@pytest.mark.parametrize(
    "original, edited, mask, message",
    [
        ((1, 64, 64, 3), (1, 32, 32, 3), (1, 64, 64), "edited is 32 x 32 pixels, original 64 x 64"),
        ((1, 64, 64, 3), (1, 64, 72, 3), (1, 64, 64), "edited is 72 x 64 pixels, original 64 x 64"),
        ((1, 64, 67, 3), (1, 64, 66, 3), (1, 64, 67), None),
        ((1, 68, 67, 3), (1, 64, 66, 3), (1, 68, 67), "edited is 66 x 64"),
        ((1, 68, 68, 3), (1, 64, 64, 3), (1, 66, 66), "mask is 66 x 66 pixels.*original, 68 x 68, .*edited, 64 x 64"),
        ((1, 64, 64, 3), (1, 64, 64, 3), (1, 8, 8), "mask is 8 x 8"),
        ((2, 8, 8, 3), (3, 8, 8, 3), (1, 8, 8), r"original holds 2 picture\(s\) for 3 edited"),
        ((2, 8, 8, 3), (1, 8, 8, 3), (1, 8, 8), r"original holds 2 picture\(s\) for 1 edited"),
        ((1, 8, 8, 3), (3, 8, 8, 3), (2, 8, 8), r"mask holds 2 picture\(s\) for 3 edited"),
        ((1, 8, 8, 3), (1, 8, 8, 3), (1, 3, 8, 8), r"mask has the shape \(1, 3, 8, 8\)"),
    ],
)
def test_what_cannot_belong_together_is_refused(original, edited, mask, message):
    def run():
        return composite(torch.zeros(original), torch.zeros(edited), torch.ones(mask))

    if message is None:
        assert run().shape == original
    else:
        with pytest.raises(ValueError, match=message):
            run()


def test_masks_beyond_0_to_1_are_refused():
    with pytest.raises(ValueError, match="mask has values from 2 to 2"):
        composite(values(1, 8, 8, 3), values(1, 8, 8, 3), torch.full((1, 8, 8), 2.0))


def test_the_node_lays_the_edit_over_the_original_and_fades_it_in():
    original, edited, mask = values(1, 32, 40, 3), values(1, 32, 40, 3, seed=1), torch.zeros(1, 32, 40)
    mask[:, 8:24, 8:24] = 1
    (result,) = CompositeEditedPicture.execute(original=original, edited=edited, mask=mask, feather=4).result
    assert torch.equal(result, composite(original, edited, mask, 4))
    assert torch.equal(result[:, 15, 15], edited[:, 15, 15]) and torch.equal(result[:, 0, 0], original[:, 0, 0])
    assert not torch.equal(result[:, 8, 8], edited[:, 8, 8])
