"""The mask along the edges of the picture."""

import numpy as np
import pytest
import torch
from kornia.filters import guided_blur
from time_diffedit.diffedit_core.mask.edges import FLATNESS, guided
from time_diffedit.diffedit_core.mask.heatmap import Heatmap
from time_diffedit.diffedit_core.mask.mask_rule import Level, MaskRule, Otsu

CELL = 8
EDGES = MaskRule(Otsu(), reach=4)


def disc(size: int, row: float, column: float, radius: float) -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def scene(size: int = 96, row: float = 45.0, column: float = 51.0) -> tuple[torch.Tensor, torch.Tensor, Heatmap]:
    """A red disc on green, which pixels are its own, and a heat map of how much of each cell it covers."""
    torch.manual_seed(0)
    inside = disc(size, row, column, 17)
    colours = torch.where(inside[..., None], torch.tensor([0.8, 0.2, 0.1]), torch.tensor([0.2, 0.6, 0.3]))
    picture = (colours + 0.02 * torch.randn(size, size, 3)).clamp(0, 1)[None]
    heat = 0.05 + inside.float().unfold(0, CELL, CELL).unfold(1, CELL, CELL).mean((-1, -2))
    return picture, inside, Heatmap(heat[None, None], CELL)


def iou(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one & other).sum() / (one | other).sum())


def masked(rule: MaskRule, heatmap: Heatmap, picture: torch.Tensor) -> torch.Tensor:
    return rule.masked(rule.prepared(heatmap, picture))[1] > 0


def test_is_the_guided_filter_of_kornia():
    generator = torch.Generator().manual_seed(1)
    guide, values = torch.rand(1, 3, 40, 48, generator=generator), torch.rand(1, 1, 40, 48, generator=generator)
    expected = guided_blur(guide.double(), values.double(), 9, FLATNESS)[0, 0]
    found = guided(values[0, 0].numpy(), guide[0].permute(1, 2, 0).numpy(), 9)
    inner = np.s_[8:-8, 8:-8]  # beyond the edge of the picture the two see other mirrors
    assert np.abs(found[inner] - expected.numpy()[inner]).max() < 1e-4


def test_finds_the_thing_to_the_pixel():
    picture, inside, heatmap = scene()
    of_cells = masked(MaskRule(Otsu()), heatmap, picture)[0].repeat_interleave(CELL, 0).repeat_interleave(CELL, 1)
    of_edges = masked(EDGES, heatmap, picture)[0]
    assert of_edges.shape == (96, 96)
    assert iou(of_cells, inside) < 0.88
    assert (of_edges & inside).sum() == inside.sum()  # with the pixels of its edge
    assert iou(of_edges, disc(96, 45, 51, 18)) > 0.98


def test_grows_in_cells():
    picture, _, heatmap = scene()
    plain = masked(EDGES, heatmap, picture)[0]
    larger = masked(MaskRule(Otsu(), reach=4, grow=1), heatmap, picture)[0]
    rows = plain.any(1).nonzero().flatten()
    grown_rows = larger.any(1).nonzero().flatten()
    assert rows[0] - grown_rows[0] == CELL and grown_rows[-1] - rows[-1] == CELL


def test_each_picture_follows_its_own():
    scenes = [scene(row=row) for row in (30.0, 60.0)]
    pictures = torch.cat([picture for picture, _, _ in scenes])
    heatmap = Heatmap(torch.cat([heat.values for _, _, heat in scenes], dim=1), CELL)
    together = EDGES.prepared(heatmap, pictures).values
    assert together.shape == (1, 2, 96, 96)
    for i, (picture, _, heat) in enumerate(scenes):
        assert torch.equal(together[:, i], EDGES.prepared(heat, picture).values[:, 0])


def test_each_frame_of_a_video_follows_the_first_picture_that_it_covers():
    scenes = [scene(row=row) for row in (30.0, 60.0)]
    heat = torch.stack([heat.values for _, _, heat in scenes], dim=2)  # one clip of two latent frames
    clip = torch.cat([scenes[0][0], *[scenes[1][0]] * 4])
    prepared = EDGES.prepared(Heatmap(heat, CELL, cell_frames=4), clip)
    assert prepared.values.shape == (1, 1, 2, 96, 96)
    for frame, (picture, _, alone) in enumerate(scenes):
        assert torch.equal(prepared.values[0, 0, frame], EDGES.prepared(alone, picture).values[0, 0])


def test_follows_a_picture_that_the_vae_crops():
    picture, _, heatmap = scene()
    wider = torch.nn.functional.pad(picture, (0, 0, 2, 3, 2, 3))
    assert torch.equal(EDGES.prepared(heatmap, wider).values, EDGES.prepared(heatmap, picture).values)


def test_values_stay_differences():
    picture, _, heatmap = scene()
    assert EDGES.prepared(heatmap, picture).values.min() >= 0


@pytest.mark.parametrize("picture", [torch.rand(1, 64, 96, 3), torch.rand(1, 192, 192, 3)])
def test_refuses_a_picture_of_another_size(picture):
    _, _, heatmap = scene()
    with pytest.raises(ValueError, match="picture is .*but that of latent is 96 x 96.*outline to cells"):
        EDGES.prepared(heatmap, picture)


def test_refuses_edges_without_a_picture():
    _, _, heatmap = scene()
    with pytest.raises(ValueError, match="picture is not connected; connect it, or set outline to cells"):
        EDGES.prepared(heatmap)


def test_needs_no_picture_for_cells():
    _, _, heatmap = scene()
    assert torch.equal(MaskRule(Level()).prepared(heatmap).values, heatmap.values)
