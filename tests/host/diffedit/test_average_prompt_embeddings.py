"""Average Prompt Embeddings with the host's own text encoders, small and with seeded random weights."""

import functools

import comfy.hooks
import comfy.model_management
import comfy.sd
import pytest
import torch
from comfy.sd1_clip import SD1ClipModel, SD1Tokenizer
from comfy.sdxl_clip import SDXLClipModel, SDXLTokenizer
from comfy.supported_models_base import ClipTarget
from comfy.text_encoders import anima, flux, hidream, hidream_o1, hunyuan_image, pixart_t5, qwen_image, sd3_clip
from comfy_extras.nodes_hooks import SetClipHooks
from host.models.tiny import CPU
from host.models.tiny_diffusion import interrupted
from time_diffedit.diffedit_core.model.conditioning import same_conditioning
from time_diffedit.nodes.diffedit.average_prompt_embeddings import AveragePromptEmbeddings

from nodes import CLIPTextEncode

PROMPTS = ("a bowl of apples", "three red apples in a white bowl on a wooden table", "fruit")
LONG = " and ".join(["a very red apple"] * 30)  # more than 77 and fewer than 154 tokens of CLIP
CLIP = {"num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 16}
T5 = {"num_layers": 1, "num_heads": 2, "d_kv": 4, "d_ff": 16}
LLM = {"num_hidden_layers": 4, "hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_key_value_heads": 1}
CONFIGS = {
    "clip_l_model_config": {**CLIP, "hidden_size": 16},
    "clip_g_model_config": {**CLIP, "hidden_size": 24, "projection_dim": 24},
    "llama_model_config": LLM,
    "qwen25_7b_model_config": LLM,
    "qwen3_06b_model_config": LLM,
}
SD3_WIDTH = 4096  # to which the host pads CLIP's rows
MODELS = {
    "SD 1": (SD1Tokenizer, SD1ClipModel),
    "SDXL": (SDXLTokenizer, SDXLClipModel),
    "SD3": (sd3_clip.SD3Tokenizer, sd3_clip.sd3_clip(), SD3_WIDTH),
    "SD3, T5 masked": (sd3_clip.SD3Tokenizer, sd3_clip.sd3_clip(t5_attention_mask=True), SD3_WIDTH),
    "Flux": (flux.FluxTokenizer, flux.flux_clip()),
    "PixArt": (pixart_t5.PixArtTokenizer, pixart_t5.pixart_te()),
    "Qwen-Image": (qwen_image.QwenImageTokenizer, qwen_image.te()),
    "HunyuanImage": (hunyuan_image.HunyuanImageTokenizer, hunyuan_image.te(byt5=False)),
    "HiDream": (hidream.HiDreamTokenizer, hidream.hidream_clip()),
    "Anima": (anima.AnimaTokenizer, anima.te()),
    "HiDream-O1": (hidream_o1.HiDreamO1Tokenizer, hidream_o1.HiDreamO1TE),
}
PLAIN = [name for name in MODELS if name not in ("SD3, T5 masked", "Anima", "HiDream-O1")]


@functools.cache
def encoder(name: str) -> comfy.sd.CLIP:
    """A text encoder of the host with its real tokenizer. Towers for pictures stay without weights."""
    tokenizer, model, t5_width = (*MODELS[name], 32)[:3]
    configs = {**CONFIGS, "t5xxl_model_config": {**T5, "d_model": t5_width}}
    options = {**configs, "load_device": CPU, "offload_device": CPU, "dtype": torch.float32}
    clip = comfy.sd.CLIP(ClipTarget(tokenizer, model), model_options=options)
    generator = torch.Generator().manual_seed(1)
    for name, weight in clip.cond_stage_model.named_parameters():
        if ".visual." in name:
            continue
        if weight.ndim > 1:
            rows = min(len(weight), 1009)  # vocabularies repeat: drawing them whole takes seconds
            drawn = torch.randn(rows, *weight.shape[1:], generator=generator) * 0.1
            weight.data = drawn[torch.arange(len(weight)) % rows]
        else:
            weight.data.fill_(0.0 if name.endswith("bias") else 1.0)
    return clip


@pytest.fixture(scope="module", autouse=True)
def encoders_are_let_go():
    """Their vocabularies alone take gigabytes."""
    yield
    encoder.cache_clear()


def run(clip, prompts: str) -> list:
    (conditioning,) = AveragePromptEmbeddings.execute(clip, prompts).result
    return conditioning


def encode(clip, prompt: str) -> list:
    (conditioning,) = CLIPTextEncode().encode(clip, prompt)
    return conditioning


def mean(parts: list[torch.Tensor]) -> torch.Tensor:
    """Row by row over the parts that have it, by hand."""
    longest = max(part.shape[-2] for part in parts)
    rows = [[part[..., i, :] for part in parts if i < part.shape[-2]] for i in range(longest)]
    return torch.stack([torch.stack(row).double().mean(0).float() for row in rows], dim=-2)


@pytest.mark.parametrize("name", MODELS)
def test_one_prompt_is_clip_text_encode(name):
    clip = encoder(name)
    for prompt in (PROMPTS[1], LONG):
        assert same_conditioning(run(clip, f"\n{prompt}\n"), encode(clip, prompt))


@pytest.mark.parametrize("name", PLAIN)
def test_several_prompts_are_their_mean(name):
    clip = encoder(name)
    ((rows, options),) = run(clip, "\n".join(PROMPTS))
    singly = [encode(clip, prompt)[0] for prompt in PROMPTS]
    assert torch.equal(rows, mean([single for single, _ in singly]))
    assert all(not torch.equal(rows, single) for single, _ in singly)
    assert options.keys() == singly[0][1].keys()
    for key, value in options.items():
        values = [single[key] for _, single in singly]
        if key == "conditioning_llama3":
            assert torch.equal(value, mean(values))
        elif values[0] is None:
            assert value is None
        else:
            assert key == "pooled_output"
            assert torch.equal(value, torch.stack(values).double().mean(0).float())


def test_a_line_written_twice_counts_twice():
    clip = encoder("SD 1")
    a, b = (encode(clip, prompt)[0][0] for prompt in PROMPTS[:2])
    ((rows, _),) = run(clip, "\n".join((PROMPTS[0], PROMPTS[1], PROMPTS[0])))
    assert torch.equal(rows, mean([a, b, a]))
    assert same_conditioning(run(clip, f"{LONG}\n{LONG}"), encode(clip, LONG))


@pytest.mark.parametrize("name", ["SD 1", "SDXL"])
def test_rows_that_only_a_long_prompt_has_are_its_own(name):
    clip = encoder(name)
    ((rows, _),) = run(clip, f"{PROMPTS[0]}\n{LONG}")
    short, long = (encode(clip, prompt)[0][0] for prompt in (PROMPTS[0], LONG))
    assert rows.shape[1] == long.shape[1] == 154 and short.shape[1] == 77
    assert torch.equal(rows[:, :77], mean([short, long[:, :77]])) and torch.equal(rows[:, 77:], long[:, 77:])


def test_the_t5_rows_of_sd3_meet_t5_rows_also_with_a_long_prompt():
    """The host puts them behind CLIP's rows, which are 77 for one prompt and 154 for the other."""
    clip = encoder("SD3")
    ((rows, _),) = run(clip, f"{PROMPTS[0]}\n{LONG}")
    short, long = (encode(clip, prompt)[0][0] for prompt in (PROMPTS[0], LONG))
    assert short.shape[1] == 77 + 77 and long.shape[1] == 154 + 180
    assert torch.equal(rows, torch.cat([mean([short[:, :77], long[:, :154]]), mean([short[:, 77:], long[:, 154:]])], dim=1))


def test_rows_that_the_attention_mask_hides_do_not_count():
    """SD3 with a masked T5: 77 rows of CLIP without a mask, then at least 77 of T5 with one."""
    clip = encoder("SD3, T5 masked")
    ((rows, options),) = run(clip, "\n".join(PROMPTS[:2]))
    (a, a_options), (b, b_options) = (encode(clip, prompt)[0] for prompt in PROMPTS[:2])
    lengths = [int(single["attention_mask"].sum()) for single in (a_options, b_options)]
    assert lengths[0] < lengths[1] < 77
    both, one = 77 + lengths[0], 77 + lengths[1]
    assert torch.equal(options["attention_mask"], b_options["attention_mask"])
    assert torch.equal(rows[:, :both], mean([a[:, :both], b[:, :both]]))
    assert torch.equal(rows[:, both:one], b[:, both:one])
    assert torch.equal(rows[:, one:], mean([a[:, one:], b[:, one:]]))


@pytest.mark.parametrize(("name", "key"), [("Anima", "t5xxl_ids"), ("HiDream-O1", "text_input_ids")])
def test_token_ids_have_no_mean(name, key):
    with pytest.raises(ValueError, match=f"another '{key}'"):
        run(encoder(name), "\n".join(PROMPTS))


def test_hooks_schedule_every_prompt():
    """A LoRA on the text encoder in the second half of the steps: one mean for each half."""
    hooks = comfy.hooks.create_hook_lora({}, 1.0, 1.0)
    hooks.hooks[0].need_weight_init = False
    weight = "clip_l.transformer.text_model.encoder.layers.0.self_attn.v_proj.weight"
    plain = encoder("SD 1")
    patch = 0.5 * torch.ones_like(plain.patcher.model_state_dict()[weight])
    keyframes = comfy.hooks.HookKeyframeGroup()
    for strength, start in ((0.0, 0.0), (1.0, 0.5)):
        keyframes.add(comfy.hooks.HookKeyframe(strength, start_percent=start))
    hooks.hooks[0].weights_clip = {weight: ("diff", (patch,))}
    hooks.set_keyframes_on_hooks(keyframes)
    (clip,) = SetClipHooks().apply_hooks(plain, True, True, hooks)

    averaged = run(clip, "\n".join(PROMPTS))
    singly = [encode(clip, prompt) for prompt in PROMPTS]
    assert len(averaged) == 2 and all(len(entries) == 2 for entries in singly)
    for i, (rows, options) in enumerate(averaged):
        assert torch.equal(rows, mean([entries[i][0] for entries in singly]))
        assert options["clip_start_percent"] == (0.0, 0.5)[i] and options["hooks"] is singly[0][i][1]["hooks"]
    assert not torch.equal(averaged[0][0], averaged[1][0])


def test_stops_when_interrupted():
    with interrupted():
        comfy.model_management.interrupt_current_processing(True)
        run(encoder("SD 1"), PROMPTS[0])


def test_bad_input():
    with pytest.raises(ValueError, match="^prompts is empty"):
        run(encoder("SD 1"), " \n")
    with pytest.raises(ValueError, match="^clip is empty"):
        run(None, "a")
