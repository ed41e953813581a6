"""TIME Balance from end to end: real sampling by the host, judged by a CLIP Vision model that sees colours only."""

import json
import math
from pathlib import Path

import comfy.clip_vision
import comfy.model_management
import comfy.model_patcher
import comfy.sample
import pytest
import torch
from host.models import tiny
from host.models.tiny_diffusion import Calls, fingerprint, interrupted
from PIL import Image
from smallmodel.host_model import load_narrow
from time_diffedit.nodes.time.time_balance import TIMEBalance
from time_diffedit.nodes.time.time_edit_model import TIMEEditModel
from time_diffedit.time_core.balance import probe
from time_diffedit.time_core.balance.probe import Sampling, Series, sample_pictures
from time_diffedit.time_core.balance.report import four_digits
from time_diffedit.time_core.balance.zero_shot import text_embeddings
from toyworld.stored import load_unet

from tools.comfyui.environment import HOST, TOY_CHECKPOINT

LABEL, OPPOSITE = "a blue rose", "a red rose"


@pytest.fixture(autouse=True, scope="module")
def no_gradients():
    with torch.no_grad():
        yield


class ColourEye(torch.nn.Module):
    """Sees `label` in a picture with more blue than red, weighed by `bias`, in the host's outputs of a CLIP Vision model."""

    def __init__(self, label: torch.Tensor, opposite: torch.Tensor, bias: float):
        super().__init__()
        self.bias = bias
        self.difference = torch.nn.Parameter(label - opposite, requires_grad=False)

    def forward(self, pixel_values, intermediate_output=None):
        red, _, blue = pixel_values.unbind(1)
        lead = ((blue - red - 1).relu() - (red - blue - 1).relu()).mean((1, 2)) + self.bias
        nothing = lead.new_zeros(len(lead), 0)
        return nothing, nothing, lead[:, None].sign() * self.difference + 1e-3, None


def colour_judge(bias: float = 0.0, width: int = 768):
    """CLIP_VISION of the host's class with that inside."""
    config = json.loads((Path(comfy.clip_vision.__file__).parent / "clip_vision_config_vitl.json").read_text())
    vision = comfy.clip_vision.ClipVisionModel(config | {"num_hidden_layers": 0})
    label, opposite = text_embeddings(tiny.clip(), (LABEL, OPPOSITE))
    vision.model = ColourEye(label[:width], opposite[:width], bias)
    vision.patcher = comfy.model_patcher.ModelPatcher(vision.model, vision.load_device, torch.device("cpu"))
    return vision


@pytest.fixture(scope="module")
def toy():
    return load_narrow(HOST / "ComfyUI" / "models" / "checkpoints" / TOY_CHECKPOINT, load_unet())


def inputs(toy, **changes) -> dict:
    """What the node shows before anyone touches it, for the toy world."""
    shown = {i.id: i.default for i in TIMEBalance.define_schema().inputs if getattr(i, "default", None) is not None}
    ours = {
        "model": toy.model,
        "clip": toy.clip,
        "vae": toy.vae,
        "clip_vision": colour_judge(),
        "judge_clip": tiny.clip(),
        "source": "a rose",
        "destination": "a blue rose",
        "prompt": "a photo of a rose",
        "label": LABEL,
        "opposite": OPPOSITE,
        "pictures": 6,
        "probes": 3,
        "steps": 6,
        "cfg": 3.0,
        "width": 128,
        "height": 128,
        "augmentations": "",
    }
    return {**shown, **ours, **changes}


def run(toy, **changes):
    return TIMEBalance.execute(**inputs(toy, **changes))


@pytest.fixture(scope="module")
def balanced(toy):
    return run(toy, pictures=8, probes=7, tolerance=0.0, lowest=2e4, highest=4e5)


def shows_blue(pictures: torch.Tensor) -> torch.Tensor:
    red, _, blue = pictures.unbind(-1)
    return (blue - red - 0.25).relu().mean((1, 2)) > (red - blue - 0.25).relu().mean((1, 2))


def test_the_share_is_reached(toy, balanced):
    """By the model that comes out, in pictures that no probe has seen."""
    model, edit, lamb, share, _, _ = balanced.args
    assert share == pytest.approx(0.5, abs=1e-6)
    assert edit.settings.lamb == lamb and edit.lambda_curve
    prompt, empty = (toy.clip.encode_from_tokens_scheduled(toy.clip.tokenize(text)) for text in ("a photo of a rose", ""))
    sampling = Sampling(6, 3.0, "euler", "normal", 128, 128)
    fresh = sample_pictures(model, toy.vae, Series([prompt], empty, 24, 1000), sampling)
    assert shows_blue(fresh).double().mean() == pytest.approx(0.5, abs=0.3)


def test_the_pictures_are_those_of_the_nearest_probe(balanced):
    _, _, lamb, _, _, pictures = balanced.args
    measured = balanced.ui["balance"][0]["measured"]
    assert pictures.shape == (8, 128, 128, 3) and pictures.min() >= 0 and pictures.max() <= 1
    near = sorted(measured, key=lambda one: abs(math.log(one["lamb"] / lamb)))[:3]
    assert shows_blue(pictures).sum() in [one["shown"] for one in near]


def test_no_two_probes_see_the_same_pictures(toy):
    calls = Calls()
    watched = toy.model.clone()
    watched.set_model_unet_function_wrapper(calls)
    noises = []
    watched.set_model_sampler_pre_cfg_function(lambda args: noises.append(args["input"].clone()) or args["conds_out"])
    run(toy, model=watched, pictures=2, probes=3, steps=1, tolerance=0.0)
    seen = torch.cat(noises).flatten(1)
    assert len(seen) == 6 and len(torch.unique(seen, dim=0)) == 6


def test_the_edit_is_the_one_that_time_edit_model_makes(toy, balanced):
    defaults = {i.id: i.default for i in TIMEEditModel.define_schema().inputs if getattr(i, "default", None) is not None}
    pair = {"source": "a rose", "destination": "a blue rose", "lamb": balanced.args[2], "augmentations": ""}
    edited, edit = TIMEEditModel.execute(**{**defaults, "model": toy.model, "clip": toy.clip, **pair}).args
    assert torch.equal(edit.left, balanced.args[1].left) and edit.report() == balanced.args[1].report()
    assert edited.patches.keys() == balanced.args[0].patches.keys()


def test_what_it_says(balanced):
    _, edit, lamb, share, plot, _ = balanced.args
    (report,) = json.loads(json.dumps(balanced.ui["balance"]))
    margin = report["found"]["margin"]
    assert report["found"] == {"lamb": lamb, "share": share, "margin": margin}
    assert len(report["measured"]) == 7 and report["pictures"] == 7 * 8 and report["label"] == LABEL
    text = balanced.ui["text"][0]
    assert text.startswith(
        f"lambda {four_digits(lamb)}: 50 ± {100 * margin:.0f} % of the pictures show 'a blue rose', by the curve through 56 "
    )
    assert edit.summary() in text and "Warning" not in text
    assert plot.shape == (1, 400, 640, 3) and plot.min() < 0.2 and plot.max() == 1


def test_strength_scales_every_probe_and_the_model(toy):
    once = {"probes": 1, "pictures": 1, "steps": 2}
    full, twice = run(toy, **once), run(toy, strength=2.0, **once)
    assert {strength for ((strength, *_),) in twice.args[0].patches.values()} == {2.0}
    assert ", strength 2: " in twice.ui["text"][0] and ", strength" not in full.ui["text"][0]
    assert not torch.equal(twice.args[5], full.args[5])
    assert torch.equal(twice.args[1].left, full.args[1].left)  # TIME_EDIT is not scaled


def weights_alone(model) -> str:
    """The model's weights without any patch that is loaded at the moment."""
    comfy.model_management.unload_all_models()
    return fingerprint(model)


def test_the_model_on_the_input_stays(toy):
    before = weights_alone(toy.model)
    run(toy, probes=2, pictures=2, steps=2)
    assert toy.model.patches == {}
    assert weights_alone(toy.model) == before


def test_the_process_wide_generator_stays(toy):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    run(toy, probes=1, pictures=2, steps=1)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize(("bias", "message"), [(-10.0, "all shares are below"), (10.0, "all shares are above")])
def test_a_target_out_of_reach_is_a_warning(toy, bias, message):
    output = run(toy, clip_vision=colour_judge(bias), pictures=1, steps=1)
    assert {one["share"] for one in output.ui["balance"][0]["measured"]} == {0 if bias < 0 else 1}
    assert f"Warning: Not reached: {message}" in output.ui["text"][0]
    assert output.ui["balance"][0]["out_of_reach"] == message.split()[-1]
    assert ("Raise strength (now 1)" in output.ui["text"][0]) == (bias < 0)


def test_what_is_left_empty_is_destination_and_source(toy):
    output = run(toy, source="a rose", destination="a [blue] rose | 2", label="", opposite=" ", probes=1, pictures=1, steps=1)
    assert output.ui["balance"][0]["label"] == "a blue rose"


def test_a_judge_of_its_own_is_not_needed(toy):
    """Where the text encoder has a text projection, it judges."""
    clip = tiny.new_clip(1)
    own = {"clip": clip, "judge_clip": None, "probes": 1, "pictures": 1, "steps": 1}
    assert 0 <= run(toy, **own).args[3] <= 1


FEW = {"probes": 1, "pictures": 1, "steps": 2}


@pytest.fixture(scope="module")
def few_pictures(toy) -> torch.Tensor:
    return run(toy, **FEW, prompt="a rose").args[5]


@pytest.mark.parametrize("setting", [{"seed": 3}, {"prompt": "a rose on sand"}, {"negative": "a rose"}, {"cfg": 1.0}])
def test_every_setting_of_sampling_counts(toy, few_pictures, setting):
    assert not torch.equal(few_pictures, run(toy, **{**FEW, "prompt": "a rose", **setting}).args[5])


def test_pictures_are_those_of_the_hosts_ksampler(toy):
    """Picture i as Empty Latent Image, KSampler and VAE Decode make it with seed + i, whatever it is sampled beside."""
    prompts = [toy.clip.encode_from_tokens_scheduled(toy.clip.tokenize(text)) for text in ("a rose", "")]
    series, sampling = Series(prompts[:1], prompts[1], 5, 2**64 - 2), Sampling(4, 3.0, "euler", "normal", 128, 96)
    done = []
    pictures = sample_pictures(toy.model, toy.vae, series, sampling, done.append, at_once=2)
    assert done == [2, 4, 6, 8, 10, 12, 14, 16, 17, 18, 19, 20]
    latent = torch.zeros(1, 4, 12, 16)
    for picture, seed in zip(pictures, (2**64 - 2, 2**64 - 1, 0, 1, 2), strict=True):
        noise = comfy.sample.prepare_noise(latent, seed)
        sampled = comfy.sample.sample(toy.model, noise, 4, 3.0, "euler", "normal", *prompts, latent, seed=seed)
        torch.testing.assert_close(picture, toy.vae.decode(sampled)[0], atol=2e-3, rtol=0)
    assert picture.shape == (96, 128, 3)


def test_the_largest_seed(toy):
    """To which the host adds 1 on the CPU, for samplers that could draw noise."""
    prompts = [toy.clip.encode_from_tokens_scheduled(toy.clip.tokenize(text)) for text in ("a rose", "")]
    sampling = Sampling(1, 1.0, "euler_cfg_pp", "normal", 64, 64)
    pictures = sample_pictures(toy.model, toy.vae, Series(prompts[:1], prompts[1], 1, 2**64 - 1), sampling)
    assert torch.isfinite(pictures).all()


def test_several_prompts_take_turns(toy):
    prompts = [toy.clip.encode_from_tokens_scheduled(toy.clip.tokenize(text)) for text in ("a rose", "a star on sand", "")]
    sampling = Sampling(2, 3.0, "euler", "normal", 128, 128)
    of_two, of_one = (
        sample_pictures(toy.model, toy.vae, Series(positives, prompts[2], 3, 5), sampling, at_once=1)
        for positives in (prompts[:2], prompts[:1])
    )
    assert torch.equal(of_two[0], of_one[0]) and torch.equal(of_two[2], of_one[2])
    assert not torch.equal(of_two[1], of_one[1])
    few = {"probes": 1, "pictures": 2, "steps": 2}
    both = run(toy, prompt="a rose\n\n a star on sand ", **few).args[5]
    assert torch.equal(both[1], run(toy, prompt="a star on sand", **{**few, "pictures": 1}, seed=1).args[5][0])


def test_prompts_beyond_the_pictures_are_left_out(toy, few_pictures):
    assert torch.equal(run(toy, **FEW, prompt="a rose\na star on sand\na car").args[5], few_pictures)


def test_memory_decides_how_many_share_a_model_call(toy, monkeypatch):
    blank = torch.zeros(1, 4, 16, 16)
    one, weights = toy.model.model.memory_required([2, 4, 16, 16]), toy.model.model_size()
    found = []
    for pictures in (0.5, 3.5, 1000):
        memory = (weights + pictures * one) / probe.SHARE_OF_MEMORY
        monkeypatch.setattr(comfy.model_management, "get_total_memory", lambda *_, memory=memory: memory)
        found.append(probe.pictures_at_once(toy.model, blank))
    assert found[0] == 1 and found[1] in (3, 4) and found[2] == probe.MOST_AT_ONCE


def test_the_bar_counts_every_step_and_shows_the_plot(toy):
    told = []

    def hook(value, total, preview, **_):
        told.append((value, total, preview))

    comfy.utils.set_progress_bar_global_hook(hook)
    try:
        output = run(toy, probes=2, pictures=2, steps=3, tolerance=0.0, clip_vision=colour_judge(-10.0))
    finally:
        comfy.utils.set_progress_bar_global_hook(None)
    plots = [preview for value, total, preview in told if total == 12 and preview]
    assert len(plots) == len(output.ui["balance"][0]["measured"]) == 2
    assert all(kind == "PNG" and isinstance(picture, Image.Image) for kind, picture, _ in plots)
    values = [value for value, total, _ in told if total == 12]
    assert values == sorted(values) and values[-1] == 12


@pytest.mark.parametrize("call", [1, 4])
def test_an_interrupt_leaves_nothing_patched(toy, call):
    """Within the first probe's sampling, and within the second's."""
    before = weights_alone(toy.model)
    calls = Calls(interrupt_at=call)
    watched = toy.model.clone()
    watched.set_model_unet_function_wrapper(calls)
    with interrupted():
        run(toy, model=watched, probes=5, pictures=1, steps=3)
    assert len(calls.rows) <= call
    assert watched.patches == {} == toy.model.patches
    assert weights_alone(toy.model) == before


def test_an_interrupt_between_samplings_is_heard(toy):
    comfy.model_management.interrupt_current_processing(True)
    with interrupted():
        run(toy)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompt": "  "}, "prompt is empty"),
        ({"label": OPPOSITE}, "label and opposite are both 'a red rose'"),
        ({"label": "A  Red Rose"}, "are the same to CLIP"),
        ({"source": "a rose\na car", "destination": "a blue rose\na green car", "label": ""}, "have 2 lines; write both"),
        ({"source": "a rose", "destination": "a tulip"}, "no place for the word 'rose'"),
        ({"source": ""}, "source is empty"),
        ({"lowest": 5.0, "highest": 2.0}, "lowest is 5 and highest is 2"),
        ({"target": 1.5}, "target share is 1.5"),
        ({"edit_keys": False, "edit_values": False}, "both off"),
        ({"layers": "left"}, "layers has 'left'"),
        ({"judge_clip": None}, "no text projection"),
        ({"steps": 1, "scheduler": "kl_optimal"}, "steps is 1, which scheduler 'kl_optimal' cannot spread"),
        (
            {"steps": 1001, "scheduler": "simple"},
            "steps is 1001, of which scheduler 'simple' gives several the same noise level",
        ),
    ],
)
def test_bad_input_is_named_before_anything_is_sampled(toy, changes, message):
    calls = Calls()
    watched = toy.model.clone()
    watched.set_model_unet_function_wrapper(calls)
    with pytest.raises(ValueError, match=message):
        run(toy, model=watched, **changes)
    assert not calls.rows


def test_halves_of_different_clips_are_refused(toy):
    with pytest.raises(ValueError, match="clip and clip_vision are no pair: pictures have 512 numbers"):
        run(toy, clip_vision=colour_judge(width=512))
