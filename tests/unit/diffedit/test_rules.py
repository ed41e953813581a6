"""From heat maps to masked cells."""

import math

import pytest
import torch
from scipy import ndimage
from time_diffedit.diffedit_core.mask import rules
from time_diffedit.diffedit_core.mask.cell_shapes import filled, grown, smoothed
from time_diffedit.diffedit_core.mask.heatmap import Heatmap
from time_diffedit.diffedit_core.mask.mask_rule import RULES, Area, Level, MaskRule, MeanRatio, Otsu, Paper


def values(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def spot(share: float, spread: float, size: int = 64, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A heat map (1, size, size) of log-normal background around 0.1 with a disc of this share around 1, and the disc."""
    generator = torch.Generator().manual_seed(seed)
    place = torch.arange(size) - size / 2
    disc = place[:, None] ** 2 + place[None] ** 2 <= share * size**2 / math.pi
    background = 0.1 * torch.exp(spread * torch.randn(size, size, generator=generator))
    changed = torch.exp(0.25 * torch.randn(size, size, generator=generator))
    return torch.where(disc, changed, background)[None], disc


def iou(cells: torch.Tensor, truth: torch.Tensor) -> float:
    masked = cells[0] > 0
    return float((masked & truth).sum() / (masked | truth).sum())


CALLS = {
    "mean ratio": lambda v: rules.mean_ratio(v, 3.0, 0.5),
    "paper": lambda v: rules.paper(v, 2.0, 0.5),
    "level": lambda v: rules.level(v, 0.3),
    "otsu": lambda v: rules.otsu(v, 0.5),
    "area": lambda v: rules.area(v, 20.0),
}


@pytest.mark.parametrize("name", RULES)
class TestEveryRule:
    def test_judges_each_picture_by_itself(self, name):
        heat = torch.cat([values(1, 16, 16) ** 3, 1000 * values(1, 16, 16, seed=1), 0.5 * values(1, 16, 16, seed=2)])
        together = CALLS[name](heat)
        for i in range(3):
            alone = CALLS[name](heat[i : i + 1])
            assert all(torch.equal(a[i : i + 1], b) for a, b in zip(together, alone, strict=True))

    def test_takes_all_frames_of_a_clip_for_one_picture(self, name):
        clip = values(2, 3, 8, 8)
        seen, cells = CALLS[name](clip)
        as_picture = CALLS[name](clip.reshape(2, 24, 8))
        assert seen.shape == cells.shape == clip.shape
        assert torch.equal(cells.reshape(2, 24, 8), as_picture[1]) and torch.equal(seen.reshape(2, 24, 8), as_picture[0])

    def test_masks_from_some_heat_up_and_shows_0_to_1(self, name):
        heat = values(1, 16, 16) ** 3
        seen, cells = CALLS[name](heat)
        assert seen.dtype == cells.dtype == torch.float32
        assert 0 < cells.mean() < 1 and set(cells.unique().tolist()) == {0.0, 1.0}
        assert heat[cells > 0].min() > heat[cells == 0].max()
        assert seen.min() >= 0 and seen.max() <= 1
        assert (seen.flatten()[heat.flatten().argsort()].diff() >= 0).all()

    def test_the_unit_of_heat_matters_to_a_level_only(self, name):
        heat = values(1, 16, 16)
        assert torch.equal(CALLS[name](heat)[1], CALLS[name](heat / 4)[1]) == (name != "level")


class TestMeanRatio:
    def test_is_the_rule_of_diffusers_for_one_picture(self):
        heat = values(1, 16, 16) ** 3
        # StableDiffusionDiffEditPipeline.generate_mask, step 8
        clamp_magnitude = heat.mean() * 3.0
        semantic = heat.clamp(0, clamp_magnitude) / clamp_magnitude
        seen, cells = rules.mean_ratio(heat, 3.0, 0.5)
        assert torch.equal(cells, torch.where(semantic <= 0.5, 0.0, 1.0))
        assert torch.equal(cells, (heat > 1.5 * heat.mean()).float())
        assert torch.allclose(seen, semantic)

    def test_more_ratio_or_threshold_never_masks_more(self):
        heat = values(1, 16, 16) ** 3
        areas = [float(rules.mean_ratio(heat, r, 0.5)[1].mean()) for r in (0.5, 1, 2, 3, 5)]
        assert areas == sorted(areas, reverse=True) and areas[0] > areas[-1]
        areas = [float(rules.mean_ratio(heat, 3.0, t)[1].mean()) for t in (0, 0.2, 0.5, 0.8, 1)]
        assert areas == sorted(areas, reverse=True) and areas[0] == 1


class TestPaper:
    def test_without_outliers_is_between_minimum_and_maximum(self):
        heat = torch.tensor([[[1.0, 2.0, 2.9, 3.0, 3.1, 5.0]]])
        seen, cells = rules.paper(heat, 0.0, 0.5)
        assert torch.allclose(seen, (heat - 1) / 4)
        assert cells[0, 0].tolist() == [0, 0, 0, 1, 1, 1]

    def test_cuts_off_the_hottest_cells(self):
        heat = torch.linspace(0, 1, 101)[None, None].clone()
        plain = rules.paper(heat, 1.0, 0.5)[1]
        heat[..., -1] = 1000
        assert torch.equal(rules.paper(heat, 1.0, 0.5)[1], plain)
        assert rules.paper(heat, 0.0, 0.5)[1].sum() == 1

    def test_of_an_even_heat_map_nothing_is_chosen(self):
        assert rules.paper(torch.ones(1, 4, 4), 2.0, 0.5)[1].sum() == 0


class TestLevel:
    def test_is_the_difference_itself(self):
        heat = torch.tensor([[[0.1, 0.3, 0.5, 2.0]]])
        seen, cells = rules.level(heat, 0.5)
        assert cells[0, 0].tolist() == [0, 0, 1, 1]
        assert torch.allclose(seen, torch.tensor([[[0.1, 0.3, 0.5, 1.0]]]))


class TestArea:
    @pytest.mark.parametrize("percent, cells", [(0.1, 1), (1.0, 1), (1.6, 2), (20.0, 20), (33.3, 33), (100.0, 100)])
    def test_is_exact_to_a_cell(self, percent, cells):
        heat = values(2, 10, 10)
        masked = rules.area(heat, percent)[1]
        assert masked.flatten(1).sum(1).tolist() == [cells, cells]
        for i in range(2):
            hottest = heat[i].flatten().topk(cells).values.min()
            assert (heat[i][masked[i] > 0] >= hottest).all()

    def test_of_equal_cells_takes_the_first(self):
        assert rules.area(torch.ones(1, 2, 4), 37.5)[1].flatten().tolist() == [1, 1, 1, 0, 0, 0, 0, 0]


class TestOtsu:
    @pytest.mark.parametrize("seed", range(5))
    def test_is_the_best_of_all_splits(self, seed):
        """Against a search over every value, by the definition: least variance within the two groups."""
        heat = values(1, 12, 12, seed=seed) ** 2
        flat = heat.flatten().double()

        def within(threshold):
            upper, lower = flat[flat >= threshold], flat[flat < threshold]
            return len(upper) * upper.var(unbiased=False) + len(lower) * lower.var(unbiased=False)

        best = min(sorted(flat.tolist())[1:], key=within)
        assert torch.equal(rules.otsu(heat, 0.0)[1], (heat >= best).float())

    @pytest.mark.parametrize("share", [0.02, 0.14, 0.5, 0.75])
    def test_finds_small_and_large_areas_where_the_mean_cannot(self, share):
        heat, disc = spot(share, spread=0.3)
        assert iou(rules.otsu(heat, 0.5)[1], disc) > 0.95
        if share > 0.7:
            assert iou(rules.mean_ratio(heat, 3.0, 0.5)[1], disc) < 0.5

    def test_a_very_small_region_is_found_before_a_wide_background(self):
        plain, ours = [], []
        for seed in range(6):
            heat, disc = spot(0.004, spread=0.6, seed=seed)
            ascending = heat.flatten().double().sort().values
            plain.append(iou((heat >= ascending[-rules._upper_group(ascending, 20)]).float(), disc))
            ours.append(iou(rules.otsu(heat, 0.5)[1], disc))
        assert min(plain) < 0.1 and min(ours) > 0.4
        assert sum(ours) > 2 * sum(plain)

    def test_what_is_scattered_all_over_stays_the_first_split(self):
        noise = torch.exp(0.6 * torch.randn(1, 32, 32, generator=torch.Generator().manual_seed(0)))
        ascending = noise.flatten().double().sort().values
        assert rules.otsu(noise, 0.5)[1].sum() == rules._upper_group(ascending, 5)

    def test_coherence_is_0_by_chance_and_1_for_a_region(self):
        scattered = torch.rand(64, 64, generator=torch.Generator().manual_seed(0)) < 0.3
        assert abs(rules._coherence(scattered)) < 0.06
        square = torch.zeros(2, 64, 64, dtype=torch.bool)
        square[:, 16:48, 16:48] = True
        assert 0.93 < rules._coherence(square) < 1
        assert rules._coherence(torch.ones(4, 4, dtype=torch.bool)) == 1

    def test_the_floor_keeps_single_cells_from_making_a_mask(self):
        heat, disc = spot(0.14, spread=0.3)
        heat[0, 0, 0] = 30.0
        assert rules.otsu(heat, 0.0)[1].sum() == 1
        assert iou(rules.otsu(heat, 0.5)[1], disc) > 0.9

    @pytest.mark.parametrize("floor", [0.0, 1.0, 20.0, 60.0])
    def test_masks_at_least_the_floor(self, floor):
        heat, _ = spot(0.02, spread=0.6)
        assert rules.otsu(heat, floor)[1].sum() >= round(heat.numel() * floor / 100)

    def test_an_even_heat_map_is_one_group(self):
        assert rules.otsu(torch.ones(1, 4, 4), 0.5)[1].sum() == 16


class TestCellShapes:
    def test_smoothing_is_a_gaussian_frame_by_frame(self):
        heat = values(1, 2, 3, 9, 7)
        expected = torch.tensor(ndimage.gaussian_filter(heat.numpy(), (0, 0, 0, 1.3, 1.3), mode="nearest"))
        assert torch.allclose(smoothed(heat, 1.3), expected, atol=1e-6)
        assert smoothed(heat, 0.0) is heat
        assert torch.allclose(smoothed(torch.full((1, 5, 5), 0.3), 2.0), torch.full((1, 5, 5), 0.3))

    def test_growing_is_in_circles(self):
        mask = torch.zeros(1, 9, 9)
        mask[0, 4, 4] = 1
        away = (torch.arange(9) - 4) ** 2
        for cells in (1, 2, 3):
            assert torch.equal(grown(mask, cells)[0], (away[:, None] + away[None] <= cells**2).float())
        assert grown(mask, 0) is mask

    def test_shrinking_undoes_growing_and_spares_the_edge_of_the_picture(self):
        mask = torch.zeros(1, 12, 12)
        mask[0, 4:8, 4:8] = 1
        assert torch.equal(grown(grown(mask, 2), -2), mask)
        half = torch.zeros(1, 6, 6)
        half[0, :3] = 1
        assert grown(half, -1)[0].sum(1).tolist() == [6, 6, 0, 0, 0, 0]
        assert grown(half, -9).sum() == 0

    @pytest.mark.parametrize("cells", [-3, 3])
    def test_full_and_empty_masks_stay(self, cells):
        mask = torch.stack([torch.zeros(4, 4), torch.ones(4, 4)])
        assert torch.equal(grown(mask, cells), mask)

    def test_holes_are_filled_but_bays_are_not(self):
        mask = torch.zeros(2, 7, 7)
        mask[:, 1:6, 1:6] = 1
        mask[:, 2:5, 2:5] = 0
        mask[1, 3, 5] = 0
        result = filled(mask)
        assert result[0].sum() == 25 and result.dtype == mask.dtype
        assert torch.equal(result[1], mask[1])


class TestMaskRule:
    HEAT = Heatmap(values(1, 2, 8, 8) ** 3)

    @pytest.mark.parametrize(
        "rule, direct",
        [
            (MaskRule(), lambda v: rules.mean_ratio(v, 3.0, 0.5)),
            (MaskRule(MeanRatio(2.0, 0.3)), lambda v: rules.mean_ratio(v, 2.0, 0.3)),
            (MaskRule(Paper(threshold=0.3, outliers=5.0)), lambda v: rules.paper(v, 5.0, 0.3)),
            (MaskRule(Level(0.2)), lambda v: rules.level(v, 0.2)),
            (MaskRule(Otsu(9.0)), lambda v: rules.otsu(v, 9.0)),
            (MaskRule(Area(33.0)), lambda v: rules.area(v, 33.0)),
            (MaskRule(smooth=1.0), lambda v: rules.mean_ratio(smoothed(v, 1.0), 3.0, 0.5)),
        ],
    )
    def test_hands_each_rule_its_settings(self, rule, direct):
        seen, cells = rule.masked(rule.prepared(self.HEAT))
        expected = direct(self.HEAT.values[0])
        assert torch.equal(seen[0], expected[0]) and torch.equal(cells, expected[1])

    def test_grows_before_it_fills(self):
        heat = torch.zeros(1, 1, 9, 9)
        heat[..., 2:7, 2:7] = 1
        heat[..., 4, 4] = 0
        heat[..., 2, 4] = heat[..., 3, 4] = 0  # a bay that growing closes only in part
        plain = MaskRule(Level(0.5)).masked(Heatmap(heat))[1]
        grown_only = MaskRule(Level(0.5), grow=1).masked(Heatmap(heat))[1]
        assert torch.equal(grown_only, grown(plain, 1))
        both = MaskRule(Level(0.5), grow=1, fill_holes=True).masked(Heatmap(heat))[1]
        assert torch.equal(both, filled(grown(plain, 1)))

    def test_pairs_unite_each_by_its_own_statistics(self):
        left, right = torch.full((2, 1, 1, 8, 8), 0.01)
        left[..., 1] = 1.0
        right[..., 6] = 0.05  # invisible in a common scale
        seen, cells = MaskRule().masked(Heatmap(torch.cat([left, right])))
        assert seen.shape == (2, 1, 8, 8)
        assert cells[0, 0].tolist() == [0, 1, 0, 0, 0, 0, 1, 0]
        assert MaskRule().masked(Heatmap(left))[1][0, 0].tolist() == [0, 1, 0, 0, 0, 0, 0, 0]

    @pytest.mark.parametrize("name", RULES)
    def test_no_difference_at_all_is_an_error(self, name):
        heat = torch.stack([values(4, 4), torch.zeros(4, 4)])
        with pytest.raises(ValueError, match="everywhere in picture 1, so .*change target or source"):
            MaskRule(RULES[name]()).prepared(Heatmap(heat[None]))
        with pytest.raises(ValueError, match=r"in picture 1 \(pair 1 of 2\)"):
            MaskRule(RULES[name]()).prepared(Heatmap(torch.stack([values(2, 4, 4), heat])))
