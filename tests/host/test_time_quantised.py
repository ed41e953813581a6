"""Edits of weights that are stored in 8 bits."""

import json

import comfy.utils
import pytest
import torch
from comfy.model_management import load_models_gpu
from comfy.model_patcher import ModelPatcher
from comfy.quant_ops import QuantizedTensor
from comfy.supported_models import SD15
from host import tiny
from host.families import random
from host.test_time_adapter import lora, some_edit
from time_diffedit.time_core.adapter import any_quantised, apply_edit
from time_diffedit.time_core.projections import cross_attention
from time_diffedit.time_core.text_route import TextRoute

EIGHT_BITS = torch.float8_e4m3fn


def plain_fp8() -> ModelPatcher:
    """As the host loads an fp8 checkpoint: 8-bit weights, cast to float32 when used."""
    config = SD15(dict(tiny.UNET))
    config.set_inference_dtype(EIGHT_BITS, torch.float32)
    model = config.get_model({}, device=tiny.CPU)
    source = tiny.unet().model.state_dict()
    model.load_state_dict({name: weight.to(EIGHT_BITS) for name, weight in source.items() if "diffusion" in name}, strict=False)
    return ModelPatcher(model, load_device=tiny.CPU, offload_device=tiny.CPU)


def scaled_fp8() -> ModelPatcher:
    """As the host loads a checkpoint that names its layers' quantisation: QuantizedTensor with a scale a weight."""
    config = SD15(dict(tiny.UNET))
    config.quant_config = {"mixed_ops": True}
    config.set_inference_dtype(torch.float32, torch.float32)
    model = config.get_model({}, device=tiny.CPU)
    weights = tiny.unet().model.state_dict()
    names = [projection.name for projection in cross_attention(tiny.unet()).projections]
    for name in names:
        layer, weight = name.removesuffix(".weight"), weights[name]
        scale = weight.abs().max() / torch.finfo(EIGHT_BITS).max
        weights[name] = (weight / scale).to(EIGHT_BITS)
        weights[f"{layer}.weight_scale"] = scale
        layout = json.dumps({"format": "float8_e4m3fn"}).encode()
        weights[f"{layer}.comfy_quant"] = torch.frombuffer(bytearray(layout), dtype=torch.uint8)
    model.load_state_dict(weights, strict=False)
    assert all(isinstance(comfy.utils.get_attr(model, name), QuantizedTensor) for name in names)
    return ModelPatcher(model, load_device=tiny.CPU, offload_device=tiny.CPU)


MODELS = {"plain fp8": plain_fp8, "scaled fp8": scaled_fp8}


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


@pytest.mark.parametrize("name", MODELS)
def test_the_text_route_is_exact_and_weights_are_rounded_again(name):
    model, edit, context = MODELS[name](), some_edit(0), random(1, 77, 768, seed=4)
    assert any_quantised(model, cross_attention(model).projections)
    p = edit.left.double() @ edit.right.double().T
    before = {n.name: dequantised(model, n.name) for n in cross_attention(model).projections}
    wanted = {n: (context.double() + context.double() @ p.T) @ weight.T for n, weight in before.items()}

    by_text = apply_edit(model, edit, route="text")
    assert by_text.patches == {}
    assert largest_error(projected(by_text, context), wanted) <= 1e-5
    by_itself = apply_edit(model, edit)
    assert by_itself.patches == {}
    assert largest_error(projected(by_itself, context), wanted) <= 1e-5

    by_weights = apply_edit(model, edit, route="weights")
    assert len(by_weights.patches) == 14
    error = largest_error(projected(by_weights, context), wanted)
    assert 0.01 < error < 0.1  # 3.9 % on the day it was written
    by_weights.unpatch_model(tiny.CPU)
    assert all(torch.equal(dequantised(model, n), weight) for n, weight in before.items())


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
    from host.families import CASES

    wan = next(case for case in CASES if case.name == "Cosmos-Predict2").model()
    with pytest.raises(ValueError, match="route is 'text', which only U-Nets .* CosmosPredict2; use TIME Edit Conditioning"):
        apply_edit(wan, some_edit(0, width=48), route="text")
    with pytest.raises(ValueError, match="route is 'fast'"):
        apply_edit(tiny.unet(), some_edit(0), route="fast")
