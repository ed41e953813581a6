"""The defects of diffusers' StableDiffusionModelEditingPipeline, one by one: what it fails on works here."""

import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfy.supported_models import SD15, SD20, SDXL
from host.models import tiny
from time_diffedit.time_core.application.apply import apply_edit
from time_diffedit.time_core.equations.equations import build_edit
from time_diffedit.time_core.equations.request import Request
from time_diffedit.time_core.equations.time_edit import TimeEdit
from time_diffedit.time_core.prompts.pairs import Pair, Settings
from time_diffedit.time_core.prompts.text import TextReader
from time_diffedit.time_core.reading.projections import cross_attention

FULL_SIZE = {
    "SD 1.x": (SD15, {"context_dim": 768, "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0], "channel_mult": [1, 2, 4, 4]}, 32),
    "SD 2.x": (SD20, {"context_dim": 1024, "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0], "channel_mult": [1, 2, 4, 4]}, 32),
    "SDXL": (
        SDXL,
        {
            "context_dim": 2048,
            "transformer_depth": [0, 0, 2, 2, 10, 10],
            "channel_mult": [1, 2, 4],
            "transformer_depth_middle": 10,
            "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
            "num_res_blocks": [2, 2, 2],
            "adm_in_channels": 2816,
            "num_classes": "sequential",
        },
        140,
    ),
}


def build(*pairs: tuple[str, str], **settings) -> TimeEdit:
    return build_edit(TextReader(tiny.clip()), Request(tuple(Pair(*pair) for pair in pairs), settings=Settings(**settings)))


def p_of(edit: TimeEdit) -> torch.Tensor:
    return edit.left.double() @ edit.right.double().T


@pytest.mark.parametrize("name", FULL_SIZE)
def test_1_and_2_every_layer_is_found_whatever_its_class_and_width(name):
    """diffusers finds none: it asks for a class that was renamed, and for the width 768."""
    model_class, changes, count = FULL_SIZE[name]
    config = {
        **tiny.UNET,
        "model_channels": 320,
        "num_res_blocks": [2, 2, 2, 2],
        "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
        "use_linear_in_transformer": name != "SD 1.x",
        "num_heads": 8,
        **changes,
    }
    model = model_class(config).get_model({}, device=torch.device("meta"))
    reading = cross_attention(ModelPatcher(model, load_device=tiny.CPU, offload_device=tiny.CPU))
    assert len(reading.projections) == count
    assert reading.width == changes["context_dim"]
    assert len(reading.chosen(True, False)) == len(reading.chosen(False, True)) == count // 2


@pytest.mark.parametrize(
    ("source", "destination", "word"),
    [
        ("A dog", "A cat", "dog"),
        ("A pack of roses", "A pack of blue rose", "roses"),
        ("A dog", "Dog that is red", "a"),
        ("roses", "blue flowers", "roses"),
    ],
)
def test_3_a_missing_word_is_said_or_replaced(source, destination, word):
    """diffusers: a bare IndexError."""
    with pytest.raises(ValueError, match=f"no place for the word '{word}'.*replaced words"):
        build((source, destination))
    replaced = build((source, destination), alignment="replaced words")
    assert replaced.diagnostics.fit_residual < 0.1


def test_4_prompts_of_any_length():
    """diffusers: indices up to 121 into 77 rows."""
    long = "a painting of a house beside a river with a bridge and a boat under a cloudy sky " * 6
    edit = build((long + "and a rose", long + "and a blue rose"))
    assert len(TextReader(tiny.clip()).tracks(long)[0].ids) == 154
    assert edit.alignments[0][0].inserted == ("blue",)
    assert edit.diagnostics.fit_residual < 0.1


def test_5_repeated_words_stay_together_and_can_be_chosen():
    """diffusers takes the first place for every word, and tears the prompt over the sentence."""
    source, destination = "big red dog", "a big cat and red wine and big red dog"
    assert build((source, destination)).alignments[0][0].inserted == ("a", "big", "cat", "and", "red", "wine", "and")
    marked = build(("A woman in a dress", "A woman [in a hat and] in a [red] dress"))
    assert marked.alignments[0][0].inserted == ("in", "a", "hat", "and", "red")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_6_half_precision(dtype):
    """diffusers: "Low precision dtypes not supported". Here only the edited weight is rounded."""
    config = SD15(dict(tiny.UNET))
    config.set_inference_dtype(dtype, torch.float32)
    model = config.get_model({}, device=tiny.CPU)
    model.load_state_dict({name: weight.to(dtype) for name, weight in tiny.unet().model.state_dict().items()}, strict=False)
    patcher = ModelPatcher(model, load_device=tiny.CPU, offload_device=tiny.CPU)
    edit = build(("a dog", "a red dog"))
    edited = apply_edit(patcher, edit)
    for name in edited.patches:
        weight = model.state_dict()[name]
        assert weight.dtype == dtype
        wanted = weight.double() + weight.double() @ p_of(edit)
        got = tiny.patched(edited, name)
        assert got.dtype == dtype
        assert ((got.double() - wanted).norm() / wanted.norm()).item() <= 2 * torch.finfo(dtype).eps


def test_7_edits_start_from_the_model_unless_chained():
    """diffusers replaces layers by deep copies to start over."""
    model = tiny.unet()
    before = tiny.weights(model)
    first, second = build(("a dog", "a red dog")), build(("a house", "a tall house"))
    independent, chained = apply_edit(model, second), apply_edit(apply_edit(model, first), second)
    name = cross_attention(model).projections[0].name
    weight, eye = before[name].double(), torch.eye(768, dtype=torch.float64)
    for got, wanted in (
        (independent, weight @ (eye + p_of(second))),
        (chained, weight @ (eye + p_of(first)) @ (eye + p_of(second))),
    ):
        assert ((tiny.patched(got, name).double() - wanted).norm() / wanted.norm()).item() <= 2e-6
    assert all(torch.equal(after, before[name]) for name, after in model.model.state_dict().items())


def test_8_one_solve_for_all_layers():
    """diffusers inverts the same matrix for every layer. Here all of them hold the same two factors."""
    model, edit = tiny.unet(), build(("a dog", "a red dog"))
    patches = apply_edit(model, edit).patches
    assert len(patches) == 14
    assert {id(entry[1]) for entries in patches.values() for entry in entries} == {id(next(iter(patches.values()))[0][1])}
    (left, right) = next(iter(patches.values()))[0][1].weights
    assert left is edit.left and right is edit.right


def test_9_several_edits_hold_together():
    """diffusers edits the edited model, where the first edit no longer holds."""
    pairs = (("a rose", "a blue rose"), ("a dog", "a green dog"))
    assert max(build(*pairs).diagnostics.fit_by_pair) < 0.1
