"""Which noise levels are visited."""

import comfy.model_sampling
import pytest
import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler
from time_diffedit.diffedit_core.inversion.schedule import ascending_sigmas, leading_sigmas, noise_sigma, steps_walked, up_to

TABLE = comfy.model_sampling.ModelSamplingDiscrete().sigmas
SD = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1)


@pytest.mark.parametrize("steps", [1, 7, 20, 30, 50, 333, 999])
def test_levels_are_diffusers_leading_timesteps(steps):
    scheduler = DDIMInverseScheduler(**SD)
    scheduler.set_timesteps(steps)
    sigmas = leading_sigmas(TABLE, steps, 1.0)
    assert sigmas[0] == 0
    assert torch.equal(sigmas[1:], TABLE[scheduler.timesteps])


def test_fifty_steps_at_strength_08_end_at_timestep_781():
    sigmas = leading_sigmas(TABLE, 50, 0.8)
    assert len(sigmas) == 41
    assert sigmas[-1] == TABLE[781]
    assert (sigmas[1:] > sigmas[:-1]).all()


@pytest.mark.parametrize(
    "steps, strength, expected",
    [(50, 0.8, 40), (100, 0.29, 29), (100, 0.57, 57), (100, 0.58, 58), (50, 0.29, 15), (50, 0.01, 1), (10, 0.04, 1)],
)
def test_strength_is_rounded_half_up_to_whole_steps(steps, strength, expected):
    assert steps_walked(steps, strength) == expected


def test_timesteps_that_the_table_lacks_are_refused():
    with pytest.raises(ValueError, match=r"steps is 1001, but the model has 1000 noise levels"):
        leading_sigmas(TABLE, 1001, 1.0)
    with pytest.raises(ValueError, match=r"steps 1000 at strength 1.0 needs timestep 1000.*lower steps or strength"):
        leading_sigmas(TABLE, 1000, 1.0)
    assert leading_sigmas(TABLE, 1000, 0.999)[-1] == TABLE[999]


@pytest.mark.parametrize("k", range(1, 51))
def test_noise_level_is_that_of_diffusers_at_fifty_steps(k):
    strength = round(0.02 * k, 2)
    scheduler = DDIMScheduler(**SD)
    scheduler.set_timesteps(50)
    # StableDiffusionDiffEditPipeline.get_timesteps, with its float truncation replaced by rounding.
    timestep = scheduler.timesteps[50 - round(50 * strength)]
    assert noise_sigma(TABLE, strength) == float(TABLE[timestep])


def test_noise_level_is_clamped_and_follows_the_length_of_the_table():
    assert noise_sigma(TABLE, 0.01) == float(TABLE[1])
    assert noise_sigma(TABLE[::2], 1.0) == float(TABLE[::2][490])


def test_a_sampling_schedule_is_turned_round():
    assert ascending_sigmas(torch.tensor([3.0, 1.0, 0.0]), 14.6).tolist() == [0.0, 1.0, 3.0]


@pytest.mark.parametrize(
    "sigmas, message",
    [
        ([[3.0, 0.0]], r"shape \(1, 2\)"),
        ([0.0], r"at least 2 noise levels"),
        ([float("nan"), 1.0, 0.0], "not finite"),
        ([3.0, 1.0], "ends in 1, not in 0"),
        ([1.0, 3.0, 0.0], "fall strictly"),
        ([1.0, 1.0, 0.0], "fall strictly"),
        ([20.0, 1.0, 0.0], "starts at 20, above the model's highest noise level 14.6"),
    ],
)
def test_other_schedules_are_refused(sigmas, message):
    with pytest.raises(ValueError, match=message):
        ascending_sigmas(torch.tensor(sigmas), 14.6)


class TestUpTo:
    def test_keeps_what_lies_below_and_ends_at_the_top(self):
        assert up_to(torch.tensor([0.0, 1, 2, 3, 4]), 2.9).tolist() == pytest.approx([0, 1, 2, 2.9])
        assert up_to(torch.tensor([0.0, 1, 2, 3, 4]), 3.0).tolist() == [0, 1, 2, 3]
        assert up_to(torch.tensor([0.0, 1, 2]), 9.0).tolist() == [0, 1, 2, 9]

    def test_a_sliver_of_a_step_gives_way(self):
        assert up_to(torch.tensor([0.0, 1, 2, 3, 4]), 3.1).tolist() == pytest.approx([0, 1, 2, 3.1])

    def test_a_top_below_all_levels(self):
        assert up_to(torch.tensor([0.0, 1, 2]), 0.5).tolist() == [0, 0.5]
