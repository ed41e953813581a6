"""An edit as a hook: scheduled over the steps, or carried by one prompt."""

import comfy.hooks
import comfy.model_management
import comfy.sample
import comfy.samplers
import pytest
import torch
from host import tiny
from host.families import random
from host.test_time_adapter import some_edit
from time_diffedit.nodes.time_edit_hook import TIMEEditHook
from time_diffedit.time_core.adapter import apply_edit
from time_diffedit.time_core.hook import edit_hook

STEPS = 6


def conditioning(seed: int) -> list:
    return [[random(1, 77, 768, seed=seed), {}]]


def sampled(model, positive, negative, sigmas, latent, noise) -> torch.Tensor:
    sampler = comfy.samplers.sampler_object("euler")
    return comfy.sample.sample_custom(model, noise, 4.0, sampler, sigmas, positive, negative, latent, seed=0)


@pytest.fixture
def model():
    model = tiny.unet()
    before = tiny.weights(model)
    yield model
    comfy.model_management.unload_all_models()
    after = model.model.state_dict()
    assert all(torch.equal(after[name], weight) for name, weight in before.items())


def test_an_edit_for_the_first_half_of_the_steps(model):
    """Equal to sampling the edited model down to the keyframe and the plain one from there on."""
    edit, latent = some_edit(1), torch.zeros(1, 4, 8, 8)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", STEPS)
    half = model.get_model_object("model_sampling").percent_to_sigma(0.5)
    cut = int((sigmas > half).sum())
    assert 0 < cut < STEPS
    positive, negative, noise = conditioning(5), conditioning(6), random(*latent.shape, seed=7)

    edited = sampled(apply_edit(model, edit), positive, negative, sigmas[: cut + 1], latent, noise)
    wanted = sampled(model, positive, negative, sigmas[cut:], edited, torch.zeros_like(noise))

    (hooks,) = TIMEEditHook.execute(model, edit, 1.0).args
    keyframes = comfy.hooks.HookKeyframeGroup()
    keyframes.add(comfy.hooks.HookKeyframe(strength=1.0, start_percent=0.0))
    keyframes.add(comfy.hooks.HookKeyframe(strength=0.0, start_percent=0.5))
    hooks.set_keyframes_on_hooks(keyframes)
    hooked = [comfy.hooks.set_hooks_for_conditioning(side, hooks) for side in (positive, negative)]
    scheduled = sampled(model, *hooked, sigmas, latent, noise)
    assert (scheduled - wanted).norm() <= 1e-4 * wanted.norm()
    for other in (model, apply_edit(model, edit)):
        assert (sampled(other, positive, negative, sigmas, latent, noise) - wanted).norm() > 1e-3 * wanted.norm()


def test_an_edit_of_one_prompt_alone(model):
    """Positive and negative by their own models, each combination of guidance by hand."""
    edit, latent = some_edit(1), torch.zeros(1, 4, 8, 8)
    positive, negative, noise = conditioning(5), conditioning(6), random(*latent.shape, seed=7)
    sigmas = torch.tensor([5.0, 0.0])
    hooked = comfy.hooks.set_hooks_for_conditioning(positive, edit_hook(model, edit))
    got = sampled(model, hooked, negative, sigmas, latent, noise)

    def denoised(which, prompt) -> torch.Tensor:
        sampler = comfy.samplers.sampler_object("euler")
        return comfy.sample.sample_custom(which, noise, 1.0, sampler, sigmas, prompt, prompt, latent, seed=0)

    by_hand = denoised(apply_edit(model, edit), positive), denoised(model, negative)
    wanted = by_hand[1] + 4.0 * (by_hand[0] - by_hand[1])
    assert (got - wanted).norm() <= 1e-4 * wanted.norm()


def test_hooks_are_joined(model):
    first = TIMEEditHook.execute(model, some_edit(1), 1.0).args[0]
    both = TIMEEditHook.execute(model, some_edit(2), 0.5, prev_hooks=first).args[0]
    assert (len(first.hooks), len(both.hooks)) == (1, 2)
    assert len(both.hooks[1].weights) == 14


def test_bad_strength_is_named(model):
    with pytest.raises(ValueError, match="strength is nan"):
        edit_hook(model, some_edit(1), float("nan"))
