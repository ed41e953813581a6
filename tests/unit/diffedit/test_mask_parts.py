"""Noises, heat maps, their colours, and mask sizes."""

import pytest
import torch
from comfy_extras.nodes_post_processing import Blur
from time_diffedit.diffedit_core.mask.heat_colours import heat_colours
from time_diffedit.diffedit_core.mask.heatmap import Heatmap, noise_difference
from time_diffedit.diffedit_core.mask.masks import checked, to_latent_size, to_picture_size
from time_diffedit.diffedit_core.model.conditioning import require_one_prompt, same_conditioning
from time_diffedit.diffedit_core.model.noise import picture_noise


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

    def test_of_a_video_has_a_value_for_each_frame(self):
        target, source = values(2, 4, 3, 5, 6, seed=2), values(2, 4, 3, 5, 6, seed=3)
        frames = [noise_difference(target[:, :, i], source[:, :, i], 0.5) for i in range(3)]
        assert torch.allclose(noise_difference(target, source, 0.5), torch.stack(frames, dim=1))

    def test_pairs_are_collected_in_order(self):
        first, second = Heatmap(values(2, 1, 4, 4)), Heatmap(values(1, 1, 4, 4, seed=1))
        assert torch.equal(second.and_of(first).values, torch.cat([first.values, second.values]))
        assert len(first.values) == 2 and len(second.values) == 1

    @pytest.mark.parametrize(
        "other, message",
        [
            (Heatmap(values(1, 2, 4, 4)), "heatmap is of 2 picture.* 4 x 4 .*latent is of 1 picture"),
            (Heatmap(values(1, 1, 4, 5)), "heatmap is of 1 picture.* 4 x 5 cells of 8 pixels"),
            (Heatmap(values(1, 1, 4, 4), cell=16), "cells of 16 pixels"),
            (Heatmap(values(1, 1, 3, 4, 4)), "3 x 4 x 4"),
        ],
    )
    def test_pairs_of_other_pictures_are_refused(self, other, message):
        with pytest.raises(ValueError, match=message):
            Heatmap(values(1, 1, 4, 4)).and_of(other)


class TestHeatColours:
    def test_get_evenly_lighter(self):
        colours = heat_colours(torch.linspace(0, 1, 256))
        assert colours.shape == (256, 3) and colours.dtype == torch.float32
        assert colours.min() >= 0 and colours.max() <= 1
        # CIE 1931 lightness of the colours that come out, not the formula that made them
        linear = torch.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
        luminance = linear @ torch.tensor([0.2126, 0.7152, 0.0722])
        lightness = torch.where(luminance > 0.008856, 116 * luminance ** (1 / 3) - 16, 903.3 * luminance)
        rises = lightness.diff()
        assert rises.min() > 0
        assert lightness[0] < 10 and lightness[-1] > 90
        halves = lightness[128] - lightness[0], lightness[255] - lightness[128]
        assert 0.6 < float(halves[0] / halves[1]) < 1.6

    def test_keep_shape_and_take_what_lies_outside_as_the_end(self):
        assert heat_colours(torch.zeros(2, 3, 4)).shape == (2, 3, 4, 3)
        assert torch.equal(heat_colours(torch.tensor([-1.0, 5.0])), heat_colours(torch.tensor([0.0, 1.0])))


class TestMaskSizes:
    def test_a_mask_from_cells_comes_back_exactly(self):
        cells = values(3, 5, 7)
        picture = to_picture_size(cells, 8)
        assert picture.shape == (3, 40, 56)
        assert torch.equal(to_latent_size(picture, (3, 4, 5, 7), 8)[:, 0], cells)

    def test_cells_get_the_most_of_their_pixels(self):
        mask = values(1, 64, 64)
        expected = mask.unfold(1, 8, 8).unfold(2, 8, 8).amax((-1, -2))
        assert torch.equal(to_latent_size(mask, (1, 4, 8, 8), 8)[0], expected)

    def test_every_cell_that_a_thin_line_touches_and_no_other(self):
        mask = torch.zeros(1, 100, 150)
        mask[0, 37] = 1
        cells = to_latent_size(mask, (1, 4, 8, 8), 8)[0, 0]
        # a cell is 12.5 rows high, so this row is shared by the third and the fourth
        assert cells.sum() == 16 and (cells[2:4] == 1).all()

    def test_a_row_that_straddles_two_cells_is_of_both(self):
        mask = torch.zeros(1, 3, 2)
        mask[0, 1] = 1
        assert to_latent_size(mask, (1, 4, 2, 2), 8)[0, 0].tolist() == [[1, 1]] * 2

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

    def test_values_that_are_off_by_rounding_count_as_0_and_1(self):
        mask = torch.tensor([[[1.0000002, 0.5], [-0.0004, 1.0009]]])
        assert checked(mask).tolist() == [[[1.0, 0.5], [0.0, 1.0]]]
        for off, said in ((1.0011, "from 0 to 1.0011"), (-0.0011, "from -0.0011 to 0"), (255.0, "from 0 to 255")):
            with pytest.raises(ValueError, match=rf"mask has values {said}; they must lie in 0 to 1: clamp them, or divide"):
                checked(torch.tensor([[[0.0, off]]]))

    def test_a_mask_that_the_host_blurred_is_taken(self):
        picture = torch.zeros(1, 128, 128, 3)
        picture[:, 30:100, 30:100] = 1
        blurred = [Blur.execute(picture, radius, 2.0).result[0][..., 0] for radius in (1, 4, 8, 31)]
        assert max(float(mask.max()) for mask in blurred) > 1
        for mask in blurred:
            assert torch.equal(checked(mask), mask.clamp(0, 1))

    def test_fewer_masks_than_pictures_repeat_in_order(self):
        masks = values(2, 16, 16)
        found = to_latent_size(masks, (6, 4, 2, 2), 8)
        assert torch.equal(found, to_latent_size(masks[[0, 1, 0, 1, 0, 1]], (6, 4, 2, 2), 8))

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


class TestMaskSizesOfVideo:
    CLIPS, FRAMES, STEP = 2, 3, 4  # a latent frame covers 1, 4, 4 of 9 picture frames
    SHAPE = (CLIPS, 16, FRAMES, 5, 7)

    def latent(self, mask):
        return to_latent_size(mask, self.SHAPE, 8, self.STEP)

    def test_a_mask_from_cells_comes_back_exactly(self):
        cells = (values(2, 3, 5, 7) > 0.5).float()
        picture = to_picture_size(cells, 8, self.STEP)
        assert picture.shape == (2 * 9, 40, 56)
        assert torch.equal(self.latent(picture)[:, 0], cells)

    def test_each_latent_frame_is_shown_for_the_frames_it_covers(self):
        picture = to_picture_size(values(1, 3, 1, 1), 1, self.STEP).flatten()
        a, b, c = values(1, 3, 1, 1).flatten()
        assert picture.tolist() == [a, b, b, b, b, c, c, c, c]

    def test_a_latent_frame_gets_the_most_of_the_frames_it_covers(self):
        frames = torch.arange(9.0)[:, None, None].expand(9, 40, 56) / 8
        expected = torch.tensor([0.0, 4 / 8, 8 / 8])
        found = self.latent(frames)
        assert found.shape == (1, 1, 3, 5, 7)
        assert torch.allclose(found[0, 0, :, 2, 2], expected)

    def test_one_mask_serves_all_frames_of_all_clips(self):
        mask = values(1, 40, 56)
        frame = to_latent_size(mask, (2, 16, 5, 7), 8)
        assert torch.equal(self.latent(mask), frame[:, :, None].expand(1, 1, 3, 5, 7))

    def test_one_mask_a_clip(self):
        masks = values(2, 40, 56)
        found = self.latent(masks)
        assert found.shape == (2, 1, 3, 5, 7)
        assert all(torch.equal(found[i : i + 1], self.latent(masks[i])) for i in range(2))

    def test_one_mask_a_latent_frame_of_one_clip_or_of_each(self):
        masks = values(6, 40, 56)
        each = to_latent_size(masks, (6, 16, 5, 7), 8)[:, 0]
        assert torch.equal(self.latent(masks)[:, 0], each.unflatten(0, (2, 3)))
        assert torch.equal(self.latent(masks[:3])[:, 0], each[None, :3])

    def test_one_frame_is_a_picture(self):
        masks = values(2, 40, 56)
        shape = (2, 16, 1, 5, 7)
        assert torch.equal(to_latent_size(masks, shape, 8, 4)[:, :, 0], to_latent_size(masks, (2, 16, 5, 7), 8))
        assert torch.equal(to_picture_size(masks[:, None], 8, 4), to_picture_size(masks, 8))

    def test_fewer_masks_than_clips_repeat_in_order(self):
        masks = values(2, 40, 56)
        found = to_latent_size(masks, (4, 16, 3, 5, 7), 8, 4)
        assert torch.equal(found, to_latent_size(masks[[0, 1, 0, 1]], (4, 16, 3, 5, 7), 8, 4))

    @pytest.mark.parametrize("count", [4, 5, 7, 8, 10, 27])
    def test_numbers_that_fit_nothing_are_refused(self, count):
        with pytest.raises(ValueError, match=rf"mask holds {count} masks for 2 clip\(s\) of 9 frames \(3 in .*or 18, one for"):
            self.latent(torch.zeros(count, 8, 8))

    def test_a_number_that_fits_two_ways_is_refused(self):
        with pytest.raises(ValueError, match=r"mask holds 3 masks for 3 clip\(s\).*could be 1 or 3 for each clip"):
            to_latent_size(torch.zeros(3, 8, 8), (3, 16, 3, 5, 7), 8, 4)


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
