"""The LoRA file, read by the host's own loader and by diffusers."""

import dataclasses
import inspect
from pathlib import Path

import comfy.lora
import comfy.model_management
import comfy.sd
import comfy.sd1_clip
import comfy.utils
import pytest
import torch
from comfy.model_management import load_models_gpu
from comfy.model_patcher import ModelPatcher
from comfy.supported_models import SDXL
from comfy.weight_adapter import LoRAAdapter
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    LTXPipeline,
    LTXVideoTransformer3DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
    WanPipeline,
    WanTransformer3DModel,
)
from host.models import tiny
from host.models.families import CASES, Case
from host.time.test_quantised import MODELS as QUANTISED
from host.time.test_quantised import dequantised, of_this_host
from safetensors.torch import load_file, save_file
from time_diffedit.nodes.shared import places
from time_diffedit.nodes.shared.time_inputs import CROSS_ATTENTION, TEXT_ENTRY
from time_diffedit.nodes.time.time_save_lora import TIMESaveLoRA
from time_diffedit.time_core.application.apply import apply_edit
from time_diffedit.time_core.application.lora import export_lora, lora_names
from time_diffedit.time_core.equations.time_edit import Diagnostics, TimeEdit
from time_diffedit.time_core.prompts.fingerprint import Fingerprint
from time_diffedit.time_core.prompts.pairs import Settings
from time_diffedit.time_core.reading.current_weight import current_weight
from time_diffedit.time_core.reading.families.text_reading import TextReading
from time_diffedit.time_core.reading.projections import cross_attention, text_entry
from time_diffedit.time_core.reading.projector import projector_probe
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

# Of the change: the tolerance of the export, and twice float16's rounding of two factors.
TOLERANCE, ROUNDING = 1e-3, 1e-3


def some_edit(width: int, rank: int = 24, **settings) -> TimeEdit:
    generator = torch.Generator().manual_seed(3)
    decay = 0.6 ** torch.arange(rank)
    left, right = (torch.randn(width, rank, generator=generator) / width**0.5 for _ in range(2))
    return TimeEdit(
        left * decay,
        right,
        (),
        (),
        Settings(**settings),
        Fingerprint("l", width, (1.0,)),
        (),
        Diagnostics(1, 1, 0.1, rank, 1.0, 0.0, 1.0, 0.0),
    )


def sdxl() -> ModelPatcher:
    """SDXL's layout: two levels with transformers, two blocks deep in the second."""
    settings = {
        **tiny.UNET,
        "context_dim": 2048,
        "use_linear_in_transformer": True,
        "adm_in_channels": 2816,
        "num_classes": "sequential",
        "num_heads": -1,
        "num_head_channels": 16,
        "transformer_depth": [0, 2],
        "transformer_depth_middle": 2,
        "transformer_depth_output": [0, 0, 2, 2],
    }
    model = SDXL(settings).get_model({}, device=tiny.CPU)
    tiny.initialise(model, 5)
    return ModelPatcher(model, load_device=tiny.CPU, offload_device=tiny.CPU)


FUSED = ("PixArt", "HunyuanDiT", "Stable Audio")
MODELS = {"SD 1.x": (tiny.unet, 768), "SDXL": (sdxl, 2048)}


def relative(value: torch.Tensor, reference: torch.Tensor) -> float:
    return ((value.double() - reference.double()).norm() / reference.double().norm()).item()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("strength", [1.0, -0.5])
def test_the_host_s_loader_makes_the_edited_weights(name, strength, caplog):
    make, width = MODELS[name]
    model, edit = make(), some_edit(width)
    lora = export_lora(model, edit, strength, TOLERANCE)
    with caplog.at_level("WARNING"):
        loaded, _ = comfy.sd.load_lora_for_models(model, None, dict(lora.tensors), 1.0, 0.0)
    assert not [record for record in caplog.records if "NOT LOADED" in record.message or "lora key" in record.message]
    edited = apply_edit(model, edit, strength)
    assert set(loaded.patches) == set(edited.patches)
    for weight_name in edited.patches:
        before = model.model.state_dict()[weight_name]
        wanted = tiny.patched(edited, weight_name) - before
        assert relative(tiny.patched(loaded, weight_name) - before, wanted) <= TOLERANCE + ROUNDING
    assert max(lora.errors) <= TOLERANCE + ROUNDING


def diffusers_unet(model: ModelPatcher, **config) -> tuple[UNet2DConditionModel, dict[str, str]]:
    """The same network in diffusers, and the host's name for each of its weights."""
    names = comfy.utils.unet_to_diffusers(model.model.model_config.unet_config)
    unet = UNet2DConditionModel(sample_size=8, norm_num_groups=32, layers_per_block=1, block_out_channels=(32, 64), **config)
    weights = model.model.diffusion_model.state_dict()
    unet.load_state_dict({theirs: weights[ours] for theirs, ours in names.items() if theirs in unet.state_dict()}, strict=False)
    return unet, names


def pipeline(unet: UNet2DConditionModel) -> StableDiffusionPipeline | StableDiffusionXLPipeline:
    """diffusers' whole pipeline around `unet`, the other parts as small as they go."""
    config = CLIPTextConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=99, projection_dim=8
    )
    parts = {
        "vae": AutoencoderKL(block_out_channels=(4,), norm_num_groups=4, latent_channels=4),
        "text_encoder": CLIPTextModel(config),
        "tokenizer": CLIPTokenizer.from_pretrained(Path(comfy.sd1_clip.__file__).parent / "sd1_tokenizer"),
        "unet": unet,
        "scheduler": DDIMScheduler(),
    }
    if unet.config.cross_attention_dim == 2048:
        second = {"text_encoder_2": CLIPTextModelWithProjection(config), "tokenizer_2": parts["tokenizer"]}
        return StableDiffusionXLPipeline(**parts, **second, add_watermarker=False)
    return StableDiffusionPipeline(**parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False)


@pytest.mark.parametrize("name", MODELS)
def test_diffusers_makes_the_same_weights(name, tmp_path):
    make, width = MODELS[name]
    model, edit = make(), some_edit(width)
    if name == "SDXL":
        config = {
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
            "transformer_layers_per_block": (1, 2),
            "attention_head_dim": (2, 4),
            "use_linear_projection": True,
            "cross_attention_dim": 2048,
        }
    else:
        config = {
            "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
            "attention_head_dim": 8,
            "cross_attention_dim": 768,
        }
    unet, names = diffusers_unet(model, **config)
    save_file(export_lora(model, edit, 1.0, TOLERANCE).tensors, tmp_path / "edit.safetensors")
    pipeline(unet).load_lora_weights(str(tmp_path), weight_name="edit.safetensors")
    edited = apply_edit(model, edit)
    seen = 0
    for theirs, ours in names.items():
        weight_name = f"diffusion_model.{ours}"
        if weight_name not in edited.patches:
            continue
        layer = unet.get_submodule(theirs.removesuffix(".weight"))
        before = model.model.state_dict()[weight_name]
        assert torch.equal(layer.base_layer.weight, before)
        wanted = tiny.patched(edited, weight_name) - before
        assert relative(layer.get_delta_weight("default_0"), wanted) <= TOLERANCE + ROUNDING
        seen += 1
    assert seen == len(edited.patches)


def of_family(case: Case, **settings) -> tuple[ModelPatcher, TextReading, TimeEdit, str]:
    """The family's tiny model, how it reads text, an edit for it, and where that goes."""
    model = case.model()
    reading = (text_entry if case.entry else cross_attention)(model)
    fingerprint = Fingerprint("l", reading.width, (1.0,), reading.projector, projector_probe(model, case.entry))
    edit = dataclasses.replace(some_edit(reading.width, **settings), fingerprint=fingerprint)
    return model, reading, edit, TEXT_ENTRY if case.entry else CROSS_ATTENTION


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_host_s_loader_reads_every_family(case, caplog):
    """For values alone, so that half of a fused weight must stay."""
    model, reading, edit, where = of_family(case, edit_keys=case.projections[2] > 0)
    lora = export_lora(model, edit, 1.0, TOLERANCE, where)
    with caplog.at_level("WARNING"):
        loaded, _ = comfy.sd.load_lora_for_models(model, None, dict(lora.tensors), 1.0, 0.0)
    assert not [record for record in caplog.records if "NOT LOADED" in record.message or "lora key" in record.message]
    edited = apply_edit(model, edit, 1.0, where, "weights")
    chosen = reading.chosen(edit.settings.edit_keys, True)
    assert set(loaded.patches) == set(edited.patches) == {projection.name for projection in chosen}
    before = model.model.state_dict()
    for weight_name in edited.patches:
        wanted = tiny.patched(edited, weight_name) - before[weight_name]
        assert relative(tiny.patched(loaded, weight_name) - before[weight_name], wanted) <= TOLERANCE + ROUNDING
    for projection in set(reading.projections) - set(chosen):
        rows = slice(None) if projection.rows is None else slice(projection.rows[0], sum(projection.rows))
        assert torch.equal(tiny.patched(loaded, projection.name)[rows], before[projection.name][rows])


# Per family diffusers' pipeline, its transformer of the same widths, and its name for a weight of the host's.
TRANSFORMERS = {
    "SD3": (
        StableDiffusion3Pipeline,
        lambda: SD3Transformer2DModel(
            num_layers=1, num_attention_heads=2, joint_attention_dim=40, caption_projection_dim=128, pooled_projection_dim=16
        ),
        lambda name: "context_embedder",
    ),
    "Flux": (
        FluxPipeline,
        lambda: FluxTransformer2DModel(
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=40,
            pooled_projection_dim=16,
            axes_dims_rope=(4, 6, 6),
        ),
        lambda name: "context_embedder",
    ),
    "LTX-Video": (
        LTXPipeline,
        lambda: LTXVideoTransformer3DModel(
            num_attention_heads=2, attention_head_dim=16, cross_attention_dim=32, num_layers=2, caption_channels=40
        ),
        lambda name: name,
    ),
    "Wan 2.1": (
        WanPipeline,
        lambda: WanTransformer3DModel(
            num_attention_heads=4, attention_head_dim=12, text_dim=40, freq_dim=16, ffn_dim=32, num_layers=2
        ),
        lambda name: name.replace("cross_attn.", "attn2.to_"),
    ),
}


@pytest.mark.parametrize("case", [case for case in CASES if case.name in TRANSFORMERS], ids=lambda case: case.name)
def test_diffusers_reads_the_transformers(case, tmp_path):
    model, _, edit, where = of_family(case)
    save_file(export_lora(model, edit, 1.0, TOLERANCE, where).tensors, tmp_path / "edit.safetensors")
    kind, make, name_of = TRANSFORMERS[case.name]
    transformer = make()
    others = [name for name, part in inspect.signature(kind).parameters.items() if part.default is part.empty]
    parts = {**dict.fromkeys(others), "transformer": transformer}
    kind(**parts).load_lora_weights(str(tmp_path), weight_name="edit.safetensors")
    edited = apply_edit(model, edit, 1.0, where, "weights")
    seen = 0
    for weight_name in edited.patches:
        theirs = name_of(weight_name.removeprefix("diffusion_model.").removesuffix(".weight"))
        wanted = tiny.patched(edited, weight_name) - model.model.state_dict()[weight_name]
        assert relative(transformer.get_submodule(theirs).get_delta_weight("default_0"), wanted) <= TOLERANCE + ROUNDING
        seen += 1
    assert seen == sum(hasattr(module, "get_delta_weight") for module in transformer.modules())


@pytest.mark.parametrize("tolerance", [0.0, 1e-3, 0.03, 0.3])
def test_the_tolerance_is_kept_with_the_smallest_rank(tolerance):
    model, edit = tiny.unet(), some_edit(768)
    lora = export_lora(model, edit, 1.0, tolerance)
    names = lora_names(model)
    needed = []
    for error, name in zip(lora.errors, dict.fromkeys(apply_edit(model, edit).patches), strict=True):
        assert error <= tolerance + ROUNDING
        delta = current_weight(model, name).double() @ edit.left.double() @ edit.right.double().T
        values = torch.linalg.svdvals(delta)
        needed.append(next(r for r in range(1, 769) if values[r:].norm() <= max(tolerance, 1e-12) * values.norm()))
        assert lora.tensors[f"{names[name]}.lora_down.weight"].shape == (lora.rank, 768)
        assert lora.tensors[f"{names[name]}.alpha"].item() == lora.rank
    assert lora.rank == max(needed)


def test_weights_with_fewer_rows_than_the_rank():
    """The tiny UNet has keys of 32 and of 64 rows."""
    model, edit = (
        tiny.unet(),
        dataclasses.replace(some_edit(768, 60), left=torch.eye(768)[:, :60], right=torch.eye(768)[:, :60]),
    )
    lora = export_lora(model, edit, tolerance=0.0)
    assert lora.rank == 60
    assert {tensor.shape[0] for name, tensor in lora.tensors.items() if name.endswith("lora_down.weight")} == {60}
    assert max(lora.errors) <= ROUNDING


def test_a_larger_tolerance_is_a_smaller_rank():
    ranks = [export_lora(tiny.unet(), some_edit(768), 1.0, tolerance).rank for tolerance in (0.0, 1e-3, 0.03, 0.3)]
    assert ranks == sorted(ranks, reverse=True) and len(set(ranks)) == 4


def test_names_that_other_programs_know():
    names = set(lora_names(tiny.unet()).values())
    assert "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k" in names
    assert "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_v" in names


def test_a_lora_before_counts_as_part_of_the_model():
    """W_lora (I + P) - W_lora, also while that model or another clone is loaded, whose patches are then in the memory."""
    model, edit = tiny.unet(), some_edit(768)
    reading = cross_attention(model)
    generator = torch.Generator().manual_seed(0)
    with_lora = model.clone()
    for projection in reading.projections:
        out = model.model.state_dict()[projection.name].shape[0]
        up, down = torch.randn(out, 4, generator=generator) * 0.1, torch.randn(4, 768, generator=generator) * 0.1
        with_lora.add_patches({projection.name: LoRAAdapter(set(), (up, down, None, None, None, None))}, 1.0)
    before = {p.name: tiny.patched(with_lora, p.name) for p in reading.projections}
    lora = export_lora(with_lora, edit)
    plain = export_lora(model, edit)
    load_models_gpu([with_lora])
    again, still_plain = export_lora(with_lora, edit), export_lora(model, edit)
    with_lora.unpatch_model(tiny.CPU)
    names = lora_names(model)
    p = edit.left.double() @ edit.right.double().T
    for weight_name, weight in before.items():
        up, down = (lora.tensors[f"{names[weight_name]}.lora_{part}.weight"].double() for part in ("up", "down"))
        assert relative(up @ down, weight.double() @ p) <= TOLERANCE + ROUNDING
        assert not torch.equal(up, plain.tensors[f"{names[weight_name]}.lora_up.weight"].double())
        assert torch.equal(up, again.tensors[f"{names[weight_name]}.lora_up.weight"].double())
    assert all(torch.equal(tensor, still_plain.tensors[name]) for name, tensor in plain.tensors.items())


@pytest.mark.parametrize("name", of_this_host(QUANTISED))
def test_weights_in_8_bits_count_as_what_they_stand_for(name):
    model, edit = QUANTISED[name](), some_edit(768)
    lora, names = export_lora(model, edit), lora_names(model)
    p = edit.left.double() @ edit.right.double().T
    for projection in cross_attention(model).projections:
        up, down = (lora.tensors[f"{names[projection.name]}.lora_{part}.weight"].double() for part in ("up", "down"))
        assert relative(up @ down, dequantised(model, projection.name) @ p) <= TOLERANCE + ROUNDING


def test_the_edited_model_is_refused():
    """TIME Edit Model gives both, so that they are easily wired together. Another edit before is a patch like any other."""
    model, edit = tiny.unet(), some_edit(768)
    other = dataclasses.replace(edit, left=-edit.left)
    with pytest.raises(ValueError, match="model already has this edit .*from before the edit"):
        export_lora(apply_edit(apply_edit(model, edit, 0.5), other), edit)
    with_other = apply_edit(model, other)
    lora, names = export_lora(with_other, edit), lora_names(model)
    p = edit.left.double() @ edit.right.double().T
    for name in with_other.patches:
        up, down = (lora.tensors[f"{names[name]}.lora_{part}.weight"].double() for part in ("up", "down"))
        assert relative(up @ down, tiny.patched(with_other, name).double() @ p) <= TOLERANCE + ROUNDING


@pytest.mark.parametrize("tolerance", [0.0, TOLERANCE])
@pytest.mark.parametrize("case", [case for case in CASES if case.name in FUSED], ids=lambda case: case.name)
def test_rows_of_a_fused_weight_that_are_not_edited_are_zeros(case, tolerance):
    """Large on purpose: what is left of float64's rounding must not show in float16 either."""
    model, reading, edit, where = of_family(case, edit_keys=False)
    lora = export_lora(model, edit, 1e4, tolerance, where)
    names, fused = lora_names(model), 0
    for projection in set(reading.projections) - set(reading.chosen(False, True)):
        entries = [tensor for name, tensor in lora.tensors.items() if name.startswith(f"{names[projection.name]}.lora_")]
        up = next(tensor for tensor in entries if tensor.shape[1] == lora.rank and tensor.shape[0] > lora.rank)
        start, length = projection.rows
        assert not up[start : start + length].any() and up.any()
        fused += 1
    assert fused


def test_values_of_some_layers_alone():
    lora = export_lora(tiny.unet(), some_edit(768, edit_keys=False, layers="up"))
    assert len(lora.errors) == 4
    assert all("up_blocks" in name and "to_v" in name for name in lora.tensors)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tolerance": -0.1}, "tolerance is -0.1"),
        ({"tolerance": 1.0}, "tolerance is 1.0"),
        ({"strength": 0.0}, "strength is 0"),
        ({"strength": float("nan")}, "strength is nan"),
        ({"strength": float("inf")}, "strength is inf"),
        ({"strength": 1e12}, "too large for float16"),
    ],
)
def test_bad_input_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        export_lora(tiny.unet(), some_edit(768), **{"strength": 1.0, "tolerance": TOLERANCE, **changes})


def test_the_node_writes_what_the_loader_reads(tmp_path, monkeypatch):
    import folder_paths

    monkeypatch.setitem(folder_paths.folder_names_and_paths, places.LORAS, ([str(tmp_path)], {".safetensors"}))
    model, edit = tiny.unet(), some_edit(768)
    output = TIMESaveLoRA.execute(model, edit, "flowers/roses", 1.0, 0.001, "models")
    path = tmp_path / "flowers" / "roses.safetensors"
    first, second = output.ui.as_dict()["text"][0].splitlines()
    assert first.startswith("saved models/loras/flowers/roses.safetensors, ") and second.startswith("14 weights, rank")
    tensors, metadata = comfy.utils.load_torch_file(str(path), safe_load=True, return_metadata=True)
    assert metadata["time_diffedit.tolerance"] == "0.001"
    assert set(tensors) == set(load_file(path)) and len(tensors) == 42
    assert (
        comfy.sd.load_lora_for_models(model, None, tensors, 1.0, 0.0)[0].patches.keys()
        == apply_edit(model, edit).patches.keys()
    )


def test_a_weight_of_zeros_stays_one():
    model, edit = tiny.unet(), some_edit(768)
    name = cross_attention(model).projections[0].name
    comfy.utils.get_attr(model.model, name).data.zero_()
    lora = export_lora(model, edit)
    assert lora.errors[0] == 0.0 and 0.0 < max(lora.errors) <= TOLERANCE + ROUNDING
    assert not lora.tensors[f"{lora_names(model)[name]}.lora_up.weight"].any()


def test_an_interrupt_leaves_no_file(tmp_path, monkeypatch):
    import folder_paths

    monkeypatch.setitem(folder_paths.folder_names_and_paths, places.LORAS, ([str(tmp_path)], {".safetensors"}))
    comfy.model_management.interrupt_current_processing()
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        TIMESaveLoRA.execute(tiny.unet(), some_edit(768), "roses", 1.0, 0.001, "models")
    assert not list(tmp_path.iterdir())
