"""Parity with diffusers' StableDiffusionModelEditingPipeline.

Its own code does the augmentation, the tokenizing, the alignment, the sums and the inverse. Two things are repaired
around it: it looks for layers by a class name that diffusers has since changed, and so edits nothing; and it runs in
float64, since its float32 inverse is 4 to 6 % off at lambda 0.1. It reads the embeddings of the host's text encoder.
"""

from pathlib import Path

import comfy.sd1_clip
import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionModelEditingPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from host import tiny
from time_diffedit.time_core.edit import build_edit
from transformers import CLIPTokenizer

PREFIXES = ("A photo of", "An image of", "A picture of")


class HostTextEncoder(torch.nn.Module):
    """The host's text encoder, called the way diffusers calls its own."""

    device, dtype = tiny.CPU, torch.float64

    def forward(self, input_ids: torch.Tensor) -> tuple[torch.Tensor]:
        chunks = [[(token, 1.0) for token in ids] for ids in input_ids.tolist()]
        return (torch.cat([tiny.clip().encode_from_tokens({"l": [chunk]}) for chunk in chunks]).double(),)


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def pipeline():
    tiny.clip()
    torch.manual_seed(0)
    Attention.__name__ = "CrossAttention"
    yield StableDiffusionModelEditingPipeline(
        vae=AutoencoderKL(block_out_channels=(4,), norm_num_groups=4, latent_channels=4),
        text_encoder=HostTextEncoder(),
        tokenizer=CLIPTokenizer.from_pretrained(Path(comfy.sd1_clip.__file__).parent / "sd1_tokenizer", model_max_length=77),
        unet=UNet2DConditionModel(
            sample_size=64,
            block_out_channels=(8, 16),
            norm_num_groups=8,
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("UpBlock2D", "UpBlock2D"),
            cross_attention_dim=768,
            attention_head_dim=8,
        ).double(),
        scheduler=DDIMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        with_to_k=True,
        with_augs=[f"{prefix} " for prefix in PREFIXES],
    )
    Attention.__name__ = "Attention"


@pytest.mark.parametrize(
    ("source", "destination", "lamb"),
    [
        ("A pack of roses", "A pack of blue roses", 0.1),
        ("an attendant", "a female attendant", 10.0),
        ("Pikachu", "A pink Pikachu", 0.1),
    ],
)
@torch.no_grad()
def test_equals_diffusers(pipeline, float64, source, destination, lamb):
    before = [layer.weight.clone() for layer in pipeline.projection_matrices]
    assert len(before) == 4
    pipeline.edit_model(source, destination, lamb=lamb)
    torch.set_default_dtype(torch.float32)  # the edit runs as the host runs it
    edit = build_edit(tiny.clip(), ((source, destination),), lamb, PREFIXES)
    p = edit.left.double() @ edit.right.double().T
    for layer, weight in zip(pipeline.projection_matrices, before, strict=True):
        change = layer.weight - weight
        assert (weight @ p - change).norm() / change.norm() <= 1e-6
