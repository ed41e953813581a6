"""DiffEdit Mask with a target_model: two models contrasted under one prompt, on real, small host models."""

import comfy.supported_models
import pytest
import torch
from comfy.weight_adapter import LoRAAdapter
from host.models.node_inputs import mask_inputs
from host.models.tiny_diffusion import (
    CONTEXT,
    clip,
    denoised,
    fingerprint,
    interrupted,
    picture,
    prompt,
    tiny_model,
    watched,
)
from time_diffedit.diffedit_core.inversion.schedule import noise_sigma
from time_diffedit.diffedit_core.mask.contrast import MOST_MAPS_AT_ONCE
from time_diffedit.diffedit_core.model.noise import picture_noise
from time_diffedit.nodes import DiffEditMask, TIMEEditModel

SETTINGS = dict(seed=7, maps=2, noise_strength=0.5)
PROMPT, OTHER, NEGATIVE, OTHER_NEGATIVE = (prompt(i) for i in range(4))


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def time_edited(model, strength: float = 1.0):
    return TIMEEditModel.execute(
        model=model,
        clip=clip(),
        source="a pack of roses",
        destination="a pack of blue roses",
        lamb=0.1,
        strength=strength,
        edit_keys=True,
        edit_values=True,
        augmentations="",
        preserve="",
    ).result[0]


def with_lora(model, seed: int = 0):
    """A clone with a rank-2 LoRA on every value projection that reads the text."""
    generator = torch.Generator().manual_seed(seed)
    patches = {}
    for name, weight in model.model.state_dict().items():
        if name.endswith("attn2.to_v.weight"):
            up, down = torch.randn(len(weight), 2, generator=generator), torch.randn(2, CONTEXT, generator=generator) / 8
            patches[name] = LoRAAdapter(set(), (up, down, None, None, None, None))
    clone = model.clone()
    assert len(clone.add_patches(patches, 1.0)) == len(patches) > 0
    return clone


def run(model, target_model, latent=None, target=PROMPT, **settings):
    return DiffEditMask.execute(
        model,
        latent or picture(),
        target,
        **mask_inputs(**{**SETTINGS, "target_model": target_model, **settings}),
    )


def heat(*args, **kwargs) -> torch.Tensor:
    (pair,) = run(*args, **kwargs).result[1].values
    return pair


def noised(model, k: int) -> tuple[torch.Tensor, float]:
    sigma = noise_sigma(model.model.model_sampling.sigmas, 0.5)
    return model.model.process_latent_in(picture()["samples"]) + sigma * picture_noise(7, 0, k, (1, 4, 8, 8)), sigma


@pytest.mark.parametrize("change", [time_edited, with_lora])
def test_is_the_difference_of_both_models_under_one_prompt(model, change):
    weights = fingerprint(model)
    edited = change(model)
    prompt_of_edit = clip().encode_from_tokens_scheduled(clip().tokenize("a pack of roses"))
    found = heat(model, edited, target=prompt_of_edit)

    expected = torch.zeros(1, 8, 8)
    for k in range(2):
        x, sigma = noised(model, k)
        expected += (denoised(edited, prompt_of_edit, x, sigma) - denoised(model, prompt_of_edit, x, sigma)).abs().mean(1)
    expected /= 2 * sigma
    assert expected.mean() > 1e-4
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-5)
    assert torch.equal(found, heat(model, edited, target=prompt_of_edit, source=prompt_of_edit))
    model.unpatch_model()
    edited.unpatch_model()
    assert fingerprint(model) == weights


def test_takes_prompts_of_its_own_for_each_model(model):
    edited = with_lora(model)
    x, sigma = noised(model, 0)
    expected = (denoised(edited, PROMPT, x, sigma) - denoised(model, OTHER, x, sigma)).abs().mean(1) / sigma
    assert torch.allclose(heat(model, edited, source=OTHER, maps=1), expected, rtol=1e-3, atol=1e-5)


def test_exchanging_models_and_prompts_changes_nothing(model):
    edited = with_lora(model)
    forth = heat(model, edited, target=PROMPT, source=OTHER)
    assert torch.allclose(forth, heat(edited, model, target=OTHER, source=PROMPT), atol=1e-6)


def test_each_model_does_all_its_work_before_the_other(model):
    order = []

    def noting(patcher, name):
        def wrapper(apply_model, args):
            order.append((name, len(args["input"])))
            return apply_model(args["input"], args["timestep"], **args["c"])

        clone = patcher.clone()
        clone.set_model_unet_function_wrapper(wrapper)
        return clone

    maps = MOST_MAPS_AT_ONCE + 1
    run(noting(model, "model"), noting(with_lora(model), "target_model"), picture(2), maps=maps)
    names = [name for name, _ in order]
    assert names == sorted(names)
    rows = {name: sum(count for n, count in order if n == name) for name in names}
    assert rows == {"model": 2 * maps, "target_model": 2 * maps}


def test_a_batch_is_its_pictures_one_by_one(model):
    edited, latent = with_lora(model), picture(2)
    together = heat(model, edited, latent)
    for i in range(2):
        alone = {"samples": latent["samples"][i : i + 1], "batch_index": [i]}
        assert torch.equal(heat(model, edited, alone), together[i : i + 1])


def test_negatives_guide_each_model_even_if_equal(model):
    edited = with_lora(model)
    plain = heat(model, edited, maps=1)
    assert torch.equal(plain, heat(model, edited, maps=1, cfg=1.0, target_negative=NEGATIVE, source_negative=NEGATIVE))
    for target_negative, source_negative in ((NEGATIVE, NEGATIVE), (NEGATIVE, OTHER_NEGATIVE)):
        negatives = {"target_negative": target_negative, "source_negative": source_negative}
        found = heat(model, edited, maps=1, cfg=3.0, **negatives)
        x, sigma = noised(model, 0)
        t, tn = (denoised(edited, p, x, sigma) for p in (PROMPT, target_negative))
        s, sn = (denoised(model, p, x, sigma) for p in (PROMPT, source_negative))
        expected = ((tn + 3 * (t - tn)) - (sn + 3 * (s - sn))).abs().mean(1) / sigma
        assert torch.allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_negatives_left_out_are_the_empty_prompt(model):
    edited, empty = with_lora(model), clip().encode_from_tokens_scheduled(clip().tokenize(""))
    expected = heat(model, edited, maps=1, cfg=3.0, target_negative=empty, source_negative=empty)
    assert torch.equal(heat(model, edited, maps=1, cfg=3.0, clip=clip()), expected)
    assert not torch.equal(heat(model, edited, maps=1), expected)
    with pytest.raises(ValueError, match="target_negative is left out.*Connect clip"):
        heat(model, edited, maps=1, cfg=3.0)


def test_an_interrupt_in_the_second_model_leaves_nothing():
    model = tiny_model()  # whose weights no other test's clone has patched
    weights, edited = fingerprint(model), with_lora(model)
    before = heat(model, edited)
    seen, calls = watched(edited, interrupt_at=1)
    with interrupted():
        run(model, seen, maps=3 * MOST_MAPS_AT_ONCE)
    assert len(calls.rows) == 1
    assert torch.equal(heat(model, edited), before)
    edited.unpatch_model()
    assert fingerprint(model) == weights


class TestRefusals:
    def test_models_that_predict_the_same(self, model):
        for same in (model, model.clone(), time_edited(model, strength=0.0)):
            with pytest.raises(ValueError, match="predict the same everywhere in picture 0.*target_model that differs"):
                run(model, same)

    def test_models_of_another_kind(self, model):
        other = tiny_model(config=comfy.supported_models.SD20, use_linear_in_transformer=True, model_channels=64)
        seen, calls = watched(model)
        with pytest.raises(ValueError, match="target_model is a SD20 .*but model is a SD15 .*of the same kind"):
            run(seen, other)
        assert not calls.rows
