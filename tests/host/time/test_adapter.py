"""The edit as a weight patch of real host models."""

import gc
from types import SimpleNamespace

import comfy.lora
import pytest
import torch
from comfy.model_management import load_models_gpu
from comfy.model_patcher import LowVramPatch, ModelPatcher
from comfy.supported_models import SD20, SDXL, SVD_img2vid
from comfy.weight_adapter import BypassForwardHook, LoRAAdapter
from host.models import tiny
from time_diffedit.time_core.application.adapter import TimeAdapter
from time_diffedit.time_core.application.apply import apply_edit
from time_diffedit.time_core.prompts.fingerprint import Fingerprint
from time_diffedit.time_core.prompts.pairs import Settings
from time_diffedit.time_core.reading.projections import cross_attention

WIDTH, RANK = 768, 24
# Products of float32 matrices; the references are float64.
FLOAT32 = 2e-6


def some_edit(seed: int, width: int = WIDTH, **settings) -> SimpleNamespace:
    """What `apply_edit` reads of a TimeEdit; a P of about half the identity's length."""
    generator = torch.Generator().manual_seed(seed)
    left, right = (torch.randn(width, RANK, generator=generator) / (width * RANK) ** 0.25 * 0.7 for _ in range(2))
    return SimpleNamespace(
        left=left, right=right, text_width=width, settings=Settings(**settings), fingerprint=Fingerprint("l", width, (1.0,))
    )


def factor(edit, strength: float = 1.0) -> torch.Tensor:
    """I + strength P, float64."""
    return torch.eye(edit.text_width, dtype=torch.float64) + strength * edit.left.double() @ edit.right.double().T


def relative(value: torch.Tensor, reference: torch.Tensor) -> float:
    return ((value.double() - reference).norm() / reference.norm()).item()


def lora(weight: torch.Tensor, seed: int, rank: int = 4) -> tuple[LoRAAdapter, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    up = torch.randn(weight.shape[0], rank, generator=generator) * 0.1
    down = torch.randn(rank, weight.shape[1], generator=generator) * 0.1
    return LoRAAdapter(set(), (up, down, None, None, None, None)), up.double() @ down.double()


@pytest.fixture(scope="module")
def model():
    return tiny.unet()


@pytest.fixture(scope="module")
def names(model):
    return tuple(projection.name for projection in cross_attention(model).projections)


@pytest.fixture(scope="module")
def original(model):
    return tiny.weights(model)


@pytest.fixture(autouse=True)
def the_model_stays_as_it_is(model, original):
    yield
    after = model.model.state_dict()
    assert all(torch.equal(after[name], original[name]) for name in original)
    assert model.patches == {}


@pytest.mark.parametrize("strength", [1.0, 0.3, -1.5])
def test_patched_weights_equal_the_formula(model, names, original, strength):
    edit = some_edit(0)
    clone = apply_edit(model, edit, strength)
    assert set(clone.patches) == set(names)
    for name in names:
        assert relative(tiny.patched(clone, name), original[name].double() @ factor(edit, strength)) <= FLOAT32
        assert not torch.equal(tiny.patched(clone, name), original[name])


def test_all_cross_attention_and_nothing_else(model, names):
    """Seven attention blocks of the tiny UNet, a key and a value each; self-attention (attn1) is not among them."""
    blocks = [name for name in model.model.state_dict() if name.endswith(("attn2.to_k.weight", "attn2.to_v.weight"))]
    assert sorted(names) == sorted(blocks)
    assert len(names) == 14


@pytest.mark.parametrize(("edit_keys", "edit_values"), [(True, False), (False, True)])
def test_keys_or_values_alone(model, edit_keys, edit_values):
    clone = apply_edit(model, some_edit(0, edit_keys=edit_keys, edit_values=edit_values))
    assert len(clone.patches) == 7
    assert all(name.endswith("attn2.to_k.weight" if edit_keys else "attn2.to_v.weight") for name in clone.patches)


def test_strength_zero_is_the_model(model):
    clone = apply_edit(model, some_edit(0), 0.0)
    assert clone is not model
    assert clone.patches == {}


def test_a_lora_before_the_edit_is_edited_too(model, names, original):
    """(W + BA)(I + P)."""
    edit, name = some_edit(0), names[0]
    adapter, ba = lora(original[name], 7)
    with_lora = model.clone()
    with_lora.add_patches({name: adapter}, 0.8)
    clone = apply_edit(with_lora, edit)
    expected = (original[name].double() + 0.8 * ba) @ factor(edit)
    assert relative(tiny.patched(clone, name), expected) <= FLOAT32


def test_a_lora_after_the_edit_is_added(model, names, original):
    """W(I + P) + BA."""
    edit, name = some_edit(0), names[0]
    adapter, ba = lora(original[name], 7)
    clone = apply_edit(model, edit)
    clone.add_patches({name: adapter}, 0.8)
    expected = original[name].double() @ factor(edit) + 0.8 * ba
    assert relative(tiny.patched(clone, name), expected) <= FLOAT32
    before = (original[name].double() + 0.8 * ba) @ factor(edit)
    assert relative(tiny.patched(clone, name), before) > 1e-3


def test_a_lora_file_loads_beside_the_edit(model, names, original):
    """The host's own way from a LoRA file's tensors to patches."""
    edit, name = some_edit(0), names[3]
    adapter, ba = lora(original[name], 8)
    up, down = adapter.weights[:2]
    key = name.removesuffix(".weight")
    patches = comfy.lora.load_lora(
        {f"{key}.lora_up.weight": up, f"{key}.lora_down.weight": down}, comfy.lora.model_lora_keys_unet(model.model, {})
    )
    clone = apply_edit(model, edit)
    assert clone.add_patches(patches, 1.0) == [name]
    assert relative(tiny.patched(clone, name), original[name].double() @ factor(edit) + ba) <= FLOAT32


def test_two_edits_multiply(model, names, original):
    """W(I + P1)(I + P2), in the order of the graph."""
    first, second = some_edit(0), some_edit(1)
    clone = apply_edit(apply_edit(model, first), second, 0.5)
    for name in names[:2]:
        expected = original[name].double() @ factor(first) @ factor(second, 0.5)
        assert relative(tiny.patched(clone, name), expected) <= FLOAT32


def test_two_edits_of_one_model_are_independent(model, names, original):
    edits = some_edit(0), some_edit(1)
    clones = [apply_edit(model, edit) for edit in edits]
    for clone, edit in zip(clones, edits, strict=True):
        expected = original[names[0]].double() @ factor(edit)
        assert relative(tiny.patched(clone, names[0]), expected) <= FLOAT32
    assert clones[0].patches_uuid != clones[1].patches_uuid


def test_loading_and_unloading_restores_every_bit(model, names, original):
    clone = apply_edit(model, some_edit(0))
    clone.patch_model(device_to=tiny.CPU)
    loaded = model.model.state_dict()
    assert all(not torch.equal(loaded[name], original[name]) for name in names)
    assert all(torch.equal(loaded[name], original[name]) for name in original if name not in names)
    clone.unpatch_model(device_to=tiny.CPU)
    restored = model.model.state_dict()
    assert all(torch.equal(restored[name], original[name]) for name in original)


def test_the_host_swaps_edited_and_original(model, names, original):
    """Both share their weights in memory; using one after the other patches and restores them."""
    edit = some_edit(0)
    clone = apply_edit(model, edit)
    for _ in range(2):
        load_models_gpu([clone])
        weight = model.model.state_dict()[names[0]]
        assert relative(weight, original[names[0]].double() @ factor(edit)) <= FLOAT32
        load_models_gpu([model])
        assert all(torch.equal(weight, original[name]) for name, weight in model.model.state_dict().items())
    load_models_gpu([clone])
    clone.detach()
    del clone
    gc.collect()
    assert all(torch.equal(weight, original[name]) for name, weight in model.model.state_dict().items())


def test_the_edited_model_reads_edited_text(model):
    """Keys and values of c under W' are those of (I + P) c under W, so the two models agree on all pictures."""
    edit = some_edit(0)
    generator = torch.Generator().manual_seed(3)
    x, text = torch.randn(2, 4, 8, 8, generator=generator), torch.randn(2, 77, WIDTH, generator=generator)
    sigma = torch.tensor([3.0, 0.7])
    mapped = (text.double() @ factor(edit).T).float()
    plain = model.model.apply_model(x, sigma, c_crossattn=text)
    expected = model.model.apply_model(x, sigma, c_crossattn=mapped)
    clone = apply_edit(model, edit)
    clone.patch_model(device_to=tiny.CPU)
    edited = model.model.apply_model(x, sigma, c_crossattn=text)
    clone.unpatch_model(device_to=tiny.CPU)
    assert relative(edited, expected.double()) <= 1e-5
    assert relative(edited, plain.double()) > 1e-3


def test_low_vram_patch(model, names, original):
    """Offloaded weights are patched at every cast, in the weight's own precision."""
    edit, name = some_edit(0), names[0]
    clone = apply_edit(model, edit)
    patch = LowVramPatch(name, clone.patches)
    expected = original[name].double() @ factor(edit)
    assert relative(patch(original[name].clone()), expected) <= FLOAT32
    assert relative(patch(original[name].to(torch.bfloat16)), expected) <= 1e-2
    assert relative(patch(original[name].to(torch.float16)), expected) <= 1e-3


def test_half_weights_lose_no_more_than_their_rounding(names, original):
    """The products run in float32 even if the weight is half: the result is the rounded weight, patched, rounded."""
    edit, weight = some_edit(0), original[names[0]].to(torch.float16)
    adapter = TimeAdapter(set(), (edit.left, edit.right))
    patched = adapter.calculate_weight(weight.clone(), "", 1.0, 1.0, None, lambda a: a, torch.float16)
    assert patched.dtype == torch.float16
    exact = weight.double() @ factor(edit)
    rounding = (exact.half().double() - exact).norm()
    assert (patched.double() - exact).norm() <= 2.5 * rounding  # the change and the sum are rounded


def test_prefetched_adapters_are_the_same(model, names, original):
    """Streaming copies the factors into one buffer and rebuilds the adapter around them."""
    edit, name = some_edit(0), names[0]
    patch = LowVramPatch(name, apply_edit(model, edit).patches)
    expected = patch(original[name].clone())
    assert patch.memory_required() >= 2 * WIDTH * RANK * 4
    buffer = torch.zeros(patch.memory_required(), dtype=torch.uint8)
    prepared = patch.prepare(buffer, None)
    assert isinstance(prepared[0][1], TimeAdapter)
    assert prepared[0][1].weights[0].data_ptr() != edit.left.data_ptr()
    assert torch.equal(patch(original[name].clone()), expected)


def test_a_slice_and_a_function(names, original):
    """A patch of some output rows, behind a function of the host's choosing (hooks and block weights use them)."""
    edit, weight = some_edit(0), original[names[0]].clone()
    adapter = TimeAdapter(set(), (edit.left, edit.right))
    patches = [(1.0, adapter, 1.0, (0, 8, 16), lambda change: 0.5 * change)]
    expected = weight.double()
    expected[8:24] = expected[8:24] @ factor(edit, 0.5)
    assert relative(comfy.lora.calculate_weight(patches, weight, names[0]), expected) <= FLOAT32


def test_bypass_is_exact():
    """The host's bypass mode: the module is left alone, its input is edited."""
    edit = some_edit(0)
    linear = torch.nn.Linear(WIDTH, 32)
    text = torch.randn(2, 77, WIDTH, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        plain = linear(text)
        hook = BypassForwardHook(linear, TimeAdapter(set(), (edit.left, edit.right)), multiplier=0.7)
        hook.inject()
        edited = linear(text)
        hook.eject()
        expected = text.double() @ (linear.weight.double() @ factor(edit, 0.7)).T + linear.bias.double()
        assert relative(edited, expected) <= FLOAT32
        assert torch.equal(linear(text), plain)
    with pytest.raises(NotImplementedError, match="use bypass_forward"):
        TimeAdapter(set(), (edit.left, edit.right)).h(text, plain)


def test_text_of_another_width_is_refused(model):
    with pytest.raises(ValueError, match=r"BaseModel\) reads text of width 768, but the edit's text encoder gives 1024"):
        apply_edit(model, some_edit(0, width=1024))


@pytest.mark.parametrize(
    ("config", "width", "pooled"),
    [(SD20, 1024, {}), (SDXL, 2048, {"adm_in_channels": 2816, "num_classes": "sequential"})],
)
def test_other_unet_families(config, width, pooled):
    settings = {**tiny.UNET, "context_dim": width, "use_linear_in_transformer": True, **pooled}
    model = config(settings).get_model({}, device=tiny.CPU)
    patcher = ModelPatcher(model, load_device=tiny.CPU, offload_device=tiny.CPU)
    reading = cross_attention(patcher)
    assert reading.width == width and reading.projector == ""
    assert [p.kind for p in reading.projections].count("key") == [p.kind for p in reading.projections].count("value") == 7
    assert [p.part for p in reading.projections[::2]] == ["down"] * 2 + ["middle"] + ["up"] * 4
    assert [p.block for p in reading.projections] == [n // 2 for n in range(14)]


def test_a_model_that_reads_pictures_is_refused():
    """Stable Video Diffusion: the projections of SD 2.x, fed with an image's embedding."""
    video = {
        "context_dim": 1024,
        "in_channels": 8,
        "use_linear_in_transformer": True,
        "use_temporal_attention": True,
        "use_temporal_resblock": True,
        "num_head_channels": 32,
        "adm_in_channels": 768,
        "num_classes": "sequential",
        "extra_ff_mix_layer": True,
        "merge_strategy": "learned_with_images",
        "video_kernel_size": [3, 1, 1],
    }
    model = SVD_img2vid({**tiny.UNET, **video}).get_model({}, device=tiny.CPU)
    with pytest.raises(ValueError, match=r"\(SVD_img2vid\) reads pictures and not text"):
        apply_edit(ModelPatcher(model, load_device=tiny.CPU, offload_device=tiny.CPU), some_edit(0, width=1024))


def test_a_model_without_projections_is_refused():
    """Cross-attention-free: the same UNet without its transformers."""
    bare = tiny.unet(transformer_depth=[0, 0], transformer_depth_middle=-1, transformer_depth_output=[0, 0, 0, 0])
    with pytest.raises(ValueError, match=r"The model \(BaseModel\) has no cross-attention key and value projections"):
        apply_edit(bare, some_edit(0))


@pytest.mark.parametrize("strength", [float("nan"), float("inf")])
def test_strength_must_be_finite(model, strength):
    with pytest.raises(ValueError, match=f"strength is {strength}"):
        apply_edit(model, some_edit(0), strength)


def test_neither_keys_nor_values(model):
    with pytest.raises(ValueError, match="edit_keys and edit_values are both off"):
        apply_edit(model, some_edit(0, edit_keys=False, edit_values=False))
