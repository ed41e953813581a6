"""diffusers' StableDiffusionDiffEditPipeline around the weights of a tiny host model: the other side of a comparison."""

import comfy.model_base
import comfy.supported_models
import comfy.utils
import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    DDIMInverseScheduler,
    DDIMScheduler,
    StableDiffusionDiffEditPipeline,
    UNet2DConditionModel,
)
from host.models.tiny_diffusion import CONTEXT
from transformers import CLIPTextConfig, CLIPTextModel

SD = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1)


class SD15V(comfy.supported_models.SD15):
    """A checkpoint of SD 1.x's shapes that predicts v."""

    def model_type(self, state_dict, prefix=""):
        return comfy.model_base.ModelType.V_PREDICTION


def new_pipeline(model) -> StableDiffusionDiffEditPipeline:
    """The pipeline with the weights of a `tiny_model` in its own UNet, predicting what the model predicts."""
    unet = unet_of(
        model,
        sample_size=8,
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
        cross_attention_dim=CONTEXT,
    )
    return pipeline_around(unet, CONTEXT, model.model.model_type == comfy.model_base.ModelType.V_PREDICTION)


def unet_of(model, **shape) -> UNet2DConditionModel:
    """The weights of a MODEL in diffusers' own UNet of this shape."""
    unet = UNet2DConditionModel(layers_per_block=1, attention_head_dim=8, **shape)
    weights = model.model.diffusion_model.state_dict()
    names = comfy.utils.unet_to_diffusers(model.model.model_config.unet_config)
    unet.load_state_dict({name: weights[names[name]].float() for name in unet.state_dict()})
    return unet


def pipeline_around(unet, width: int, predicts_v: bool = False) -> StableDiffusionDiffEditPipeline:
    """The pipeline with this UNet, which reads text rows of `width`.

    Prompts have to be passed as embeddings, pictures as latents (which it takes as `image`, in model space).
    """
    schedule = {**SD, "prediction_type": "v_prediction" if predicts_v else "epsilon"}
    sizes = dict(hidden_size=width, intermediate_size=64, num_attention_heads=4, num_hidden_layers=1)
    text = CLIPTextConfig(vocab_size=8, bos_token_id=0, eos_token_id=1, **sizes)
    made = StableDiffusionDiffEditPipeline(
        vae=AutoencoderKL(block_out_channels=(4,), norm_num_groups=4, latent_channels=4),
        text_encoder=CLIPTextModel(text),
        tokenizer=None,
        unet=unet,
        scheduler=DDIMScheduler(**schedule),
        inverse_scheduler=DDIMInverseScheduler(**schedule),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    made.set_progress_bar_config(disable=True)
    return made


def embeddings(positive: list, negative: list, prefix: str = "") -> dict[str, torch.Tensor]:
    """Two CONDITIONINGs as the pipeline's arguments; `prefix` "target_" or "source_" for `generate_mask`."""
    return {f"{prefix}prompt_embeds": positive[0][0], f"{prefix}negative_prompt_embeds": negative[0][0]}


def map_noise(seed: int, picture: int, map_index: int) -> torch.Generator:
    """The generator of one noise of DiffEdit Mask: the same noise on both sides."""
    state = np.random.SeedSequence([seed, picture, map_index]).generate_state(1, dtype=np.uint64)
    return torch.Generator().manual_seed(int(state[0]))


class UNetCalls:
    """What the pipeline's UNet was asked while the block ran: latents, timesteps and embeddings, one entry a call."""

    def __init__(self, pipeline: StableDiffusionDiffEditPipeline):
        self._unet = pipeline.unet

    def __enter__(self) -> "UNetCalls":
        self.latents, self.timesteps, self.embeddings = [], [], []
        self._hook = self._unet.register_forward_pre_hook(self._note, with_kwargs=True)
        return self

    def _note(self, module, args, kwargs) -> None:
        latents, timestep = args
        self.latents.append(latents.clone())
        self.timesteps.append(int(timestep))
        self.embeddings.append(kwargs["encoder_hidden_states"].clone())

    def __exit__(self, *exc: object) -> None:
        self._hook.remove()
