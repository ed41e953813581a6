"""A tiny model of every family of the host that TIME edits: the host's own classes, with seeded random weights."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import comfy.supported_models as supported
import torch
from comfy.model_patcher import ModelPatcher
from host.models import tiny

ROWS = 7  # of text


@dataclass(frozen=True)
class Case:
    """`config` builds `model_class`; `latent` is the shape of a noisy latent; `embedding` the width of the text encoder.

    `extra` is the host's further conditioning. `projections` are the number of keys, values and entries to edit;
    `width` is that of the rows that these read.
    """

    name: str
    family: str
    model_class: type
    config: dict[str, Any]
    latent: tuple[int, ...]
    embedding: int
    width: int
    projections: tuple[int, int, int]
    extra: Callable[[], dict[str, Any]] = dict
    state_dict: Callable[[], dict[str, torch.Tensor]] = dict
    entry: bool = False
    projector: bool = field(default=False)
    text_rows_from: int = 0  # the first row of the captured inputs that stands for text

    def model(self) -> ModelPatcher:
        model = self.model_class(dict(self.config)).get_model(self.state_dict(), device=tiny.CPU)
        tiny.initialise(model, seed=7)
        for name, buffer in model.named_buffers():
            if name.endswith("pos_embed"):  # which checkpoints bring
                buffer.zero_()
        return ModelPatcher(model, load_device=tiny.CPU, offload_device=tiny.CPU)


def unet(**changes) -> dict[str, Any]:
    """Of SD 2.x and SDXL, whose heads are 64 channels wide."""
    return {**tiny.UNET, "model_channels": 64, "use_linear_in_transformer": True, **changes}


def pooled(width: int) -> Callable[[], dict[str, Any]]:
    return lambda: {"pooled_output": random(1, width, seed=9)}


def random(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


COSMOS = {
    "max_img_h": 16,
    "max_img_w": 16,
    "max_frames": 8,
    "in_channels": 16,
    "out_channels": 16,
    "patch_temporal": 1,
    "model_channels": 32,
    "num_blocks": 2,
    "num_heads": 2,
    "pos_emb_cls": "rope3d",
    "use_adaln_lora": True,
    "adaln_lora_dim": 8,
    "concat_padding_mask": True,
    "dtype": torch.float32,
}
FLUX = {
    "vec_in_dim": 16,
    "context_in_dim": 40,
    "hidden_size": 32,
    "mlp_ratio": 2.0,
    "num_heads": 2,
    "depth": 2,
    "depth_single_blocks": 1,
    "axes_dim": [4, 6, 6],
    "theta": 10_000,
    "patch_size": 2,
    "qkv_bias": True,
    "txt_ids_dims": [],
    "in_channels": 4,
    "out_channels": 4,
    "dtype": torch.float32,
}

LUMINA = {
    "image_model": "lumina2",
    "patch_size": 2,
    "in_channels": 16,
    "dim": 32,
    "n_layers": 2,
    "n_refiner_layers": 1,
    "n_heads": 2,
    "n_kv_heads": 2,
    "cap_feat_dim": 40,
    "axes_dims": [4, 6, 6],
    "axes_lens": [32, 64, 64],
    "multiple_of": 16,
    "qk_norm": True,
    "dtype": torch.float32,
}

WAN = {
    "image_model": "wan2.1",
    "model_type": "t2v",
    "dim": 48,
    "ffn_dim": 32,
    "num_heads": 4,
    "num_layers": 2,
    "text_dim": 40,
    "freq_dim": 16,
    "dtype": torch.float32,
}


def seconds() -> dict[str, torch.Tensor]:
    """Stable Audio's embedders of the duration."""
    found = {}
    for part in ("start", "total"):
        prefix = f"conditioner.conditioners.seconds_{part}.embedder.embedding"
        found |= {
            f"{prefix}.0.weights": random(128, seed=1),
            f"{prefix}.1.weight": random(768, 257, seed=2) * 0.05,
            f"{prefix}.1.bias": torch.zeros(768),
        }
    return found


CASES = (
    Case("SD 1.x", "U-Net (SD 1.x, SD 2.x, SDXL)", supported.SD15, dict(tiny.UNET), (1, 4, 8, 8), 768, 768, (7, 7, 0)),
    Case("SD 2.x", "U-Net (SD 1.x, SD 2.x, SDXL)", supported.SD20, unet(context_dim=1024), (1, 4, 8, 8), 1024, 1024, (7, 7, 0)),
    Case(
        "SDXL",
        "U-Net (SD 1.x, SD 2.x, SDXL)",
        supported.SDXL,
        unet(context_dim=2048, adm_in_channels=2816, num_classes="sequential"),
        (1, 4, 8, 8),
        2048,
        2048,
        (7, 7, 0),
        pooled(1280),
    ),
    Case(
        "SDXL refiner",
        "U-Net (SD 1.x, SD 2.x, SDXL)",
        supported.SDXLRefiner,
        unet(context_dim=1280, adm_in_channels=2560, num_classes="sequential"),
        (1, 4, 8, 8),
        1280,
        1280,
        (7, 7, 0),
        pooled(1280),
    ),
    Case(
        "Cosmos 1",
        "Cosmos 1",
        supported.CosmosT2V,
        {
            **COSMOS,
            "patch_spatial": 2,
            "crossattn_emb_channels": 48,
            "image_model": "cosmos",
            "block_x_format": "THWBD",
            "extra_per_block_abs_pos_emb": True,
            "extra_per_block_abs_pos_emb_type": "learnable",
        },
        (1, 16, 1, 4, 4),
        48,
        48,
        (2, 2, 0),
    ),
    Case(
        "Cosmos-Predict2",
        "Cosmos-Predict2",
        supported.CosmosT2IPredict2,
        {**COSMOS, "patch_spatial": 2, "crossattn_emb_channels": 48, "image_model": "cosmos_predict2"},
        (1, 16, 1, 4, 4),
        48,
        48,
        (2, 2, 0),
    ),
    Case(
        "Anima",
        "Anima",
        supported.Anima,
        {**COSMOS, "patch_spatial": 2, "crossattn_emb_channels": 1024, "image_model": "anima"},
        (1, 16, 1, 4, 4),
        1024,
        1024,
        (2, 2, 0),
        lambda: {"t5xxl_ids": torch.tensor([3, 9, 1782, 1]), "t5xxl_weights": torch.ones(4)},
        projector=True,
    ),
    Case(
        "PixArt",
        "PixArt",
        supported.PixArtAlpha,
        {
            "hidden_size": 48,
            "depth": 2,
            "num_heads": 4,
            "caption_channels": 40,
            "pe_interpolation": 1,
            "micro_condition": False,
            "dtype": torch.float32,
        },
        (1, 4, 64, 64),
        40,
        48,
        (2, 2, 0),
        projector=True,
    ),
    Case(
        "HunyuanDiT",
        "HunyuanDiT",
        supported.HunyuanDiT,
        {
            "hidden_size": 64,
            "depth": 2,
            "num_heads": 4,
            "text_states_dim": 24,
            "text_states_dim_t5": 64,
            "text_len": 7,
            "text_len_t5": 9,
            "image_model": "hydit",
            "dtype": torch.float32,
        },
        (1, 4, 8, 8),
        24,
        24,
        (2, 2, 0),
        lambda: {
            "attention_mask": torch.tensor([[1, 1, 1, 1, 0, 0, 0]]),
            "conditioning_mt5xl": random(1, 9, 64, seed=4),
            "attention_mask_mt5xl": torch.tensor([[1, 1, 1, 1, 1, 0, 0, 0, 0]]),
        },
        projector=True,
    ),
    Case(
        "Stable Cascade C",
        "Stable Cascade, stage C",
        supported.Stable_Cascade_C,
        {
            "c_cond": 32,
            "c_hidden": [32, 32],
            "nhead": [2, 2],
            "blocks": [[1, 2], [2, 1]],
            "c_clip_text": 40,
            "c_clip_text_pooled": 40,
            "stable_cascade_stage": "c",
            "dtype": torch.float32,
        },
        (1, 16, 4, 4),
        40,
        32,
        (0, 0, 6),
        pooled(40),
        projector=True,
    ),
    Case(
        "Wan 2.1",
        "Wan",
        supported.WAN21_T2V,
        dict(WAN),
        (1, 16, 1, 4, 4),
        40,
        48,
        (2, 2, 0),
        projector=True,
    ),
    Case(
        "Wan 2.2 5B",
        "Wan",
        supported.WAN22_T2V,
        {**WAN, "in_dim": 48, "out_dim": 48},
        (1, 48, 1, 4, 4),
        40,
        48,
        (2, 2, 0),
        projector=True,
    ),
    Case(
        "Wan 2.1, image to video",
        "Wan",
        supported.WAN21_I2V,
        {**WAN, "model_type": "i2v", "in_dim": 36},
        (1, 16, 1, 4, 4),
        40,
        48,
        (2, 2, 0),
        projector=True,
    ),
    Case(
        "LTX-Video",
        "LTX-Video",
        supported.LTXV,
        {
            "image_model": "ltxv",
            "in_channels": 128,
            "cross_attention_dim": 32,
            "attention_head_dim": 16,
            "num_attention_heads": 2,
            "caption_channels": 40,
            "num_layers": 2,
            "dtype": torch.float32,
        },
        (1, 128, 1, 2, 2),
        40,
        32,
        (2, 2, 0),
        lambda: {"attention_mask": torch.ones(1, ROWS)},
        projector=True,
    ),
    Case(
        "ACE-Step",
        "ACE-Step",
        supported.ACEStep,
        {
            "audio_model": "ace",
            "num_layers": 2,
            "inner_dim": 32,
            "attention_head_dim": 16,
            "num_attention_heads": 2,
            "text_embedding_dim": 40,
            "mlp_ratio": 2.0,
            "dtype": torch.float32,
        },
        (1, 8, 16, 8),
        40,
        32,
        (2, 2, 0),
        lambda: {"conditioning_lyrics": torch.tensor([[1, 2, 3]])},
        projector=True,
        text_rows_from=1,
    ),
    Case(
        "Stable Audio",
        "Stable Audio",
        supported.StableAudio,
        {
            "audio_model": "dit1.0",
            "embed_dim": 768,
            "cond_token_dim": 768,
            "global_cond_dim": 1536,
            "depth": 2,
            "num_heads": 12,
            "dtype": torch.float32,
        },
        (1, 64, 16),
        768,
        768,
        (2, 2, 0),
        state_dict=seconds,
        projector=True,
    ),
    Case(
        "SD3",
        "SD3",
        supported.SD3,
        {
            "in_channels": 16,
            "pos_embed_scaling_factor": None,
            "depth": 2,
            "adm_in_channels": 2048,
            "context_embedder_config": {"target": "torch.nn.Linear", "params": {"in_features": 40, "out_features": 128}},
            "pos_embed_max_size": 16,
            "num_patches": 256,
            "input_size": None,
            "dtype": torch.float32,
        },
        (1, 16, 8, 8),
        40,
        40,
        (0, 0, 1),
        pooled(2048),
        entry=True,
    ),
    Case(
        "Flux",
        "Flux, Chroma",
        supported.Flux,
        {**FLUX, "image_model": "flux", "guidance_embed": True, "in_channels": 16, "out_channels": 16},
        (1, 16, 4, 4),
        40,
        40,
        (0, 0, 1),
        pooled(16),
        entry=True,
    ),
    Case(
        "Flux 2",
        "Flux, Chroma",
        supported.Flux2,
        {
            **FLUX,
            "image_model": "flux2",
            "vec_in_dim": None,
            "mlp_ratio": 3.0,
            "axes_dim": [4, 4, 4, 4],
            "theta": 2000,
            "patch_size": 1,
            "in_channels": 128,
            "out_channels": 128,
            "qkv_bias": False,
            "ops_bias": False,
            "global_modulation": True,
            "mlp_silu_act": True,
            "guidance_embed": True,
            "default_ref_method": "index",
            "ref_index_scale": 10.0,
            "txt_ids_dims": [3],
        },
        (1, 128, 4, 4),
        40,
        40,
        (0, 0, 1),
        entry=True,
        text_rows_from=512 - ROWS,  # the host fills up in front
    ),
    Case(
        "Chroma",
        "Flux, Chroma",
        supported.Chroma,
        {
            **FLUX,
            "image_model": "chroma",
            "in_channels": 64,
            "out_channels": 64,
            "in_dim": 64,
            "out_dim": 32,
            "hidden_dim": 32,
            "n_layers": 1,
        },
        (1, 16, 4, 4),
        40,
        40,
        (0, 0, 1),
        entry=True,
    ),
    Case(
        "AuraFlow",
        "AuraFlow",
        supported.AuraFlow,
        {
            "dim": 32,
            "n_layers": 3,
            "n_double_layers": 2,
            "n_heads": 2,
            "global_conddim": 32,
            "cond_seq_dim": 40,
            "dtype": torch.float32,
        },
        (1, 4, 8, 8),
        40,
        40,
        (0, 0, 1),
        entry=True,
    ),
    Case(
        "Qwen-Image",
        "Qwen-Image",
        supported.QwenImage,
        {
            "image_model": "qwen_image",
            "num_layers": 2,
            "attention_head_dim": 16,
            "num_attention_heads": 2,
            "joint_attention_dim": 40,
            "axes_dims_rope": (4, 6, 6),
            "dtype": torch.float32,
        },
        (1, 16, 1, 4, 4),
        40,
        40,
        (0, 0, 1),
        entry=True,
        projector=True,
    ),
    Case(
        "Lumina 2",
        "Lumina 2, Z-Image",
        supported.Lumina2,
        dict(LUMINA),
        (1, 16, 4, 4),
        40,
        40,
        (0, 0, 1),
        entry=True,
        projector=True,
    ),
    Case(
        "Z-Image",
        "Lumina 2, Z-Image",
        supported.ZImage,
        {
            **LUMINA,
            "dim": 256,
            "axes_dims": [32, 48, 48],
            "rope_theta": 256.0,
            "ffn_dim_multiplier": 8.0 / 3.0,
            "z_image_modulation": True,
            "time_scale": 1000.0,
            "pad_tokens_multiple": 32,
        },
        (1, 16, 4, 4),
        40,
        40,
        (0, 0, 1),
        entry=True,
        projector=True,
    ),
    Case(
        "OmniGen2",
        "OmniGen2",
        supported.Omnigen2,
        {
            "image_model": "omnigen2",
            "patch_size": 2,
            "in_channels": 16,
            "hidden_size": 32,
            "num_layers": 2,
            "num_refiner_layers": 1,
            "num_attention_heads": 2,
            "num_kv_heads": 1,
            "multiple_of": 16,
            "axes_dim_rope": (4, 6, 6),
            "axes_lens": (32, 32, 32),
            "text_feat_dim": 40,
            "timestep_scale": 1000.0,
            "dtype": torch.float32,
        },
        (1, 16, 4, 4),
        40,
        40,
        (0, 0, 1),
        lambda: {"attention_mask": torch.ones(1, ROWS, dtype=torch.int64)},
        entry=True,
        projector=True,
    ),
    Case(
        "Kandinsky 5",
        "Kandinsky 5",
        supported.Kandinsky5,
        {
            "image_model": "kandinsky5",
            "in_text_dim": 40,
            "in_text_dim2": 24,
            "time_dim": 16,
            "model_dim": 64,
            "ff_dim": 32,
            "num_text_blocks": 1,
            "num_visual_blocks": 2,
            "axes_dims": (8, 12, 12),
            "visual_embed_dim": 132,
            "dtype": torch.float32,
        },
        (1, 16, 1, 4, 4),
        40,
        40,
        (0, 0, 1),
        pooled(24),
        entry=True,
    ),
)
