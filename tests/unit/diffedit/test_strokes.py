"""What strokes do to a mask, and which texts are strokes."""

import numpy as np
import pytest
import torch
from time_diffedit.diffedit_core.mask.heatmap import Heatmap
from time_diffedit.diffedit_core.mask.mask_rule import Area, MaskRule
from time_diffedit.diffedit_core.mask.strokes import UNIT, Stroke, covered, parse_strokes, touched_up


def drawn(*rows: str) -> torch.Tensor:
    return torch.tensor([[float(cell == "#") for cell in row] for row in rows])[None]


def after(mask: torch.Tensor, text: str, heat: torch.Tensor | None = None) -> torch.Tensor:
    return touched_up(mask, torch.zeros_like(mask) if heat is None else heat, parse_strokes(text))


def test_a_text_is_strokes_in_order():
    found = parse_strokes("paint 1 300 0,0 10000,5000; erase 2.5 10000 1,2;add 3 7,8 ;  remove 1.1 0,10000")
    assert found == (
        Stroke("paint", 0, None, 300, ((0, 0), (10000, 5000))),
        Stroke("erase", 1, 4, 10000, ((1, 2),)),
        Stroke("add", 2, None, 0, ((7, 8),)),
        Stroke("remove", 0, 0, 0, ((0, 10000),)),
    )
    assert parse_strokes("") == parse_strokes("  ") == ()


@pytest.mark.parametrize(
    "text",
    [
        "a rose",
        ";",
        "add 1 5,5;",
        "paint 1 5,5",
        "paint 0 5 5,5",
        "paint 1.0 5 5,5",
        "paint 1 0 5,5",
        "paint 1 5 5,5 5",
        "paint 1 5",
        "paint 1 5 -5,5",
        "paint 1 5 5.5,5",
        "paint 1 5 10001,5",
        "paint 1 10001 5,5",
        "add 1 5 5,5",
        "add 1 5,5 6,6",
        "Paint 1 5 5,5",
        "paint 1 5\n5,5",
        "paint ١ 5 5,5",
        "paint 1 5  5,5",
        "[" * 5000,
    ],
)
def test_what_is_no_stroke_is_refused_by_name(text):
    with pytest.raises(ValueError, match=r"^strokes: number \d.*empty the input") as refused:
        parse_strokes("add 1 1,1; " + text)
    assert len(str(refused.value)) < 400


def test_a_stroke_on_what_is_not_there_is_refused():
    mask = torch.zeros(2, 4, 4)
    with pytest.raises(ValueError, match="strokes: number 2 was drawn on picture 3 of 2"):
        after(mask, "add 2 1,1; add 3 1,1")
    with pytest.raises(ValueError, match="strokes: number 1 was drawn on frame 2 of 1"):
        after(mask, "add 1.2 1,1")
    with pytest.raises(ValueError, match="picture 2 of 1"):
        MaskRule(strokes="add 2 1,1").require_places(1)


def test_a_brush_covers_a_round_way():
    assert after(drawn(*["......."] * 5), "paint 1 1500 1500,5000 8500,5000").int().tolist()[0] == [
        [0, 0, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1, 1, 1],
        [0, 1, 1, 1, 1, 1, 0],
        [0, 0, 0, 0, 0, 0, 0],
    ]


def test_the_smallest_brush_covers_the_cell_that_it_is_in():
    random = np.random.RandomState(0)
    for x, y in [(0, 0), (UNIT, UNIT), (0, UNIT), *random.randint(0, UNIT + 1, (200, 2)).tolist()]:
        found = covered(Stroke("paint", 0, None, 1, ((x, y),)), 7, 5)
        assert found[min(6, y * 7 // UNIT), min(4, x * 5 // UNIT)] and found.sum() <= 4


def test_a_brush_is_as_large_on_cells_as_on_pixels():
    stroke = Stroke("paint", 0, None, 900, ((2000, 3000), (7000, 3500), (7500, 9000)))
    cells, pixels = covered(stroke, 48, 64), covered(stroke, 480, 640)
    assert abs(cells.mean() - pixels.mean()) < 0.01
    assert (pixels[5::10, 5::10] != cells).mean() < 0.02


def test_the_last_stroke_wins():
    mask = torch.zeros(1, 8, 8)
    paint, erase = "paint 1 3000 5000,5000", "erase 1 1000 5000,5000"
    both = after(mask, f"{paint}; {erase}")
    assert torch.equal(after(mask, f"{erase}; {paint}"), after(mask, paint))
    assert 0 < both.sum() < after(mask, paint).sum() and both[0, 4, 4] == 0
    assert mask.sum() == 0, "what is given stays"


def test_remove_takes_the_connected_area_away():
    mask = drawn("##..#", "##..#", "..#..", "#.#.#")
    assert torch.equal(after(mask, "remove 1 1000,1000"), drawn("....#", "....#", "..#..", "#.#.#"))
    assert torch.equal(after(mask, "remove 1 5000,8000"), drawn("##..#", "##..#", ".....", "#...#"))
    assert torch.equal(after(mask, "remove 1 5000,1000"), mask), "where nothing is masked there is nothing to remove"
    joined = after(mask, "paint 1 1 5000,3500; remove 1 1000,1000")
    assert torch.equal(joined, drawn("....#", "....#", ".....", "#...#")), "as the mask is by then"


def test_add_takes_what_is_half_as_hot_and_connected():
    heat = torch.tensor([[8.0, 4, 3.9, 8], [1, 5, 1, 1], [4, 1, 7, 3]])[None]
    assert torch.equal(after(drawn("....", "....", "...#"), "add 1 1000,1000", heat), drawn("##..", ".#..", "...#"))
    assert torch.equal(after(drawn("....", "....", "...."), "add 1 10000,10000", heat), drawn("....", "....", "..##"))


def test_a_stroke_is_of_its_picture_and_frame():
    mask = torch.zeros(2, 3, 4, 4)
    found = after(mask, "paint 2.3 2000 5000,5000").flatten(2).sum(-1) > 0
    assert found.tolist() == [[False] * 3, [False, False, True]]
    assert (after(mask, "paint 2 2000 5000,5000").flatten(2).sum(-1) > 0).tolist() == [[False] * 3, [True] * 3]
    heat = torch.ones(2, 3, 4, 4)
    heat[0, 1, :, 2:] = 0.1
    assert after(mask, "add 1 0,0", heat)[0].flatten(1).sum(-1).tolist() == [16, 8, 16], "each frame by itself"


def test_strokes_come_after_everything_else():
    heatmap = Heatmap(torch.rand(2, 1, 9, 9, generator=torch.Generator().manual_seed(1)))
    rule = MaskRule(Area(20.0), grow=2, fill_holes=True)
    hole = MaskRule(Area(20.0), grow=2, fill_holes=True, strokes="erase 1 1500 5000,5000").masked(heatmap)[1]
    plain = rule.masked(heatmap)[1]
    brush = torch.from_numpy(covered(parse_strokes("erase 1 1500 5000,5000")[0], 9, 9))
    assert plain[0][brush].any() and torch.equal(hole[0], plain[0] * ~brush)


def test_areas_of_several_pairs_are_those_of_the_hottest():
    values = torch.full((2, 1, 4, 4), 0.1)
    values[0, 0, 0, :2] = 50.0  # a pair that differs more everywhere
    values[1, 0, 3, 2:] = 0.5
    rule = MaskRule(Area(1.0), strokes="remove 1 0,0; add 1 9999,9999")
    assert torch.equal(rule.masked(Heatmap(values))[1], drawn("....", "....", "....", "..##"))
