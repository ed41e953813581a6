"""Windows around masks: where they lie, and that nothing but the edit comes back."""

import pytest
import torch
from time_diffedit.diffedit_core.repaint.composite import composite
from time_diffedit.diffedit_core.repaint.crop import CELL, Crop, crop_around, cut_out, cut_out_mask, stitch
from time_diffedit.diffedit_core.repaint.seams import Fit
from time_diffedit.nodes.diffedit.crop_around_mask import CropAroundMask
from time_diffedit.nodes.diffedit.stitch_crop import StitchCrop


def values(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def smooth(*size: int) -> torch.Tensor:
    """A picture in steps of 8 bits without detail that resizing loses."""
    rows, columns = torch.meshgrid(*(torch.linspace(0, 3, side) for side in size), indexing="ij")
    colours = [torch.sin(rows + columns), torch.cos(2 * rows), torch.sin(columns) * torch.cos(rows)]
    return ((torch.stack(colours, -1)[None] + 1) * 127.5).round() / 255


def boxes(size: tuple[int, int], *each: tuple[int, int, int, int]) -> torch.Tensor:
    """A mask for each top, bottom, left, right."""
    masks = torch.zeros(len(each), *size)
    for mask, (top, bottom, left, right) in zip(masks, each, strict=True):
        mask[top:bottom, left:right] = 1
    return masks


def test_the_window_is_a_square_around_the_mask():
    crop = crop_around(boxes((200, 300), (80, 100, 140, 180)), (200, 300), 0.5, 512)
    assert crop == Crop(places=((50, 120),), window=(80, 80), size=(512, 512), original=(200, 300))
    assert crop_around(boxes((200, 300), (80, 100, 140, 180)), (200, 300), 0.0, 512).window == (40, 40)


@pytest.mark.parametrize(
    "box, place", [((0, 20, 0, 20), (0, 0)), ((180, 200, 280, 300), (160, 260)), ((5, 25, 270, 290), (0, 260))]
)
def test_at_the_pictures_edge_the_window_is_moved_inside(box, place):
    crop = crop_around(boxes((200, 300), box), (200, 300), 0.5, 512)
    assert crop.places == (place,) and crop.window == (40, 40)


@pytest.mark.parametrize("original", [(100, 400), (400, 100), (333, 500), (97, 61), (64, 1000), (512, 512)])
@pytest.mark.parametrize("share", [0.05, 0.4, 0.9, 1.0])
@pytest.mark.parametrize("size", [64, 512, 1000])
def test_no_window_is_stretched_or_leaves_the_picture(original, share, size):
    height, width = (max(round(side * share), 1) for side in original)
    crop = crop_around(boxes(original, (0, height, 0, width)), original, 0.3, size)
    assert max(crop.size) == size and all(side % CELL == 0 for side in crop.size)
    ((top, left),) = crop.places
    assert 0 <= top <= original[0] - crop.window[0] and 0 <= left <= original[1] - crop.window[1]
    scale = size / max(crop.window)
    assert all(abs(side - resized / scale) <= 0.5 for side, resized in zip(crop.window, crop.size, strict=True))


@pytest.mark.parametrize(
    "original, box", [((100, 400), (10, 90, 0, 150)), ((400, 100), (0, 300, 0, 100)), ((333, 500), (0, 300, 0, 400))]
)
def test_a_mask_longer_than_the_picture_is_wide_lies_in_the_window(original, box):
    mask = boxes(original, box)
    crop = crop_around(mask, original, 0.1, 512)
    assert cut_out_mask(mask, crop).any()
    back = stitch(torch.zeros(1, *original, 3), torch.ones(1, *crop.size, 3), crop, cut_out_mask(mask, crop))
    assert torch.equal(back[..., 0] > 0, mask.bool())


def test_where_nothing_is_resized_all_comes_back_bit_for_bit():
    picture, mask = values(1, 200, 300, 3), boxes((200, 300), (70, 134, 100, 150))
    crop = crop_around(mask, (200, 300), 0.5, 128)
    assert crop.window == crop.size == (128, 128)
    cut = cut_out(picture, crop)
    (top, left) = crop.places[0]
    assert torch.equal(cut, picture[:, top : top + 128, left : left + 128])
    assert torch.equal(stitch(picture, cut, crop), picture)
    assert torch.equal(stitch(picture, cut, crop, cut_out_mask(mask, crop), 3), picture)


@pytest.mark.parametrize("size, close", [(64, 0.02), (128, 0.008), (328, 0.008), (512, 0.008)])
def test_without_an_edit_the_window_comes_back_but_for_interpolation_and_all_else_exactly(size, close):
    picture, mask = smooth(200, 300), boxes((200, 300), (80, 120, 100, 150))
    crop = crop_around(mask, (200, 300), 0.5, size)
    cut, cut_mask = cut_out(picture, crop), cut_out_mask(mask, crop)
    assert cut.shape == (1, size, size, 3) and cut_mask.shape == (1, size, size)
    whole = stitch(picture, cut, crop)
    (top, left), (height, width) = crop.places[0], crop.window
    outside = torch.ones(200, 300, dtype=torch.bool)
    outside[top : top + height, left : left + width] = False
    assert torch.equal(whole[0][outside], picture[0][outside])
    assert (whole - picture).abs().max() < close
    # Reduced, a mask covers the pixels beside it that it shares a pixel with.
    masked = stitch(picture, cut, crop, cut_mask)
    changed = (masked != picture).any(-1)
    assert not (changed & ~mask.bool()).any() if size >= 100 else changed[0].logical_and(outside).sum() == 0


def test_an_edit_comes_back_inside_the_mask_only():
    picture, mask = values(1, 200, 300, 3), (values(1, 200, 300, seed=1) > 0.5).float()
    mask[:, :60] = mask[:, 120:] = 0
    mask[..., :100] = mask[..., 160:] = 0
    crop = crop_around(mask, (200, 300), 0.5, 512)
    result = stitch(picture, torch.ones(1, 512, 512, 3), crop, cut_out_mask(mask, crop))
    assert torch.equal(result, torch.where(mask[..., None].bool(), torch.ones(3), picture))


def test_a_reduced_mask_covers_all_that_was_masked():
    original = (400, 400)
    mask = boxes(original, (100, 300, 201, 202))
    mask[:, 100] = 1
    mask[:, :, :50] = mask[:, :, 350:] = 0
    crop = crop_around(mask, original, 0.1, 64)
    result = stitch(torch.zeros(1, *original, 3), torch.ones(1, 64, 64, 3), crop, cut_out_mask(mask, crop))
    assert result[..., 0][mask.bool()].all()


def test_the_edit_fades_in_from_the_edges_of_window_and_mask():
    picture, mask = torch.zeros(1, 200, 300, 3), boxes((200, 300), (0, 40, 100, 140))
    crop = crop_around(mask, (200, 300), 0.5, 512)
    edited = torch.ones(1, 512, 512, 3)
    (top, left), (height, width) = crop.places[0], crop.window
    of_window = boxes((200, 300), (top, top + height, left, left + width))
    white = torch.ones_like(picture)
    assert torch.equal(stitch(picture, edited, crop, feather=5), composite(picture, white, of_window, 5))
    assert torch.equal(stitch(picture, edited, crop, cut_out_mask(mask, crop), 5), composite(picture, white, mask, 5))
    assert float(stitch(picture, edited, crop, feather=5)[0, 0, left + width // 2, 0]) == 1, "the picture's edge is none"


def test_a_tint_of_the_window_is_removed_and_a_seam_with_it():
    picture, mask = 0.2 + 0.5 * smooth(200, 300), boxes((200, 300), (80, 120, 100, 140))
    crop = crop_around(mask, (200, 300), 0.5, 80)
    assert crop.window == crop.size
    cut, cut_mask = cut_out(picture, crop), cut_out_mask(mask, crop)
    tinted = (cut + torch.tensor([0.08, -0.06, 0.05])).clamp(0, 1)
    off = (stitch(picture, tinted, crop, cut_mask) - picture).abs().max()
    matched = stitch(picture, tinted, crop, cut_mask, fit=Fit(match_colours=True))
    seamless = stitch(picture, tinted, crop, cut_mask, fit=Fit("seamless"))
    assert off > 0.05
    for result in (matched, seamless):
        assert (result - picture).abs().max() < 0.01
        assert torch.equal(result[~mask.bool()], picture[~mask.bool()])


def test_without_a_mask_the_window_meets_the_picture_at_its_rim_and_the_picture_s_edge_is_none():
    picture, mask = 0.2 + 0.5 * smooth(200, 300), boxes((200, 300), (0, 40, 100, 140))
    crop = crop_around(mask, (200, 300), 0.5, 80)
    (top, left), (height, width) = crop.places[0], crop.window
    assert top == 0 and crop.window == crop.size
    tinted = (cut_out(picture, crop) + 0.08).clamp(0, 1)
    result = stitch(picture, tinted, crop, fit=Fit("seamless"))
    assert (result - picture).abs().max() < 0.01
    bright = stitch(torch.zeros_like(picture), torch.ones(1, *crop.size, 3), crop, fit=Fit("seamless"))
    taken = (stitch(picture, 1 - cut_out(picture, crop), crop, fit=Fit("seamless")) != picture).any(-1)[0]
    assert not bright.any(), "an even difference is all seam"
    assert taken[0, left + 1 : left + width - 1].any() and not taken[height - 1].any() and not taken[:, left].any()


def test_seams_that_cannot_be():
    picture, mask = smooth(200, 300), boxes((200, 300), (80, 120, 100, 140))
    crop = crop_around(mask, (200, 300), 0.5, 80)
    with pytest.raises(ValueError, match="seam is 'glued'; choose one of paste, seamless"):
        stitch(picture, cut_out(picture, crop), crop, fit=Fit("glued"))
    with pytest.raises(ValueError, match="mask is above 0 everywhere, or not connected"):
        stitch(picture, cut_out(picture, crop), crop, fit=Fit(match_colours=True))


def test_a_mask_for_each_picture_gives_windows_of_one_size_and_one_mask_serves_all():
    pictures = values(2, 100, 120, 3)
    masks = boxes((100, 120), (10, 30, 10, 30), (50, 60, 90, 95))
    crop = crop_around(masks, (100, 120), 0.5, 64)
    assert crop.window == (40, 40) and crop.places == ((0, 0), (35, 72))
    cut, cut_masks = cut_out(pictures, crop), cut_out_mask(masks, crop)
    result = stitch(pictures, 1 - cut, crop, cut_masks)
    changed = (result != pictures).any(-1)
    assert not (changed & ~masks.bool()).any() and changed[0].any() and changed[1].any()

    shared = crop_around(masks[:1], (100, 120), 0.5, 64)
    assert len(shared.places) == 1 and len(cut_out(pictures, shared)) == 2 and len(cut_out_mask(masks[:1], shared)) == 1
    several = stitch(pictures[:1], 1 - cut_out(pictures, shared), shared, cut_out_mask(masks[:1], shared))
    assert len(several) == 2 and torch.equal(several[1][50:], pictures[0][50:])


def test_alpha_channels_are_kept():
    picture, mask = values(1, 100, 120, 4), boxes((100, 120), (20, 60, 20, 60))
    crop = crop_around(mask, (100, 120), 0.5, 96)
    cut = cut_out(picture, crop)
    assert cut.shape == (1, 96, 96, 4)
    of_original = stitch(picture, cut[..., :3], crop, cut_out_mask(mask, crop))
    assert torch.equal(of_original[..., 3], picture[..., 3]) and not torch.equal(of_original[..., :3], picture[..., :3])
    of_edited = stitch(picture[..., :3], torch.full((1, 96, 96, 4), 0.5), crop, cut_out_mask(mask, crop))
    inside = mask.bool()
    assert torch.equal(of_edited[..., 3], torch.where(inside, torch.tensor(127 / 255), torch.tensor(1.0)))
    assert torch.equal(of_edited[~inside][:, :3], picture[~inside][:, :3])


def test_what_vae_encode_crops_is_filled_from_the_original():
    picture, mask = smooth(200, 300), boxes((200, 300), (80, 120, 100, 140))
    crop = crop_around(mask, (200, 300), 0.5, 88)
    whole = torch.ones(1, 88, 88, 3)
    part, part_mask = whole[:, 4:84, 4:84], torch.ones(1, 80, 80)
    result = stitch(picture, part, crop)
    assert (result[0, 100, 120] == 1).all()
    corner = crop.places[0]
    assert (result[0, corner[0], corner[1]] - picture[0, corner[0], corner[1]]).abs().max() < 0.1
    covered = stitch(torch.zeros(1, 200, 300, 3), whole, crop, part_mask)[0, ..., 0] > 0
    assert not covered[corner] and covered[corner[0] + 10, corner[1] + 10]


def test_a_mask_as_vae_encode_crops_the_picture():
    mask = boxes((96, 120), (20, 40, 20, 40))
    crop = crop_around(mask, (101, 123), 0.0, 64)
    assert crop.places == ((22, 21),) and crop.window == (20, 20) and crop.original == (101, 123)
    assert cut_out_mask(mask, crop).all()


PICTURE, MASK = torch.zeros(1, 100, 120, 3), boxes((100, 120), (20, 60, 20, 60))
CROP = crop_around(MASK, (100, 120), 0.5, 64)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"mask": MASK * 0}, "mask is 0 everywhere, so that there is nothing to crop around; mask what"),
        ({"mask": torch.cat([MASK, MASK * 0]), "picture": PICTURE.repeat(2, 1, 1, 1)}, "mask 2 of 2 is 0 everywhere"),
        ({"mask": torch.ones(1, 60, 50)}, "mask is 50 x 60 pixels; it must be as large as picture, 120 x 100"),
        ({"mask": MASK.repeat(2, 1, 1)}, r"mask holds 2 picture\(s\) for 1 of picture"),
        ({"mask": MASK * 2}, "mask has values from 0 to 2"),
        ({"picture": torch.zeros(1, 100, 120, 5)}, "picture has 5 channels"),
        ({"size": 100}, "size is 100; it must be a multiple of 8, such as 96"),
        ({"size": 8}, "size is 8; it must be a whole number from 64 to 4096"),
        ({"context": -1.0}, "context is -1.0"),
    ],
)
def test_what_cannot_be_cropped_is_refused(wrong, message):
    given = {"picture": PICTURE, "mask": MASK, "context": 0.5, "size": 64}
    with pytest.raises(ValueError, match=message):
        CropAroundMask.execute(**given | wrong)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"original": torch.zeros(1, 100, 100, 3)}, "original is 100 x 100 pixels, but crop was cut out of 120 x 100"),
        ({"edited": torch.zeros(1, 32, 32, 3)}, "edited is 32 x 32 pixels; it must be as large as the crop, 64 x 64"),
        ({"mask": MASK}, "mask is 120 x 100 pixels; it must be as large as the crop, 64 x 64"),
        ({"mask": torch.ones(2, 64, 64)}, r"mask holds 2 picture\(s\) for 1 edited"),
        ({"original": PICTURE.repeat(2, 1, 1, 1)}, r"original holds 2 picture\(s\) for 1 edited"),
        ({"crop": crop_around(MASK.repeat(2, 1, 1), (100, 120), 0.5, 64)}, r"crop holds 2 picture\(s\) for 1 edited"),
        ({"edited": torch.zeros(1, 64, 64, 5)}, "edited has 5 channels"),
    ],
)
def test_what_cannot_be_stitched_is_refused(wrong, message):
    given = {"original": PICTURE, "edited": torch.zeros(1, 64, 64, 3), "crop": CROP, "feather": 0}
    with pytest.raises(ValueError, match=message):
        StitchCrop.execute(**given | wrong)


def test_the_nodes_crop_and_stitch():
    picture = values(1, 100, 120, 3)
    cut, cut_mask, crop = CropAroundMask.execute(picture=picture, mask=MASK, context=0.5, size=64).result
    assert crop == CROP and torch.equal(cut, cut_out(picture, crop)) and torch.equal(cut_mask, cut_out_mask(MASK, crop))
    (result,) = StitchCrop.execute(original=picture, edited=1 - cut, crop=crop, feather=2, mask=cut_mask).result
    assert torch.equal(result, stitch(picture, 1 - cut, crop, cut_mask, 2))
