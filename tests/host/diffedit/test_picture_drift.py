"""Picture Drift as the host runs it."""

import pytest
import torch
from time_diffedit.nodes import CompositeEditedPicture, PictureDrift

SIZE = 64


def picture(seed: int) -> torch.Tensor:
    """An IMAGE of blots."""
    generator = torch.Generator().manual_seed(seed)
    return sum(
        torch.rand(1, SIZE // cell, SIZE // cell, 3, generator=generator).repeat_interleave(cell, 1).repeat_interleave(cell, 2)
        for cell in (16, 8, 4)
    ).div(3)


def shifted(image: torch.Tensor, right: int) -> torch.Tensor:
    return torch.cat([image[:, :, :right], image[:, :, :-right]], dim=2)


def test_a_picture_that_lies_where_it_did_comes_back_bit_for_bit():
    original = picture(0)
    edited = original.clone()
    edited[:, 20:30, 20:30] = 0.9
    output = PictureDrift.execute(original, edited)
    image, said, *numbers = output.result
    assert torch.equal(image, edited) and numbers == pytest.approx([0, 0, 1], abs=0.01)
    assert "lies where it did" in said and output.ui.as_dict()["text"] == (said,)


def test_a_shift_is_said_and_undone():
    original = picture(0)
    image, said, right, down, zoom = PictureDrift.execute(original, shifted(original, 3)).result
    assert (right, down, zoom) == pytest.approx((3, 0, 1), abs=0.05)
    assert "3.0 pixels right" in said and "No mask mends that" in said
    assert (image - original)[:, 4:-4, 8:-8].abs().max() < 0.05


def test_composited_after_it_the_edit_meets_its_surroundings():
    original = picture(0)
    changed, mask = original.clone(), torch.zeros(1, SIZE, SIZE)
    changed[:, 20:40, 24:44, 0] = 1.0
    mask[:, 16:44, 20:48] = 1
    edited = shifted(changed, 4)
    back = PictureDrift.execute(original, edited, mask).result[0]
    direct, mended = (CompositeEditedPicture.execute(original, one, mask, 0).result[0] for one in (edited, back))
    assert (mended - changed).abs().mean() < 0.2 * (direct - changed).abs().mean()
    assert torch.equal(mended[mask == 0], original[mask == 0])


def test_each_picture_has_a_line_and_the_numbers_are_of_the_furthest():
    original = picture(0)
    edited = torch.cat([original, shifted(original, 5), shifted(original, 2)])
    image, said, right, *_ = PictureDrift.execute(original, edited).result
    assert len(image) == 3 and torch.equal(image[0], edited[0]) and len(said.splitlines()) == 3
    assert right == pytest.approx(5, abs=0.05)


def test_unrelated_pictures_are_not_moved():
    edited = picture(1)
    image, said, *numbers = PictureDrift.execute(picture(0), edited).result
    assert torch.equal(image, edited) and "too little in common" in said and numbers == [0, 0, 1]


def test_another_size_is_stretched_to_the_originals():
    original = picture(0)
    edited = original.repeat_interleave(2, 1).repeat_interleave(2, 2)
    image, _, *numbers = PictureDrift.execute(original, edited).result
    assert image.shape == original.shape and numbers == pytest.approx([0, 0, 1], abs=0.01)


def test_pictures_in_half_precision_are_taken():
    original = picture(0)
    image, _, right, *_ = PictureDrift.execute(
        original, shifted(original, 3).half().repeat_interleave(2, 1).repeat_interleave(2, 2)
    ).result
    assert image.dtype == torch.float32 and image.shape == original.shape and right == pytest.approx(3, abs=0.05)


def test_an_alpha_channel_stays():
    original = picture(0)
    edited = torch.cat([shifted(original, 3), torch.full((1, SIZE, SIZE, 1), 0.5)], dim=-1)
    assert PictureDrift.execute(original, edited).result[0].shape == edited.shape


@pytest.mark.parametrize(
    ("original", "edited", "mask", "message"),
    [
        (picture(0)[:, :8], picture(0), None, "original is 64 x 8 pixels, too small to tell"),
        (picture(0).repeat(2, 1, 1, 1), picture(0), None, "original holds 2 picture"),
        (
            picture(0),
            picture(0).repeat(1, 1, 1, 2)[..., :5],
            None,
            "edited has 5 channels; it must have 3 colours, or 3 and alpha",
        ),
        (picture(0), picture(0), torch.zeros(2, SIZE, SIZE), "mask holds 2 picture"),
        (picture(0), picture(0), torch.zeros(1, 8, 8), "mask is 8 x 8 pixels, but original is 64 x 64"),
        (picture(0), picture(0), torch.full((1, SIZE, SIZE), 2.0), "must lie in 0 to 1"),
    ],
)
def test_what_does_not_belong_together_is_refused(original, edited, mask, message):
    with pytest.raises(ValueError, match=message):
        PictureDrift.execute(original, edited, mask)
