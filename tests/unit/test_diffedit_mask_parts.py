"""Noises, heat maps, thresholds and mask sizes."""

import pytest
import torch
from time_diffedit.diffedit_core.conditioning import require_one_prompt, same_conditioning
from time_diffedit.diffedit_core.heatmap import noise_difference
from time_diffedit.diffedit_core.masks import to_latent_size, to_picture_size
from time_diffedit.diffedit_core.noise import picture_noise
from time_diffedit.diffedit_core.threshold import masked_cells, rescale


def values(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


class TestNoise:
    def test_depends_on_seed_picture_and_map_only(self):
        state = torch.get_rng_state()
        noise = picture_noise(5, 2, 1, (4, 8, 8))
        assert torch.equal(noise, picture_noise(5, 2, 1, (4, 8, 8)))
        assert torch.equal(torch.get_rng_state(), state)
        others = [picture_noise(*key, (4, 8, 8)) for key in [(6, 2, 1), (5, 3, 1), (5, 2, 2), (5, 1, 2), (2**64 - 1, 2, 1)]]
        assert all(not torch.equal(noise, other) for other in others)

    def test_is_standard_normal(self):
        noise = torch.stack([picture_noise(0, p, m, (4, 32, 32)) for p in range(3) for m in range(3)])
        assert abs(float(noise.mean())) < 0.02 and abs(float(noise.std()) - 1) < 0.02
        correlation = torch.corrcoef(noise.flatten(1)) - torch.eye(9)
        assert float(correlation.abs().max()) < 0.08


class TestHeatmap:
    def test_is_the_mean_difference_of_the_noise_predictions(self):
        x, target, source = values(2, 4, 3, 5, seed=1), values(2, 4, 3, 5, seed=2), values(2, 4, 3, 5, seed=3)
        eps_target, eps_source = (x - target) / 1.5, (x - source) / 1.5
        expected = (eps_target - eps_source).abs().mean(dim=1)
        assert torch.allclose(noise_difference(target, source, 1.5), expected, atol=1e-6)

    def test_does_not_care_which_prompt_is_which(self):
        a, b = values(1, 4, 3, 5, seed=2), values(1, 4, 3, 5, seed=3)
        assert torch.equal(noise_difference(a, b, 1.5), noise_difference(b, a, 1.5))


class TestThreshold:
    def test_is_the_rule_of_diffusers_for_one_picture(self):
        heat = values(1, 16, 16) ** 3
        # StableDiffusionDiffEditPipeline.generate_mask, step 8
        clamp_magnitude = heat.mean() * 3.0
        semantic = heat.clamp(0, clamp_magnitude) / clamp_magnitude
        mask = masked_cells(rescale(heat, 3.0), 0.5)
        assert torch.equal(mask, torch.where(semantic <= 0.5, 0.0, 1.0))
        assert torch.equal(mask, (heat > 1.5 * heat.mean()).float())

    def test_pictures_of_a_batch_do_not_influence_each_other(self):
        heat = torch.cat([values(1, 16, 16), 1000 * values(1, 16, 16, seed=1)])
        both = rescale(heat, 3.0)
        assert all(torch.equal(both[i : i + 1], rescale(heat[i : i + 1], 3.0)) for i in range(2))
        assert masked_cells(both, 0.5)[0].any()

    def test_scale_does_not_matter(self):
        heat = values(1, 16, 16)
        assert torch.equal(rescale(heat, 3.0), rescale(heat * 4, 3.0))

    def test_more_ratio_or_threshold_never_masks_more(self):
        heat = values(1, 16, 16) ** 3
        areas = [float(masked_cells(rescale(heat, r), 0.5).mean()) for r in (0.5, 1, 2, 3, 5)]
        assert areas == sorted(areas, reverse=True) and areas[0] > areas[-1]
        areas = [float(masked_cells(rescale(heat, 3.0), t).mean()) for t in (0, 0.2, 0.5, 0.8, 1)]
        assert areas == sorted(areas, reverse=True) and areas[0] == 1

    def test_no_difference_at_all_is_an_error(self):
        heat = torch.stack([values(4, 4), torch.zeros(4, 4)])
        with pytest.raises(ValueError, match="picture 1.*change target or source"):
            rescale(heat, 3.0)


class TestMaskSizes:
    def test_a_mask_from_cells_comes_back_exactly(self):
        cells = values(3, 5, 7)
        picture = to_picture_size(cells, 8)
        assert picture.shape == (3, 40, 56)
        assert torch.equal(to_latent_size(picture, (3, 4, 5, 7), 8)[:, 0], cells)

    def test_cells_get_the_mean_of_their_pixels(self):
        mask = values(1, 64, 64)
        expected = torch.nn.functional.avg_pool2d(mask[None], 8)
        assert torch.allclose(to_latent_size(mask, (1, 4, 8, 8), 8), expected, atol=1e-6)

    def test_a_thin_line_does_not_vanish_and_the_rest_stays_zero(self):
        mask = torch.zeros(1, 100, 150)
        mask[0, 37] = 1
        cells = to_latent_size(mask, (1, 4, 8, 8), 8)[0, 0]
        # a cell is 12.5 rows high, so this row is shared by the third and the fourth
        assert cells.count_nonzero() == 16 and (cells[2:4] > 0).all()
        assert float(cells.sum()) == pytest.approx(8 * 8 / 100)

    def test_a_row_that_straddles_two_cells_is_shared(self):
        mask = torch.zeros(1, 3, 2)
        mask[0, 1] = 1
        assert to_latent_size(mask, (1, 4, 2, 2), 8)[0, 0].tolist() == [[pytest.approx(1 / 3)] * 2] * 2

    def test_a_small_mask_is_enlarged(self):
        mask = torch.tensor([[[0.0, 1.0], [0.25, 0.0]]])
        assert torch.equal(to_latent_size(mask, (1, 4, 4, 4), 8)[0], to_picture_size(mask, 2))

    def test_full_and_empty_masks_stay_full_and_empty_at_any_size(self):
        for size in ((37, 91), (3, 5), (64, 7)):
            assert (to_latent_size(torch.ones(1, *size), (1, 4, 9, 11), 8) == 1).all()
            assert (to_latent_size(torch.zeros(1, *size), (1, 4, 9, 11), 8) == 0).all()

    def test_is_cropped_as_vae_encode_crops_the_picture(self):
        import comfy.sd

        pixels = torch.arange(69.0)[None, :, None, None].expand(1, 69, 64, 3) / 69
        vae = type("Crop", (), {"crop_input": True, "spacial_compression_encode": lambda self: 8, "output_channels": 3})()
        kept = comfy.sd.VAE.vae_encode_crop_pixels(vae, pixels)[..., 0]
        assert torch.equal(to_latent_size(pixels[..., 0], (1, 4, 8, 8), 8), to_latent_size(kept, (1, 4, 8, 8), 8))

    def test_one_mask_serves_a_batch_in_any_number_of_dimensions(self):
        mask = values(16, 16)
        expected = to_latent_size(mask, (3, 4, 2, 2), 8)
        assert expected.shape == (1, 1, 2, 2)
        assert torch.equal(expected, to_latent_size(mask[None], (3, 4, 2, 2), 8))
        assert torch.equal(expected, to_latent_size(mask[None, None], (3, 4, 2, 2), 8))

    @pytest.mark.parametrize(
        "mask, message",
        [
            (torch.full((1, 8, 8), float("nan")), "not finite"),
            (torch.full((1, 8, 8), 255.0), "from 255 to 255; they must lie in 0 to 1"),
            (torch.full((1, 8, 8), -0.1), "-0.1"),
            (torch.zeros(2, 8, 8), r"2 masks for 3 picture\(s\)"),
            (torch.zeros(8), r"shape \(8,\)"),
            (torch.zeros(0, 8, 8), r"shape \(0, 8, 8\)"),
            (torch.zeros(1, 3, 8, 8), r"shape \(1, 3, 8, 8\)"),
        ],
    )
    def test_other_masks_are_refused(self, mask, message):
        with pytest.raises(ValueError, match=f"^mask .*{message}"):
            to_latent_size(mask, (3, 4, 2, 2), 8)


class TestConditioning:
    def test_is_compared_by_value(self):
        a = [[values(1, 7, 8), {"pooled_output": values(1, 4), "start_percent": 0.1, "list": [1, (2, "x")]}]]
        b = [[a[0][0].clone(), {**a[0][1], "pooled_output": a[0][1]["pooled_output"].clone()}]]
        assert same_conditioning(a, a) and same_conditioning(a, b)

    @pytest.mark.parametrize(
        "key, other",
        [("pooled_output", values(1, 4, seed=9)), ("start_percent", 0.2), ("control", object()), ("list", None)],
    )
    def test_any_difference_counts(self, key, other):
        options = {"pooled_output": values(1, 4), "start_percent": 0.1, "control": object(), "list": [1]}
        embedding = values(1, 7, 8)
        assert not same_conditioning([[embedding, options]], [[embedding, {**options, key: other}]])
        assert not same_conditioning([[embedding, options]], [[embedding, {k: v for k, v in options.items() if k != key}]])
        assert not same_conditioning([[embedding, options]], [[embedding, options], [embedding, options]])
        assert not same_conditioning([[embedding, options]], [[values(1, 14, 8), options]])

    def test_one_row_a_picture_is_refused(self):
        require_one_prompt([[values(1, 7, 8), {"mask": values(1, 8, 8)}]], "target")
        with pytest.raises(ValueError, match="target has 2 rows"):
            require_one_prompt([[values(2, 7, 8), {}]], "target")
        with pytest.raises(ValueError, match="source has 3 rows"):
            require_one_prompt([[values(1, 7, 8), {"mask": values(3, 8, 8)}]], "source")
