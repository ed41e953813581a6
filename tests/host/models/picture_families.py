"""A tiny model of every family that paints pictures or videos: the host's own classes, with seeded random weights."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import comfy.supported_models as supported
import comfy.utils
import torch
from comfy.model_patcher import ModelPatcher
from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete
from host.models import tiny
from host.models.families import CASES, ROWS, Case, pooled, random


@dataclass(frozen=True)
class Painter:
    """A model and what it samples from.

    Attributes:
        make: builds it.
        latent: shape of its latents, (pictures, channels, ..., height, width).
        embedding: width of the prompts it reads.
        extra: further conditioning.
        gain: what its last layer is multiplied by, so that steps as long as the tests' converge, or do something at all.
        last: that layer.
        second_picture: does it read one beside the latent, in further channels?
        reference: does it read one as further tokens, if a prompt brings it?
        cfg: of sampling. The host itself cannot run LTX-Video's text mask for two prompts at once on the CPU.
    """

    name: str
    make: Callable[[], ModelPatcher]
    latent: tuple[int, ...]
    embedding: int
    extra: Callable[[], dict[str, Any]] = dict
    gain: float | None = None
    last: str = "out.2"
    second_picture: bool = False
    reference: bool = False
    cfg: float = 3.0

    def model(self) -> ModelPatcher:
        model = self.make()
        if self.gain is not None:
            comfy.utils.get_attr(model.model.diffusion_model, self.last).weight.data *= self.gain
        return model

    def prompt(self, seed: int) -> list:
        """A CONDITIONING. It brings the second picture, if the model reads one."""
        options = {"pooled_output": None, **self.extra()}
        if self.second_picture:
            options["concat_latent_image"] = random(*self.latent, seed=70)
        if self.reference:
            options["reference_latents"] = [random(*self.latent, seed=70)]
        return [[random(1, ROWS, self.embedding, seed=100 + seed), options]]

    def bare_prompt(self, seed: int) -> list:
        """The same without the second picture."""
        return replace(self, second_picture=False, reference=False).prompt(seed)

    def picture(self) -> dict:
        """A LATENT."""
        return {"samples": random(*self.latent, seed=50)}


UNET = {**tiny.UNET, "channel_mult": [1], "num_res_blocks": [1], "transformer_depth": [1], "transformer_depth_output": [1, 1]}
WIDE = {**UNET, "model_channels": 64, "use_linear_in_transformer": True}
FLAT = (2, 4, 4, 4)


def unet(config: type, state_dict: dict | None = None, **changes) -> Callable[[], ModelPatcher]:
    """A U-Net of one level."""

    def make() -> ModelPatcher:
        base = UNET if issubclass(config, supported.SD15) else WIDE
        model = config({**base, **changes}).get_model(dict(state_dict or {}), device=tiny.CPU)
        tiny.initialise(model, seed=7)
        return ModelPatcher(model, load_device=tiny.CPU, offload_device=tiny.CPU)

    return make


def sampled_as(make: Callable[[], ModelPatcher], sampling: str, zsnr: bool) -> Callable[[], ModelPatcher]:
    """Through the host's node."""
    return lambda: ModelSamplingDiscrete().patch(make(), sampling, zsnr)[0]


def made(config: type, settings: dict, state_dict: dict | None = None) -> Callable[[], ModelPatcher]:
    return Case("", "", config, settings, (), 0, 0, (0, 0, 0), state_dict=lambda: dict(state_dict or {})).model


def of(family: str, **changes) -> Painter:
    """One of the families that TIME edits."""
    case = next(case for case in CASES if case.name == family)
    return replace(Painter(family, case.model, case.latent, case.embedding, case.extra), **changes)


SDXL = {"context_dim": 2048, "adm_in_channels": 2816, "num_classes": "sequential"}
VELOCITY = {"output_blocks.11.1.transformer_blocks.0.norm1.bias": torch.tensor([-1.0, 1.0])}  # how the host tells
COSMOS = next(case.config for case in CASES if case.name == "Cosmos 1")
FLUX = next(case.config for case in CASES if case.name == "Flux")
WAN = next(case.config for case in CASES if case.name == "Wan 2.1")
HUNYUAN = {
    "image_model": "hunyuan_video",
    "in_channels": 16,
    "out_channels": 16,
    "patch_size": [1, 2, 2],
    "vec_in_dim": 16,
    "context_in_dim": 40,
    "hidden_size": 32,
    "mlp_ratio": 2.0,
    "num_heads": 2,
    "depth": 1,
    "depth_single_blocks": 1,
    "axes_dim": [4, 6, 6],
    "theta": 256,
    "qkv_bias": True,
    "guidance_embed": False,
    "byt5": False,
    "meanflow": False,
    "use_cond_type_embedding": False,
    "vision_in_dim": None,
    "meanflow_sum": False,
    "dtype": torch.float32,
}
MOCHI = {
    "image_model": "mochi_preview",
    "depth": 2,
    "patch_size": 2,
    "num_heads": 2,
    "hidden_size_x": 32,
    "hidden_size_y": 16,
    "mlp_ratio_x": 384.0,  # the host takes one width only
    "mlp_ratio_y": 2.0,
    "learn_sigma": False,
    "in_channels": 12,
    "qk_norm": True,
    "qkv_bias": False,
    "out_bias": True,
    "attn_drop": 0.0,
    "posenc_preserve_area": True,
    "timestep_scale": 1000.0,
    "use_t5": True,
    "t5_feat_dim": 40,
    "t5_token_length": ROWS,
    "dtype": torch.float32,
}
HIDREAM = {
    "image_model": "hidream",
    "patch_size": 2,
    "in_channels": 16,
    "out_channels": 16,
    "num_layers": 1,
    "num_single_layers": 1,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "caption_channels": [40, 24],
    "text_emb_dim": 16,
    "num_routed_experts": 2,
    "num_activated_experts": 1,
    "axes_dims_rope": (4, 6, 6),
    "max_resolution": (16, 16),
    "llama_layers": [0, 1],
    "dtype": torch.float32,
}


def whole_mask() -> dict[str, torch.Tensor]:
    """That all rows are text."""
    return {"attention_mask": torch.ones(1, ROWS, dtype=torch.int64)}


PAINTERS = (
    Painter("SD 1.x", unet(supported.SD15), FLAT, 768, gain=0.1),
    Painter("SD 1.x, inpainting", unet(supported.SD15, in_channels=9), FLAT, 768, gain=0.1),
    Painter("SD 2.x", unet(supported.SD20, context_dim=1024), FLAT, 1024, gain=0.1),
    Painter("SD 2.x, velocity", unet(supported.SD20, VELOCITY, context_dim=1024), FLAT, 1024, gain=0.1),
    Painter(
        "SD 2.x, zero terminal SNR",
        sampled_as(unet(supported.SD20, context_dim=1024), "v_prediction", True),
        FLAT,
        1024,
        gain=0.1,
    ),
    Painter("SDXL", unet(supported.SDXL, **SDXL), FLAT, 2048, pooled(1280), gain=0.1),
    Painter("SDXL, inpainting", unet(supported.SDXL, in_channels=9, **SDXL), FLAT, 2048, pooled(1280), gain=0.1),
    Painter(
        "Playground 2.5",
        unet(supported.SDXL, {"edm_mean": torch.zeros(4), "edm_std": torch.ones(4)}, **SDXL),
        FLAT,
        2048,
        pooled(1280),
        gain=0.1,
    ),
    Painter(
        "CosXL", unet(supported.SDXL, {"edm_vpred.sigma_max": torch.tensor(120.0)}, **SDXL), FLAT, 2048, pooled(1280), gain=0.1
    ),
    of("Stable Cascade C", latent=(2, 16, 4, 4)),
    of("PixArt", latent=(1, 4, 34, 34)),
    of("HunyuanDiT", latent=(1, 4, 4, 4), gain=0.1, last="final_layer.linear"),
    of("AuraFlow", latent=(2, 4, 4, 4), last="final_linear", gain=10.0),
    of("SD3", latent=(2, 16, 4, 4)),
    of("Flux", latent=(2, 16, 4, 4)),
    of("Chroma", latent=(2, 16, 4, 4)),
    of("Flux 2", latent=(2, 128, 4, 4), last="final_layer.linear", gain=3.0),
    of("Lumina 2", latent=(2, 16, 4, 4)),
    of("Z-Image", latent=(1, 16, 4, 4), last="final_layer.linear", gain=0.3),
    of("OmniGen2", latent=(2, 16, 4, 4)),
    of("Qwen-Image", latent=(2, 16, 1, 4, 4)),
    Painter(
        "HiDream",
        made(supported.HiDream, HIDREAM),
        (2, 16, 4, 4),
        40,
        lambda: {**pooled(16)(), "conditioning_llama3": random(1, 2, ROWS, 24, seed=5)},
    ),
    of("Anima", extra=dict),
    of("Cosmos 1", latent=(1, 16, 3, 4, 4)),
    Painter("Cosmos 1, image to video", made(supported.CosmosI2V, {**COSMOS, "in_channels": 17}), (1, 16, 3, 4, 4), 48),
    of("Cosmos-Predict2", latent=(1, 16, 3, 4, 4)),
    of("Wan 2.1", latent=(2, 16, 3, 4, 4)),
    of("Wan 2.2 5B", latent=(1, 48, 3, 4, 4)),
    Painter("Mochi", made(supported.GenmoMochi, MOCHI), (1, 12, 3, 4, 4), 40, whole_mask),
    of("LTX-Video", latent=(1, 128, 3, 2, 2), cfg=1.0),
    of("Kandinsky 5", latent=(1, 16, 3, 4, 4)),
    Painter("HunyuanVideo", made(supported.HunyuanVideo, HUNYUAN), (1, 16, 3, 4, 4), 40, pooled(16)),
    Painter(
        "HunyuanVideo 1.5",
        made(supported.HunyuanVideo15, {**HUNYUAN, "in_channels": 65, "out_channels": 32, "vec_in_dim": None}),
        (1, 32, 3, 4, 4),
        40,
        gain=3.0,
        last="final_layer.linear",
    ),
)
"""From text alone, or from text and a mask."""

FROM_A_PICTURE = (
    Painter("InstructPix2Pix", unet(supported.SD15_instructpix2pix, in_channels=8), FLAT, 768, gain=0.1, second_picture=True),
    Painter(
        "InstructPix2Pix XL",
        unet(supported.SDXL_instructpix2pix, in_channels=8, **SDXL),
        FLAT,
        2048,
        pooled(1280),
        gain=0.1,
        second_picture=True,
    ),
    Painter(
        "Flux Fill",
        made(supported.FluxInpaint, {**FLUX, "in_channels": 96}),
        (2, 16, 4, 4),
        40,
        pooled(16),
        second_picture=True,
    ),
    of("Wan 2.1, image to video", latent=(1, 16, 3, 4, 4), second_picture=True),
    Painter(
        "HunyuanVideo, image to video",
        made(supported.HunyuanVideoI2V, {**HUNYUAN, "in_channels": 33}),
        (1, 16, 3, 4, 4),
        40,
        pooled(16),
        second_picture=True,
    ),
)
"""They read a second picture beside the latent."""

WITH_A_REFERENCE = (
    of("Flux", name="Flux Kontext", latent=(2, 16, 4, 4), reference=True),
    of("Flux 2", name="Flux 2, with a reference", latent=(2, 128, 4, 4), last="final_layer.linear", gain=3.0, reference=True),
    of("Qwen-Image", name="Qwen-Image-Edit", latent=(2, 16, 1, 4, 4), reference=True),
    of("OmniGen2", name="OmniGen2, with a reference", latent=(2, 16, 4, 4), reference=True),
    of("Z-Image", name="Z-Image, with a reference", latent=(1, 16, 4, 4), last="final_layer.linear", gain=0.3, reference=True),
)
"""They read a second picture as further tokens."""

EVERY_FAMILY = (*PAINTERS, *FROM_A_PICTURE, *WITH_A_REFERENCE)
