"""The edit on a tiny real model of every family: what its weights read, and what they make of it."""

import json

import comfy.supported_models as supported
import comfy.utils
import pytest
import torch
from comfy.model_management import load_models_gpu
from comfy.model_patcher import ModelPatcher
from comfy.quant_ops import QUANT_ALGOS, QuantizedTensor
from host.models import tiny
from host.models.families import CASES, ROWS, Case, random
from host.models.picture_families import HIDREAM, MOCHI
from time_diffedit.time_core.application.adapter import TimeAdapter
from time_diffedit.time_core.prompts.fingerprint import Fingerprint
from time_diffedit.time_core.reading.families import FAMILIES
from time_diffedit.time_core.reading.projections import cross_attention, text_entry
from time_diffedit.time_core.reading.projector import projector_of, projector_probe

STRENGTH = 0.7


def read(case: Case, model):
    return (text_entry if case.entry else cross_attention)(model)


def run(model, case: Case, modules: list[str]) -> tuple[dict, dict]:
    """One call of the model as sampling makes it; inputs and outputs of the named layers."""
    inputs, outputs, handles = {}, {}, []
    for name in modules:

        def record(module, args, output, name=name):
            inputs[name], outputs[name] = args[0].detach().clone(), output.detach().clone()

        handles.append(comfy.utils.get_attr(model.model, name).register_forward_hook(record))
    noise, embedding = random(*case.latent, seed=1), random(1, ROWS, case.embedding, seed=2)
    load_models_gpu([model])
    with torch.no_grad():
        base = model.model
        extra = {"pooled_output": None, **case.extra()}
        conds = base.extra_conds(cross_attn=embedding, noise=noise, device=tiny.CPU, **extra)
        conds = {name: cond.cond for name, cond in conds.items()}
        sigma = torch.tensor([float(base.model_sampling.sigma_max) / 2])
        base.apply_model(noise, sigma, c_crossattn=conds.pop("c_crossattn", None), **conds)
    for handle in handles:
        handle.remove()
    return inputs, outputs


def relative(value: torch.Tensor, reference: torch.Tensor) -> float:
    return ((value.double() - reference.double()).norm() / reference.double().norm()).item()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_edit_does_what_the_formula_says(case):
    model = case.model()
    before = tiny.weights(model)
    reading = read(case, model)
    assert (reading.family, reading.width) == (case.family, case.width)
    assert bool(reading.projector) == case.projector
    kinds = [projection.kind for projection in reading.projections]
    assert (kinds.count("key"), kinds.count("value"), kinds.count("entry")) == case.projections
    modules = list(dict.fromkeys(projection.name.removesuffix(".weight") for projection in reading.projections))

    inputs, _ = run(model, case, modules)
    embedding = random(1, ROWS, case.embedding, seed=2)
    projector = projector_of(model, case.entry)
    rows = embedding if projector is None else projector.project(embedding, case.extra())
    assert rows.shape[-1] == case.width
    first = case.text_rows_from
    for name in modules:
        captured = inputs[name].reshape(-1, case.width)[first : first + rows.shape[1]]
        assert relative(captured, rows[0]) <= 1e-5, name

    generator = torch.Generator().manual_seed(3)
    left, right = (torch.randn(case.width, 5, generator=generator) / case.width**0.5 for _ in range(2))
    p = left.double() @ right.double().T
    values = reading.chosen(True, True) if case.projections[2] else reading.chosen(False, True)
    for chosen in (reading.projections, values):
        edited = model.clone()
        keys = [projection.patch_key for projection in chosen]
        assert len(edited.add_patches(dict.fromkeys(keys, TimeAdapter(set(), (left, right))), STRENGTH)) == len(keys)
        seen, outputs = run(edited, case, modules)
        for name in modules:
            weight = before[f"{name}.weight"].double()
            wanted = weight.clone()
            for projection in (projection for projection in chosen if projection.name == f"{name}.weight"):
                part = slice(None) if projection.rows is None else slice(projection.rows[0], sum(projection.rows))
                wanted[part] = weight[part] + STRENGTH * weight[part] @ p
            bias = before.get(f"{name}.bias", torch.zeros(len(weight))).double()
            assert relative(outputs[name], seen[name].double() @ wanted.T + bias) <= 1e-5, name
    edited.unpatch_model(tiny.CPU)
    after = model.model.state_dict()
    assert all(torch.equal(after[name], weight) for name, weight in before.items())


@pytest.mark.parametrize("case", [case for case in CASES if case.projector], ids=lambda case: case.name)
def test_the_projector_is_recognised(case):
    model = case.model()
    probe = projector_probe(model, case.entry)
    assert probe and projector_of(model, case.entry).probe == probe
    assert projector_of(model, case.entry).name == case.family
    mine = Fingerprint("t5xxl", case.width, (), case.family, probe)
    rounded, other = case.model(), case.model()
    for parameter in rounded.model.parameters():
        parameter.data = parameter.data.to(torch.float8_e4m3fn).to(parameter.dtype)
    tiny.initialise(other.model, seed=8)
    assert mine.same_projector(case.family, projector_probe(rounded, case.entry))
    if any(weight.dim() > 1 for name, weight in model.model.named_parameters() if _of_projector(case, name)):
        assert not mine.same_projector(case.family, projector_probe(other, case.entry))


@pytest.mark.parametrize("case", [case for case in CASES if case.projector], ids=lambda case: case.name)
def test_a_projector_that_is_stored_in_8_bits_is_the_same(case):
    """Checkpoints that name their layers' quantisation, such as those of Wan, bring scales and list the bias first."""
    model = case.model()
    quantised, names = eight_bits(case, model)
    if not names:
        pytest.skip("no Linear in it")
    assert all(isinstance(comfy.utils.get_attr(quantised.model, name), QuantizedTensor) for name in names)
    before, after = (projector_of(each, case.entry) for each in (model, quantised))
    assert len(before.probe) == len(after.probe)
    fingerprint = Fingerprint("t5xxl", case.width, (), case.family, before.probe)
    assert fingerprint.same_projector(case.family, after.probe)
    embedding = random(1, ROWS, case.embedding, seed=2)
    rows, rounded = (projector.project(embedding, case.extra()) for projector in (before, after))
    assert relative(rounded, rows) <= 0.1


def eight_bits(case: Case, model: ModelPatcher) -> tuple[ModelPatcher, list[str]]:
    """The same model as a checkpoint in which the Linears of its projector are float8_e4m3fn, and their names."""
    layers = {name for name, layer in model.model.named_modules() if isinstance(layer, torch.nn.Linear)}
    weights = {name: weight.clone() for name, weight in model.model.state_dict().items()}
    names = [name for name in weights if _of_projector(case, name) and name.removesuffix(".weight") in layers]
    for name in names:
        tensor = QuantizedTensor.from_float(weights.pop(name), QUANT_ALGOS["float8_e4m3fn"]["comfy_tensor_layout"])
        named = json.dumps({"format": "float8_e4m3fn"}).encode()
        weights |= tensor.state_dict(name)
        weights[name.removesuffix("weight") + "comfy_quant"] = torch.frombuffer(bytearray(named), dtype=torch.uint8)
    config = case.model_class(dict(case.config))
    config.quant_config = {"mixed_ops": True}
    config.set_inference_dtype(torch.float32, torch.float32)
    loaded = config.get_model(case.state_dict(), device=tiny.CPU)
    loaded.load_state_dict(weights)
    return ModelPatcher(loaded, load_device=tiny.CPU, offload_device=tiny.CPU), names


def _of_projector(case: Case, name: str) -> bool:
    family = next(family for family in FAMILIES if family.name == case.family)
    return bool(family.projector_weights.fullmatch(name))


@pytest.mark.parametrize("case", [case for case in CASES if case.entry], ids=lambda case: case.name)
def test_joint_attention_is_told_apart(case):
    model = case.model()
    name = type(model.model).__name__
    with pytest.raises(ValueError, match=rf"The model \({name}\) has no cross-attention .*'text entry layer'.*Conditioning"):
        cross_attention(model)
    with pytest.raises(ValueError, match="reads text by one entry layer"):
        text_entry(model).chosen(True, False)


@pytest.mark.parametrize("case", [case for case in CASES if not case.entry], ids=lambda case: case.name)
def test_cross_attention_is_told_apart(case):
    with pytest.raises(ValueError, match="reads text by cross-attention; set where to 'cross-attention'"):
        text_entry(case.model())


REFUSED = (
    (
        supported.LTXV,
        {"image_model": "ltxv", "num_layers": 1, "num_attention_heads": 2, "attention_head_dim": 16, "cross_attention_dim": 32}
        | {"caption_channels": 40, "cross_attention_adaln": True},
        r"LTXV\) changes its text rows with the timestep",
    ),
    (
        supported.LTXAV,
        {"image_model": "ltxav", "num_layers": 1, "num_attention_heads": 2, "attention_head_dim": 16, "cross_attention_dim": 32}
        | {
            "caption_channels": 40,
            "audio_num_attention_heads": 2,
            "audio_attention_head_dim": 16,
            "audio_cross_attention_dim": 32,
        },
        r"LTXAV\) reads text by two projectors",
    ),
    (
        supported.Stable_Cascade_B,
        {"stable_cascade_stage": "b", "c_cond": 32, "c_hidden": [32] * 4, "nhead": [-1, -1, 2, 2]}
        | {"blocks": [[1] * 4, [1] * 4], "block_repeat": [[1] * 4, [1] * 4]},
        r"StableCascade_B\) reads one pooled vector",
    ),
    (
        supported.HunyuanVideo,
        {"image_model": "hunyuan_video", "in_channels": 16, "out_channels": 16, "patch_size": [1, 2, 2], "vec_in_dim": 16}
        | {"context_in_dim": 40, "hidden_size": 32, "mlp_ratio": 2.0, "num_heads": 2, "depth": 1, "depth_single_blocks": 1}
        | {"axes_dim": [4, 6, 6], "theta": 256, "qkv_bias": True, "guidance_embed": False, "byt5": False, "meanflow": False}
        | {"use_cond_type_embedding": False, "vision_in_dim": None, "meanflow_sum": False},
        r"HunyuanVideo\) has no cross-attention .*TIME Edit Conditioning can edit that",
    ),
    (supported.GenmoMochi, MOCHI, r"GenmoMochi\) has no cross-attention .*TIME Edit Conditioning can edit that"),
    (supported.HiDream, HIDREAM, r"HiDream\) has no cross-attention"),
)


@pytest.mark.parametrize(("model_class", "config", "message"), REFUSED, ids=lambda value: getattr(value, "__name__", None))
def test_what_cannot_be_edited_exactly_is_refused(model_class, config, message):
    model = model_class({**config, "dtype": torch.float32}).get_model({}, device=tiny.CPU)
    with pytest.raises(ValueError, match=message):
        cross_attention(ModelPatcher(model, load_device=tiny.CPU, offload_device=tiny.CPU))
