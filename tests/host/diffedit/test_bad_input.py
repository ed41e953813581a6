"""What all DiffEdit nodes refuse about a model and a latent, before any model runs."""

import comfy.model_base
import comfy.nested_tensor
import comfy.samplers
import comfy.supported_models
import pytest
import torch
from comfy_extras.nodes_custom_sampler import Noise_EmptyNoise, SamplerCustomAdvanced
from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete
from host.models.node_inputs import mask_inputs
from host.models.tiny_diffusion import CONTEXT, picture, prompt, tiny_model, watched
from time_diffedit.diffedit_core.model.guidance import Guidance
from time_diffedit.nodes import (
    DDIMInvert,
    DiffEditMask,
    MaskedFlowEdit,
    MaskedLatentSample,
    MaskedLatentSampleAdvanced,
    MaskedLatentSampler,
)


def mask(model, latent):
    return DiffEditMask.execute(model, latent, prompt(0), 0, 1, 0.5, **mask_inputs(), source=prompt(1))


def invert(model, latent):
    return DDIMInvert.execute(model, latent, 5, 0.8, 1.0, {"method": "ddim"}, positive=prompt(0))


def sample(model, latent):
    trajectory = invert(tiny_model(), picture()).result[1]
    return MaskedLatentSample.execute(model, prompt(0), trajectory, 1.0, "euler", 0, prompt(1))


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def refuse(node, model, latent, message):
    seen, calls = watched(model)
    with pytest.raises(ValueError, match=message):
        node(seen, latent)
    assert not calls.rows


class ImageToImage(comfy.supported_models.SD15):
    def model_type(self, state_dict, prefix=""):
        return comfy.model_base.ModelType.IMG_TO_IMG


@pytest.mark.parametrize("node", [mask, invert, sample])
def test_models_that_do_not_sample_from_noise(node):
    refuse(node, tiny_model(config=ImageToImage), picture(), "model is a BaseModel that samples as .*IMG_TO_IMG.*not walk")


@pytest.mark.parametrize("sampling", ["eps", "v_prediction", "lcm", "x0"])
def test_models_switched_to_another_prediction(model, sampling):
    switched = ModelSamplingDiscrete().patch(model, sampling, False)[0]
    assert mask(switched, picture()).result[2] > 0
    assert torch.isfinite(invert(switched, picture()).result[1].states).all()


@pytest.mark.parametrize("node", [mask, invert])
def test_models_that_read_a_second_picture(node):
    edits = tiny_model(config=comfy.supported_models.SD15_instructpix2pix, in_channels=8)
    refuse(node, edits, picture(), "model is a SD15_instructpix2pix that reads a second picture.*brings none")


@pytest.mark.parametrize("node", [mask, invert])
@pytest.mark.parametrize(
    "samples, message",
    [
        (
            torch.ones(1, 4, 3, 8, 8),
            r"latent has the shape \(1, 4, 3, 8, 8\); for this model it must be \(pictures, channels, height, width\)",
        ),
        (comfy.nested_tensor.NestedTensor([torch.zeros(1, 4, 8, 8)] * 2), "latent is a nest of several tensors"),
        (torch.ones(1, 16, 8, 8), "latent has 16 channels, but the model works on 4; encode the picture with the VAE"),
        (torch.full((1, 4, 8, 8), float("nan")), "latent contains values that are not finite"),
        (torch.zeros(0, 4, 8, 8), "latent is empty"),
        (torch.zeros(1, 0, 8, 8), r"latent is empty \(shape \(1, 0, 8, 8\)\); connect"),
    ],
)
def test_latents(node, model, samples, message):
    refuse(node, model, {"samples": samples}, message)


@pytest.mark.parametrize("node", [mask, invert])
@pytest.mark.parametrize("numbers", [[1], [0, -1], [0, 1, 2], 7, "01", [0.5, 1], [None, 1], {}, []])
def test_batch_indices_that_do_not_fit(node, model, numbers):
    refuse(node, model, {**picture(2), "batch_index": numbers}, r"latent has the batch_index .* for 2 picture\(s\)")


@pytest.mark.parametrize("node", [mask, invert, sample])
def test_prompts_of_another_text_encoder(model, node, monkeypatch):
    """Of another width than the model's attention reads; SDXL's, for instance, with a model of SD 1.x."""
    monkeypatch.setitem(globals(), "prompt", lambda number: [[torch.full((1, 5, CONTEXT + 8), float(number)), {}]])
    refuse(node, model, picture(), rf"has rows of width {CONTEXT + 8}, but model reads {CONTEXT}; encode the prompt")


def test_a_schedule_that_is_not_finite(model):
    seen, calls = watched(model)
    trajectory = invert(model, picture()).result[1]
    sigmas = trajectory.sigmas.flip(0).clone()
    sigmas[1] = float("nan")
    guider = Guidance(prompt(0), None, 1.0).guider(seen)
    with pytest.raises(ValueError, match="sigmas contains values that are not finite"):
        MaskedLatentSampleAdvanced.execute(guider, trajectory, 0, sigmas=sigmas)
    assert not calls.rows


def test_a_scheduler_that_cannot_spread_one_step(model):
    def one_step(seen, latent):
        return DDIMInvert.execute(seen, latent, 1, 1.0, 1.0, {"method": "ddim"}, positive=prompt(0), scheduler="kl_optimal")

    def edit(seen, latent):
        return MaskedFlowEdit.execute(
            seen, latent, prompt(1), 0, 1, 1.0, 1.0, 1.0, 1, scheduler="kl_optimal", source=prompt(0), negative=prompt(0)
        )

    said = "steps is 1, which scheduler 'kl_optimal' cannot spread; take 2 or more steps, or another scheduler"
    refuse(one_step, model, picture(), said)
    refuse(edit, model, picture(), said)


def test_a_model_that_overflows_while_it_repaints(model):
    """The sampler says so itself: in the host's own nodes nobody else would."""
    trajectory = invert(model, picture()).result[1]
    overflowing = model.clone()
    overflowing.set_model_unet_function_wrapper(lambda apply, args: args["input"] * float("inf"))
    with pytest.raises(ValueError, match="predictions that are not finite; run it in float32"):
        MaskedLatentSample.execute(overflowing, prompt(0), trajectory, 1.0, "euler", 0, prompt(1))
    sampler = MaskedLatentSampler.execute(overflowing, trajectory).result[0]
    guider = Guidance(prompt(0), None, 1.0).guider(overflowing)
    with pytest.raises(ValueError, match="predictions that are not finite"):
        SamplerCustomAdvanced.execute(Noise_EmptyNoise(), guider, sampler, trajectory.sigmas.flip(0), picture())


@pytest.mark.parametrize("node", [mask, invert, sample])
def test_prompts_without_text(model, node, monkeypatch):
    """As models that read none are given."""
    monkeypatch.setitem(globals(), "prompt", lambda number: [[None, {"number": number}]])
    refuse(node, model, picture(), "holds no text, and model reads text of width 64; connect CLIP Text Encode")


def test_the_prompts_of_a_guider(model):
    seen, calls = watched(model)
    trajectory = invert(model, picture()).result[1]
    guider = Guidance([[torch.ones(1, 5, CONTEXT + 8), {}]], None, 1.0).guider(seen)
    with pytest.raises(ValueError, match=f"guider's positive has rows of width {CONTEXT + 8}, but model reads {CONTEXT}"):
        MaskedLatentSampleAdvanced.execute(guider, trajectory, 0)
    assert not calls.rows


def test_the_largest_seed(model):
    """To which the host adds 1 on the CPU, for samplers that could draw noise."""
    trajectory = invert(model, picture()).result[1]
    samples, _ = MaskedLatentSample.execute(model, prompt(0), trajectory, 1.0, "euler_cfg_pp", 2**64 - 1, prompt(1)).result
    assert torch.isfinite(samples["samples"]).all()


def test_a_schedule_that_rises(model):
    seen, calls = watched(model)
    trajectory = invert(model, picture()).result[1]
    guider = Guidance(prompt(0), None, 1.0).guider(seen)
    for sigmas in (trajectory.sigmas, -trajectory.sigmas.flip(0)):
        with pytest.raises(ValueError, match="sigmas must fall, from high to 0"):
            MaskedLatentSampleAdvanced.execute(guider, trajectory, 0, sigmas=sigmas)
    assert not calls.rows


def test_a_sampler_that_writes_into_its_schedule(model):
    """uni_pc puts 0.001 in the place of its 0; the node that gave the schedule may be asked for it again."""
    trajectory = invert(model, picture()).result[1]
    sigmas = trajectory.sigmas.flip(0)
    guider = Guidance(prompt(0), None, 1.0).guider(model)
    MaskedLatentSampleAdvanced.execute(guider, trajectory, 0, comfy.samplers.sampler_object("uni_pc"), sigmas)
    assert torch.equal(sigmas, trajectory.sigmas.flip(0))


@pytest.mark.parametrize("way", ["two models", "two models, guided"])
def test_two_models_of_which_one_is_not_there(model, way):
    with pytest.raises(ValueError, match=f"compare is '{way}', but target_model is not connected; connect the second model"):
        inputs = mask_inputs() | {"compare": {"compare": way}}
        DiffEditMask.execute(model, picture(), prompt(0), 0, 1, 0.5, **inputs, source=prompt(1))


@pytest.mark.parametrize("area", [(4, 4, 2, 8), (4, 4, 8, 2), ("percentage", 0.5, 0.5, 0.0, 1.0)])
def test_a_prompt_for_an_area_beyond_the_picture(model, area):
    away = [[prompt(0)[0][0], {"area": area, "strength": 1.0}]]
    seen, calls = watched(model)
    trajectory = invert(tiny_model(), picture()).result[1]
    for name, run in {
        "positive": lambda: DDIMInvert.execute(seen, picture(), 5, 0.8, 1.0, {"method": "ddim"}, positive=away),
        "target": lambda: DiffEditMask.execute(seen, picture(), away, 0, 1, 0.5, **mask_inputs(), source=prompt(1)),
        "positive ": lambda: MaskedLatentSample.execute(seen, away, trajectory, 1.0, "euler", 0, prompt(1)),
    }.items():
        with pytest.raises(ValueError, match=f"{name.strip()} is for an area that begins at .* beyond the picture"):
            run()
    assert not calls.rows


def test_a_prompt_for_an_area_that_only_ends_beyond_the_picture_is_taken(model):
    within = [[prompt(0)[0][0], {"area": (40, 40, 2, 7), "strength": 1.0}]]
    assert DDIMInvert.execute(model, picture(), 5, 0.8, 1.0, {"method": "ddim"}, positive=within).result[1]


def test_a_picture_of_another_size_is_refused_before_the_contrast(model):
    seen, calls = watched(model)
    inputs = mask_inputs(outline="edges of picture")
    with pytest.raises(ValueError, match="picture is 72 x 64 pixels, but that of latent is 64 x 64"):
        DiffEditMask.execute(
            seen, picture(), prompt(0), 0, 1, 0.5, **inputs, source=prompt(1), picture=torch.zeros(1, 64, 72, 3)
        )
    assert not calls.rows
