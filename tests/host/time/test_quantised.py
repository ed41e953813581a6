"""Edits of weights that are stored in 8 bits or less."""

import functools
import json
from collections.abc import Iterable

import comfy.sd
import comfy.utils
import pytest
import torch
from comfy.model_management import load_models_gpu
from comfy.model_patcher import ModelPatcher
from comfy.quant_ops import QUANT_ALGOS, QuantizedTensor
from comfy.supported_models import SD15
from host.models import tiny
from host.models.families import random
from host.time.test_adapter import lora, some_edit
from time_diffedit import compatibility
from time_diffedit.time_core.application.apply import any_quantised, apply_edit
from time_diffedit.time_core.application.text_route import TextRoute
from time_diffedit.time_core.reading.projections import cross_attention

EIGHT_BITS = torch.float8_e4m3fn


def plain_fp8() -> ModelPatcher:
    """As the host loads an fp8 checkpoint: 8-bit weights, cast to float32 when used."""
    config = SD15(dict(tiny.UNET))
    config.set_inference_dtype(EIGHT_BITS, torch.float32)
    model = config.get_model({}, device=tiny.CPU)
    source = tiny.unet().model.state_dict()
    model.load_state_dict({name: weight.to(EIGHT_BITS) for name, weight in source.items() if "diffusion" in name}, strict=False)
    return ModelPatcher(model, load_device=tiny.CPU, offload_device=tiny.CPU)


def quantised(layout: str) -> ModelPatcher:
    """As the host loads a checkpoint that names its layers' quantisation: the keys and values are QuantizedTensor."""
    weights = tiny.unet().model.state_dict()
    for projection in cross_attention(tiny.unet()).projections:
        tensor = QuantizedTensor.from_float(weights.pop(projection.name), QUANT_ALGOS[layout]["comfy_tensor_layout"])
        weights |= tensor.state_dict(projection.name)
        named = json.dumps({"format": layout}).encode()
        weights[projection.name.removesuffix("weight") + "comfy_quant"] = torch.frombuffer(bytearray(named), dtype=torch.uint8)
    return loaded(weights)


def loaded(weights: dict[str, torch.Tensor]) -> ModelPatcher:
    config = SD15(dict(tiny.UNET))
    config.quant_config = {"mixed_ops": True}
    config.set_inference_dtype(torch.float32, torch.float32)
    model = config.get_model({}, device=tiny.CPU)
    model.load_state_dict(weights, strict=False)
    model = ModelPatcher(model, load_device=tiny.CPU, offload_device=tiny.CPU)
    names = [projection.name for projection in cross_attention(model).projections]
    assert all(isinstance(comfy.utils.get_attr(model.model, name), QuantizedTensor) for name in names)
    return model


# What rounding the edited weights again costs the projections' outputs: measured on the day that this was written.
ROUNDED_AGAIN = {
    "plain fp8": 0.039,
    "float8_e4m3fn": 0.039,
    "float8_e5m2": 0.078,
    "mxfp8": 0.038,
    "nvfp4": 0.182,
    "int8_tensorwise": 0.017,
    "convrot_w4a4": 0.249,
}
# These layers round what they read as well, so that their outputs are not the formula's even without an edit.
ROUNDS_TEXT = ("int8_tensorwise", "convrot_w4a4")


WITHOUT_INTEGERS = pytest.mark.skipif(
    compatibility.host_version() < (0, 27), reason="ComfyUI before 0.27 knows no integer formats"
)
MODELS = {name: plain_fp8 if name == "plain fp8" else functools.partial(quantised, name) for name in ROUNDED_AGAIN}


def of_this_host(names: Iterable[str]) -> list:
    """Parameters for pytest."""
    return [pytest.param(name, marks=WITHOUT_INTEGERS if name in ROUNDS_TEXT else ()) for name in names]


def dequantised(model: ModelPatcher, name: str) -> torch.Tensor:
    weight = comfy.utils.get_attr(model.model, name).data
    return (weight.dequantize() if isinstance(weight, QuantizedTensor) else weight).double()


def projected(model: ModelPatcher, context: torch.Tensor) -> dict[str, torch.Tensor]:
    """What every projection makes of `context` in one call of the model."""
    outputs, handles = {}, []
    for projection in cross_attention(model).projections:
        layer = projection.name.removesuffix(".weight")

        def record(module, args, output, name=projection.name):
            outputs[name] = output.detach().clone()

        handles.append(comfy.utils.get_attr(model.model, layer).register_forward_hook(record))
    load_models_gpu([model])
    options = model.model_options["transformer_options"]
    with torch.no_grad():
        model.model.apply_model(
            random(1, 4, 8, 8, seed=1), torch.tensor([3.0]), c_crossattn=context, transformer_options=options
        )
    for handle in handles:
        handle.remove()
    return outputs


def largest_error(outputs: dict, wanted: dict) -> float:
    return max(((outputs[n].double() - wanted[n]).norm() / wanted[n].norm()).item() for n in wanted)


# On older hosts a weight that asks for a gradient cannot be rounded; in a run of the host none does.
@torch.no_grad()
@pytest.mark.parametrize("name", of_this_host(MODELS))
def test_the_text_route_is_exact_and_weights_are_rounded_again(name):
    model, edit, context = MODELS[name](), some_edit(0), random(1, 77, 768, seed=4)
    assert any_quantised(model, cross_attention(model).projections)
    p = edit.left.double() @ edit.right.double().T
    edited_text = context.double() + context.double() @ p.T
    before = {n.name: dequantised(model, n.name) for n in cross_attention(model).projections}
    wanted = {n: edited_text @ weight.T for n, weight in before.items()}
    by_layer = projected(model, edited_text.float())

    by_itself = apply_edit(model, edit)
    assert by_itself.patches == {}
    for by_text in (by_itself, apply_edit(model, edit, route="text")):
        outputs = projected(by_text, context)
        assert largest_error(outputs, by_layer) <= (1e-3 if name in ROUNDS_TEXT else 1e-6)
        if name not in ROUNDS_TEXT:
            assert largest_error(outputs, wanted) <= 1e-6

    by_weights = apply_edit(model, edit, route="weights")
    assert len(by_weights.patches) == 14
    error = largest_error(projected(by_weights, context), wanted)
    assert error == pytest.approx(ROUNDED_AGAIN[name], rel=0.25)
    by_weights.unpatch_model(tiny.CPU)
    assert all(torch.equal(dequantised(model, n), weight) for n, weight in before.items())


def test_a_saved_quantised_model_holds_the_edit_that_its_weights_hold(tmp_path):
    """Saved as ModelSave does it and loaded again, still quantised; the text route is in no file."""
    model, edit, context = MODELS["float8_e4m3fn"](), some_edit(0), random(1, 77, 768, seed=4)
    for route in ("weights", "text"):
        edited, path = apply_edit(model, edit, route=route), str(tmp_path / f"{route}.safetensors")
        comfy.sd.save_checkpoint(path, edited)
        saved = comfy.utils.load_torch_file(path)
        again = loaded({name.removeprefix("model."): weight for name, weight in saved.items()})
        outputs, wanted = projected(again, context), projected(edited if route == "weights" else model, context)
        assert largest_error(outputs, wanted) <= 1e-6


def test_layers_that_scale_the_text_first_are_refused():
    model, edit = MODELS["nvfp4"](), some_edit(0)
    layer = cross_attention(model).projections[3].name.removesuffix(".weight")
    comfy.utils.get_attr(model.model, layer).pre_quant_scale = torch.full((768,), 0.5)
    with pytest.raises(ValueError, match=r"BaseModel\) has quantised layers that scale the text .* TIME Edit Conditioning"):
        apply_edit(model, edit, route="weights")
    assert apply_edit(model, edit).patches == {}


def test_unquantised_weights_are_patched():
    model = tiny.unet()
    assert not any_quantised(model, cross_attention(model).projections)
    assert len(apply_edit(model, some_edit(0)).patches) == 14


@pytest.mark.parametrize(
    "settings",
    [{}, {"edit_keys": False}, {"edit_values": False}, {"layers": "middle"}, {"layers": "0, 4-6", "edit_keys": False}],
)
def test_both_routes_edit_the_same(settings):
    """Sampled by the host with guidance, keys, values and layers chosen."""
    model, edit = tiny.unet(), some_edit(1, **settings)
    positive, negative = ([[random(1, 77, 768, seed=seed), {}]] for seed in (5, 6))
    by_weights = tiny.sample(apply_edit(model, edit, 0.7, route="weights"), positive, negative)
    by_text = tiny.sample(apply_edit(model, edit, 0.7, route="text"), positive, negative)
    plain = tiny.sample(model, positive, negative)
    assert (by_text - by_weights).norm() <= 1e-5 * by_weights.norm()
    assert (by_text - plain).norm() > 1e-4 * plain.norm()


def test_edits_in_a_row_are_in_the_same_order():
    model, first, second = tiny.unet(), some_edit(1), some_edit(2)
    positive, negative = ([[random(1, 77, 768, seed=seed), {}]] for seed in (5, 6))

    def chained(*edits, route):
        edited = model
        for edit in edits:
            edited = apply_edit(edited, edit, route=route)
        return tiny.sample(edited, positive, negative)

    wanted = chained(first, second, route="weights")
    assert (chained(first, second, route="text") - wanted).norm() <= 1e-5 * wanted.norm()
    assert (chained(second, first, route="text") - wanted).norm() > 1e-4 * wanted.norm()


def test_an_edit_behind_the_text_route_takes_it_too():
    """A patch of the weights would be before it: W (I + P2) (I + P1)."""
    model = tiny.unet()
    both = apply_edit(apply_edit(model, some_edit(1), route="text"), some_edit(2))
    assert both.patches == {}
    mixed = apply_edit(apply_edit(model, some_edit(1)), some_edit(2), route="text")
    assert len(mixed.patches) == 14
    positive, negative = ([[random(1, 77, 768, seed=seed), {}]] for seed in (5, 6))
    wanted = tiny.sample(apply_edit(apply_edit(model, some_edit(1)), some_edit(2)), positive, negative)
    for edited in (both, mixed):
        assert (tiny.sample(edited, positive, negative) - wanted).norm() <= 1e-5 * wanted.norm()


def test_the_clone_s_route_is_its_own():
    model = tiny.unet()
    one = apply_edit(model, some_edit(1), route="text")
    two = apply_edit(one, some_edit(2), route="text")
    (route,) = one.model_options["transformer_options"]["patches"]["attn2_patch"]
    (both,) = two.model_options["transformer_options"]["patches"]["attn2_patch"]
    assert (len(route.steps), len(both.steps)) == (1, 2)
    assert "patches" not in model.model_options["transformer_options"]
    moved = both.to(torch.device("meta"))
    assert isinstance(moved, TextRoute) and moved.steps[1].left.device.type == "meta"
    assert both.steps[1].left.device.type == "cpu"


def test_a_lora_meets_the_edited_text_on_both_sides():
    """W_lora (I + P), whether the LoRA comes before or after the edit."""
    model, edit, context = tiny.unet(), some_edit(1), random(1, 77, 768, seed=4)
    name = cross_attention(model).projections[0].name
    adapter, ba = lora(model.model.state_dict()[name], seed=3)
    p = edit.left.double() @ edit.right.double().T
    wanted = (context.double() + context.double() @ p.T) @ (model.model.state_dict()[name].double() + ba).T
    after = apply_edit(model, edit, route="text").clone()
    after.add_patches({name: adapter}, 1.0)
    before = model.clone()
    before.add_patches({name: adapter}, 1.0)
    for edited in (after, apply_edit(before, edit, route="text")):
        assert largest_error({name: projected(edited, context)[name]}, {name: wanted}) <= 1e-5


def test_other_families_have_no_text_route():
    from host.models.families import CASES

    wan = next(case for case in CASES if case.name == "Cosmos-Predict2").model()
    with pytest.raises(ValueError, match="route is 'text', which only U-Nets .* CosmosPredict2; use TIME Edit Conditioning"):
        apply_edit(wan, some_edit(0, width=48), route="text")
    with pytest.raises(ValueError, match="route is 'fast'"):
        apply_edit(tiny.unet(), some_edit(0), route="fast")
