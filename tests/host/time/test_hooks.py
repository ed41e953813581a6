"""An edit as a hook: scheduled over the steps, or carried by one prompt."""

from types import SimpleNamespace

import comfy.hooks
import comfy.model_management
import comfy.sample
import comfy.samplers
import comfy.utils
import pytest
import torch
from comfy.quant_ops import QuantizedTensor
from host.models import tiny
from host.models.families import CASES, random
from host.time.test_adapter import factor, relative, some_edit
from host.time.test_quantised import MODELS
from time_diffedit.nodes.time.time_edit_hook import TIMEEditHook
from time_diffedit.time_core.application.apply import apply_edit
from time_diffedit.time_core.application.hook import TextHook, edit_hook
from time_diffedit.time_core.prompts.fingerprint import Fingerprint
from time_diffedit.time_core.reading.projections import cross_attention, text_entry
from time_diffedit.time_core.reading.projector import projector_probe

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


def scheduled(hooks, *keyframes: tuple[float, float]) -> None:
    """Keyframes (strength, start) on the hooks, as Set Hook Keyframes does it."""
    group = comfy.hooks.HookKeyframeGroup()
    for strength, start in keyframes:
        group.add(comfy.hooks.HookKeyframe(strength=strength, start_percent=start))
    hooks.set_keyframes_on_hooks(group)


@pytest.mark.parametrize("weights", ["float32", "plain fp8", "float8_e4m3fn", "nvfp4"])
@pytest.mark.parametrize("strengths", [(1.0, 0.0), (0.3, -0.5)])
def test_an_edit_scheduled_over_the_steps(weights, strengths):
    """Equal to sampling down to the keyframe with one strength, and from there on with the other."""
    model = tiny.unet() if weights == "float32" else MODELS[weights]()
    before = tiny.weights(model)
    edit, latent = some_edit(1), torch.zeros(1, 4, 8, 8)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", STEPS)
    half = model.get_model_object("model_sampling").percent_to_sigma(0.5)
    cut = int((sigmas > half).sum())
    assert 0 < cut < STEPS
    positive, negative, noise = conditioning(5), conditioning(6), random(*latent.shape, seed=7)

    first, second = (apply_edit(model, edit, strength) for strength in strengths)
    halfway = sampled(first, positive, negative, sigmas[: cut + 1], latent, noise)
    wanted = sampled(second, positive, negative, sigmas[cut:], halfway, torch.zeros_like(noise))

    (hooks,) = TIMEEditHook.execute(model, edit, 1.0).args
    assert isinstance(hooks.hooks[0], TextHook) == (weights != "float32")
    scheduled(hooks, (strengths[0], 0.0), (strengths[1], 0.5))
    hooked = [comfy.hooks.set_hooks_for_conditioning(side, hooks) for side in (positive, negative)]
    got = sampled(model, *hooked, sigmas, latent, noise)
    assert (got - wanted).norm() <= 1e-5 * wanted.norm()
    for other in (model, first):
        assert (sampled(other, positive, negative, sigmas, latent, noise) - wanted).norm() > 1e-3 * wanted.norm()
    comfy.model_management.unload_all_models()
    after = model.model.state_dict()
    assert all(torch.equal(after[name], weight) for name, weight in before.items())


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


@pytest.mark.parametrize("weights", ["float32", "float8_e4m3fn"])
def test_joined_hooks_are_edits_in_a_row(weights):
    """Behind an edit of the model: W (I + P1) (I + P2) (I + P3), the hooks' strengths included."""
    model = tiny.unet() if weights == "float32" else MODELS[weights]()
    edits, strengths = [some_edit(seed) for seed in (1, 2, 3)], (1.0, 0.5, -1.0)
    edited = model
    for edit, strength in zip(edits, strengths, strict=True):
        edited = apply_edit(edited, edit, strength)
    positive, negative = conditioning(5), conditioning(6)
    wanted = tiny.sample(edited, positive, negative)

    base = apply_edit(model, edits[0])
    second = TIMEEditHook.execute(base, edits[1], strengths[1]).args[0]
    both = TIMEEditHook.execute(base, edits[2], strengths[2], prev_hooks=second).args[0]
    assert (len(second.hooks), len(both.hooks)) == (1, 2)
    hooked = [comfy.hooks.set_hooks_for_conditioning(side, both) for side in (positive, negative)]
    assert (tiny.sample(base, *hooked) - wanted).norm() <= 1e-5 * wanted.norm()
    third = TIMEEditHook.execute(base, edits[2], strengths[2]).args[0]
    other_order = third.clone_and_combine(second)
    hooked = [comfy.hooks.set_hooks_for_conditioning(side, other_order) for side in (positive, negative)]
    assert (tiny.sample(base, *hooked) - wanted).norm() > 1e-4 * wanted.norm()


def family(name: str):
    return next(case for case in CASES if case.name == name).model()


@pytest.mark.parametrize(
    ("name", "where", "settings"),
    [
        ("PixArt", "cross-attention", {"edit_values": False}),
        ("HunyuanDiT", "cross-attention", {"edit_keys": False, "layers": "0"}),
        ("Flux", "text entry layer", {}),
    ],
)
def test_hooks_of_other_families(name, where, settings):
    """Keys and values in one weight, and text entry layers: the hook changes these rows and puts them back."""
    model = family(name)
    entry = where == "text entry layer"
    reading = text_entry(model) if entry else cross_attention(model)
    edit = some_edit(1, width=reading.width, **settings)
    made_with = Fingerprint("t5", reading.width, (1.0,), reading.projector, projector_probe(model, entry))
    edit = SimpleNamespace(**{**vars(edit), "fingerprint": made_with})
    before = tiny.weights(model)
    comfy.model_management.load_models_gpu([model])
    hooks = TIMEEditHook.execute(model, edit, 0.7, where=where).args[0]
    model.register_all_hook_patches(hooks, comfy.hooks.create_target_dict(comfy.hooks.EnumWeightTarget.Model))
    model.apply_hooks(hooks)
    chosen = {p.name: p.rows for p in reading.chosen(edit.settings.edit_keys, edit.settings.edit_values, edit.settings.layers)}
    assert chosen
    for key, weight in model.model.state_dict().items():
        wanted = before[key].double()
        if key in chosen:
            rows = slice(None) if chosen[key] is None else slice(chosen[key][0], sum(chosen[key]))
            wanted[rows] = wanted[rows] @ factor(edit, 0.7)
            assert relative(weight, wanted) <= 2e-6
            assert relative(weight, before[key].double()) > 1e-3
        else:
            assert torch.equal(weight, before[key])
    model.apply_hooks(None)
    assert all(torch.equal(weight, before[key]) for key, weight in model.model.state_dict().items())


def test_quantised_layers_that_hooks_cannot_patch():
    """Any one of them stops the host's hooks, so a U-Net takes the text route and others are refused beforehand."""
    unet, other = tiny.unet(), family("Cosmos-Predict2")
    for model in (unet, other):
        linear = next(
            name
            for name, weight in model.model.named_parameters()
            if name.endswith("weight") and weight.dim() == 2 and "attn" not in name
        )
        packed = QuantizedTensor.from_float(comfy.utils.get_attr(model.model, linear).data, "TensorCoreFP8E4M3Layout")
        comfy.utils.set_attr_param(model.model, linear, packed)
    assert isinstance(edit_hook(unet, some_edit(1)).hooks[0], TextHook)
    with pytest.raises(ValueError, match=r"CosmosPredict2\) has quantised layers, which ComfyUI's hooks cannot patch"):
        edit_hook(other, some_edit(1, width=cross_attention(other).width))


def test_bad_strength_is_named(model):
    with pytest.raises(ValueError, match="strength is nan"):
        edit_hook(model, some_edit(1), float("nan"))
