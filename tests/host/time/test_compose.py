"""An edited model in the host's graph: merged, saved, compiled, loaded in part, and beside other clones."""

import importlib

import comfy.model_management
import comfy.ops
import comfy.sd
import comfy.utils
import comfy_aimdo.control
import comfy_aimdo.host_buffer
import pytest
import torch
from comfy.memory_management import tensors_to_geometries, vram_aligned_size
from comfy.model_management import load_models_gpu
from comfy.model_patcher import ModelPatcher, ModelPatcherDynamic
from comfy_api.torch_helpers import set_torch_compile_wrapper
from host.models import tiny
from host.models.families import random
from host.time.test_adapter import factor, lora, relative, some_edit
from time_diffedit.time_core.application.apply import apply_edit
from time_diffedit.time_core.reading.projections import cross_attention
from torch.utils.flop_counter import FlopCounterMode

FLOAT32 = 2e-6


@pytest.fixture
def model():
    """Checked to have every bit of its weights back in the end."""
    model = tiny.unet()
    before = tiny.weights(model)
    yield model
    comfy.model_management.unload_all_models()
    after = model.model.state_dict()
    assert all(torch.equal(after[name], weight) for name, weight in before.items())


def names(model: ModelPatcher) -> list[str]:
    return [projection.name for projection in cross_attention(model).projections]


def conditioning(seed: int) -> list:
    return [[random(1, 77, 768, seed=seed), {}]]


def picture(model: ModelPatcher) -> torch.Tensor:
    return tiny.sample(model, conditioning(5), conditioning(6))


EDITS = {"E": (some_edit(1), 1.0), "F": (some_edit(2), -0.5)}
LORAS = {"L": 3, "M": 4}


def chained(model: ModelPatcher, order: str) -> ModelPatcher:
    """LoRAs and edits in a row, by their letters."""
    for step in order:
        if step in EDITS:
            model = apply_edit(model, *EDITS[step])
        else:
            model = model.clone()
            original = model.model.state_dict()
            model.add_patches({name: lora(original[name], LORAS[step])[0] for name in names(model)}, 0.8)
    return model


def by_hand(model: ModelPatcher, name: str, order: str) -> torch.Tensor:
    """The weight in float64; an edit multiplies what stands before it."""
    original = comfy.utils.get_attr(model.model, name).detach()
    weight = original.double()
    for step in order:
        weight = weight @ factor(*EDITS[step]) if step in EDITS else weight + 0.8 * lora(original, LORAS[step])[1]
    return weight


ORDERS = ("E", "LE", "EL", "LEM", "EF", "FE", "LEFM", "ELF", "LMEF")


@pytest.mark.parametrize("order", ORDERS)
def test_loras_and_edits_in_every_order(model, order):
    edited = chained(model, order)
    for name in names(model):
        assert relative(tiny.patched(edited, name), by_hand(model, name, order)) <= 2 * FLOAT32


def test_merging_with_an_edited_model(model):
    """As ModelMergeSimple: ratio of the first model's weights, the rest of the second's, which is edited."""
    edit, other = some_edit(1), tiny.unet(seed=3)
    edited = apply_edit(other, edit)
    merged = model.clone()
    patches = edited.get_key_patches("diffusion_model.")
    for key in patches:
        merged.add_patches({key: patches[key]}, 0.4, 0.6)
    for name in names(model):
        first, second = (m.model.state_dict()[name].double() for m in (model, other))
        assert relative(tiny.patched(merged, name), 0.6 * first + 0.4 * second @ factor(edit)) <= 2 * FLOAT32
    twice = apply_edit(merged, edit)
    name = names(model)[0]
    assert relative(tiny.patched(twice, name), tiny.patched(merged, name).double() @ factor(edit)) <= 2 * FLOAT32


def test_what_an_edit_changes_as_a_difference(model):
    """As ModelSubtract and ModelAdd: (edited - model) + another model."""
    edit, other = some_edit(1), tiny.unet(seed=3)
    difference = apply_edit(model, edit)
    patches = model.get_key_patches("diffusion_model.")
    for key in patches:
        difference.add_patches({key: patches[key]}, -1.0, 1.0)
    added = other.clone()
    patches = difference.get_key_patches("diffusion_model.")
    for key in patches:
        added.add_patches({key: patches[key]}, 1.0, 1.0)
    for name in names(model):
        first, second = (m.model.state_dict()[name].double() for m in (model, other))
        assert relative(tiny.patched(added, name), second + first @ (factor(edit) - torch.eye(768))) <= 4 * FLOAT32


def test_a_saved_checkpoint_holds_the_edited_weights(model, tmp_path):
    """What ModelSave and CheckpointSave call; the file is read back as an ordinary checkpoint's weights."""
    edit = some_edit(1)
    original = tiny.weights(model)
    path = str(tmp_path / "edited.safetensors")
    comfy.sd.save_checkpoint(path, apply_edit(model, edit))
    saved = comfy.utils.load_torch_file(path)
    for name in names(model):
        weight = saved[name.replace("diffusion_model.", "model.diffusion_model.")]
        assert relative(weight, original[name].double() @ factor(edit)) <= FLOAT32
    untouched = "model.diffusion_model.out.2.weight"
    assert torch.equal(saved[untouched], original["diffusion_model.out.2.weight"])


@pytest.mark.parametrize("route", ["weights", "text"])
def test_compiled(model, route):
    """By the host's own way to torch.compile; the tracing is the real one, what it makes runs as it is."""
    edited = apply_edit(model, some_edit(1), route=route)
    wanted, plain = picture(edited), picture(model)
    compiled = edited.clone()
    set_torch_compile_wrapper(compiled, backend="eager")
    got = picture(compiled)
    assert (got - wanted).norm() <= 1e-5 * wanted.norm()
    assert (got - plain).norm() > 1e-3 * plain.norm()


@pytest.mark.parametrize("order", ["E", "LEM"])
def test_loaded_in_part(model, order):
    """Low VRAM: only a few layers are loaded, the others patch their weights whenever they use them."""
    edited = chained(model, order)
    wanted = picture(edited)
    comfy.model_management.unload_all_models()
    low = edited.clone()
    low.load(tiny.CPU, lowvram_model_memory=10_000)
    waiting = [module for module in model.model.modules() if getattr(module, "weight_function", [])]
    assert len(waiting) >= 10
    x, sigma, context = random(1, 4, 8, 8, seed=1), torch.tensor([3.0]), random(1, 77, 768, seed=5)
    in_part = model.model.apply_model(x, sigma, c_crossattn=context)
    low.unpatch_model(tiny.CPU)
    load_models_gpu([edited])
    whole = model.model.apply_model(x, sigma, c_crossattn=context)
    assert (in_part - whole).norm() <= 1e-5 * whole.norm()
    assert torch.equal(picture(edited), wanted)


@pytest.fixture(scope="module")
def dynamic_vram():
    """The library behind dynamic VRAM, which main.py starts before it imports the host."""
    if not comfy_aimdo.control.init():
        pytest.skip("comfy-aimdo does not start on this system")
    importlib.reload(comfy_aimdo.host_buffer)


def faulted_in(layer: torch.nn.Module, dtype: torch.dtype, signature: int | None) -> torch.Tensor:
    """The layer's weight as dynamic VRAM makes it when the layer runs: `cast_modules_with_vbar` without its GPU memory.

    `signature` is None where the GPU has no room to keep the weight.
    """
    source, patch = [layer.weight, layer.bias], layer.weight_lowvram_function
    room = torch.empty(vram_aligned_size(source), dtype=torch.uint8)
    comfy.model_management.cast_to_gathered(source, room)
    factors = torch.empty(patch.memory_required(), dtype=torch.uint8)
    patch.prepare(factors, None, copy=True, commit=True)
    geometry = tensors_to_geometries(source)
    layer._prefetch = {
        "signature": signature,
        "resident": False,
        "xfer_dest": room,
        "cast_dest": None,
        "cast_geometry": geometry,
        "needs_cast": False,
    }
    weight, _ = comfy.ops.resolve_cast_module_with_vbar(layer, dtype, tiny.CPU, dtype, None, False)
    return weight


@pytest.mark.parametrize("order", ["E", "LEM", "EF"])
def test_dynamic_vram(model, order, dynamic_vram):
    """As far as it goes without a GPU: how the patches are attached, and what they make of weights on their way there."""
    dynamic = ModelPatcherDynamic(model.model, load_device=torch.device("meta"), offload_device=tiny.CPU)
    edited = chained(dynamic, order)
    assert edited.is_dynamic()
    edited.load_device = tiny.CPU  # which the constructor refuses
    edited.register_load_device(tiny.CPU)
    edited.load(tiny.CPU)
    patched = {
        f"{name}.weight": layer
        for name, layer in model.model.named_modules()
        if getattr(layer, "weight_lowvram_function", None) is not None
    }
    assert sorted(patched) == sorted(names(model))
    for name, layer in patched.items():
        wanted = by_hand(model, name, order)
        assert relative(faulted_in(layer, torch.float32, None), wanted) <= 2 * FLOAT32
        assert relative(faulted_in(layer, torch.float16, None), wanted) <= 2e-3
        kept = faulted_in(layer, torch.float32, signature=1)
        assert relative(kept, wanted) <= 2 * FLOAT32
        assert layer._prefetch["resident"]
        again, _ = comfy.ops.resolve_cast_module_with_vbar(layer, torch.float32, tiny.CPU, torch.float32, None, False)
        assert torch.equal(again, kept)  # once, and not again while it stays there
    edited.restore_loaded_backups()


def test_clones_sampled_in_turn(model):
    """Several edits of one model in one graph: each run is, bit for bit, what it is alone."""
    clones = [model, *(apply_edit(model, some_edit(seed), strength) for seed, strength in ((1, 1.0), (2, 1.0), (1, -1.0)))]
    alone = [picture(clone) for clone in clones]
    for order in ((3, 0, 2, 1), (1, 1, 0, 3)):
        for i in order:
            assert torch.equal(picture(clones[i]), alone[i])
    assert not any(torch.equal(alone[0], other) for other in alone[1:])


def test_sampling_costs_what_it_cost(model):
    """The edited model does the same arithmetic: the edit is in the weights."""
    x, sigma, context = random(1, 4, 8, 8, seed=1), torch.tensor([3.0]), random(1, 77, 768, seed=5)
    counts = []
    for which in (model, apply_edit(model, some_edit(1))):
        load_models_gpu([which])
        with FlopCounterMode(display=False) as counter:
            model.model.apply_model(x, sigma, c_crossattn=context)
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] > 0
