"""Zero-shot scores by the host's own CLIP and CLIP_VISION classes, small and random; a trained pair: test_toy_clip.py."""

import comfy.sd
import pytest
import torch
from comfy.sdxl_clip import SDXLClipModel, SDXLTokenizer
from comfy.supported_models_base import ClipTarget
from host.models import tiny
from safetensors.torch import save_file
from time_diffedit.time_core.balance.zero_shot import picture_embeddings, scores, text_embeddings

from tools.comfyui.environment import HOST, TOY_CHECKPOINT

SMALL = {"num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}


def two_encoders() -> comfy.sd.CLIP:
    """SDXL's two text encoders, 16 and 24 wide."""
    options = {
        "clip_l_model_config": {**SMALL, "hidden_size": 16},
        "clip_g_model_config": {**SMALL, "hidden_size": 24},
        "load_device": tiny.CPU,
        "offload_device": tiny.CPU,
    }
    clip = comfy.sd.CLIP(ClipTarget(SDXLTokenizer, SDXLClipModel), model_options=options)
    tiny.initialise(clip.cond_stage_model, seed=4)
    return clip


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.rand(18, 40, 28, 3, generator=torch.Generator().manual_seed(5))


def test_scores_are_cosines(pictures):
    clip, eye, texts = tiny.new_clip(1), tiny.clip_vision(), ["a red rose", "a blue rose", "(a)"]
    found = scores(clip, eye, pictures, texts)
    assert found.shape == (18, 3) and found.abs().max() <= 1 + 1e-6
    torch.testing.assert_close(found, picture_embeddings(eye, pictures) @ text_embeddings(clip, texts).T)
    raw = eye.encode_image(pictures)["image_embeds"].float()
    torch.testing.assert_close(picture_embeddings(eye, pictures), raw / raw.norm(dim=1, keepdim=True), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(text_embeddings(clip, texts).norm(dim=1), torch.ones(3))


def test_a_text_is_pooled_and_projected():
    """As the host pools it for SD 1.x, unprojected, times the projection; and the host's own use is not disturbed."""
    clip = tiny.new_clip(1)
    before = clip.encode_from_tokens(clip.tokenize("a blue rose"), return_pooled=True)
    found = text_embeddings(clip, ["a blue rose"])
    after = clip.encode_from_tokens(clip.tokenize("a blue rose"), return_pooled=True)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    expected = before[1].float() @ clip.cond_stage_model.clip_l.transformer.text_projection.weight.float().T
    torch.testing.assert_close(found, expected / expected.norm(), atol=1e-5, rtol=1e-4)


def test_parentheses_weight_nothing():
    clip = tiny.new_clip(1)
    bracketed, plain = text_embeddings(clip, ["a (rose:1.5)", "a rose"])
    assert not torch.allclose(bracketed, plain, atol=1e-4)


def test_the_encoder_whose_width_fits_is_chosen(pictures):
    clip = two_encoders()
    assert text_embeddings(clip, ["a rose"]).shape == (1, 24)
    for width in (16, 24):
        assert text_embeddings(clip, ["a rose"], width).shape == (1, width)
        assert scores(clip, tiny.clip_vision(projection_dim=width), pictures, ["a rose", "a cup"]).shape == (18, 2)
    with pytest.raises(ValueError, match=r"pictures have 768 numbers each.*g: 24, l: 16.*both halves of one CLIP"):
        scores(clip, tiny.clip_vision(), pictures, ["a rose"])


@pytest.mark.parametrize("junk", [0.0, float("nan"), 1e-7, float("inf")])
def test_memory_never_written_is_no_projection(junk):
    clip = tiny.new_clip(1)
    clip.cond_stage_model.clip_l.transformer.text_projection.weight.fill_(junk)
    with pytest.raises(ValueError, match="no text projection.*Load CLIP"):
        text_embeddings(clip, ["a rose"])


def test_a_checkpoints_text_encoder_cannot_judge():
    """Even if the memory where its projection should be looks like one."""
    path = HOST / "ComfyUI" / "models" / "checkpoints" / TOY_CHECKPOINT
    _, clip, _, _ = comfy.sd.load_checkpoint_guess_config(str(path), output_vae=False, output_model=False)
    clip.cond_stage_model.clip_l.transformer.text_projection.weight.data.normal_()
    with pytest.raises(ValueError, match="'l'.*no text projection, which checkpoints leave out.*clip_l.safetensors"):
        text_embeddings(clip.clone(), ["a rose"])


def named(clip, path, keys) -> None:
    """Let `clip` come from a file that holds these keys."""
    save_file({key: torch.zeros(1) for key in keys}, path)
    clip.patcher.cached_patcher_init = (comfy.sd.load_checkpoint_clip_patcher, (str(path),))


def test_an_sdxl_checkpoint_judges_by_clip_g_only(tmp_path):
    clip = two_encoders()
    named(clip, tmp_path / "xl.safetensors", ["conditioner.embedders.1.model.text_projection"])
    assert text_embeddings(clip, ["a rose"]).shape == (1, 24)
    with pytest.raises(ValueError, match="'l'.*no text projection"):
        text_embeddings(clip, ["a rose"], 16)


def test_a_projection_that_the_host_does_not_load_does_not_count(tmp_path):
    clip = tiny.new_clip(1)
    named(clip, tmp_path / "sd1.safetensors", ["cond_stage_model.transformer.text_projection.weight"])
    with pytest.raises(ValueError, match="no text projection"):
        text_embeddings(clip, ["a rose"])


def test_other_vision_models_are_refused(pictures):
    with pytest.raises(ValueError, match="siglip_vision_model, whose embeddings fit no text encoder"):
        picture_embeddings(tiny.clip_vision(model_type="siglip_vision_model"), pictures)
    blank = tiny.clip_vision()
    blank.model.visual_projection.weight.zero_()
    with pytest.raises(ValueError, match="no visual projection"):
        picture_embeddings(blank, pictures)


def test_an_encoder_that_is_no_clip_is_refused():
    from comfy.text_encoders.pixart_t5 import PixArtTokenizer, pixart_te

    t5 = {"num_layers": 1, "d_model": 16, "d_ff": 16, "d_kv": 8, "num_heads": 2}
    options = {"t5xxl_model_config": t5, "load_device": tiny.CPU, "offload_device": tiny.CPU}
    clip = comfy.sd.CLIP(ClipTarget(PixArtTokenizer, pixart_te()), model_options=options)
    with pytest.raises(ValueError, match=r"clip \(t5xxl\) holds no text encoder of CLIP"):
        text_embeddings(clip, ["a rose"])
