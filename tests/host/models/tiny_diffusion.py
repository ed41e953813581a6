"""Small eps-prediction models of the host's own classes, with seeded random weights, and prompts for them."""

import contextlib
import functools
import hashlib
import math

import comfy.model_management
import comfy.model_patcher
import comfy.samplers
import comfy.sd
import comfy.supported_models
import torch
from comfy.sd1_clip import SD1ClipModel, SD1Tokenizer
from comfy.supported_models_base import ClipTarget

CPU = torch.device("cpu")

CONTEXT = 64
TOKENS = 7

UNET = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "num_res_blocks": [1, 1],
    "channel_mult": [1, 2],
    "transformer_depth": [1, 1],
    "transformer_depth_middle": 1,
    "transformer_depth_output": [1, 1, 1, 1],
    "context_dim": CONTEXT,
    "use_spatial_transformer": True,
    "legacy": False,
    "dtype": torch.float32,
}


def tiny_model(seed: int = 0, config=comfy.supported_models.SD15, gain: float = 1.0, **unet) -> object:
    """A MODEL as a checkpoint loader would hand it out, 32 channels wide. `gain` scales its output."""
    model = config({**UNET, **unet}).get_model({})
    randomise(model.diffusion_model, seed)
    model.diffusion_model.out[2].weight.data *= gain
    return comfy.model_patcher.ModelPatcher(model, load_device=CPU, offload_device=CPU)


@functools.cache
def clip() -> comfy.sd.CLIP:
    """The host's SD 1.x text encoder with its real tokenizer, one layer deep and as wide as the models read."""
    config = {
        "num_hidden_layers": 1,
        "hidden_size": CONTEXT,
        "num_attention_heads": 4,
        "intermediate_size": 2 * CONTEXT,
    }
    options = {"clip_l_model_config": config, "load_device": CPU, "offload_device": CPU, "dtype": torch.float32}
    encoder = comfy.sd.CLIP(ClipTarget(SD1Tokenizer, SD1ClipModel), model_options=options)
    randomise(encoder.cond_stage_model, seed=1)
    return encoder


def randomise(module: torch.nn.Module, seed: int) -> None:
    """Weights of unit gain: the host's layers come uninitialised."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.named_parameters():
        if value.ndim > 1:
            value.data = torch.randn(value.shape, generator=generator) / math.sqrt(value[0].numel())
        else:
            value.data.fill_(0.0 if name.endswith("bias") else 1.0)


def prompt(seed: int) -> list:
    """A CONDITIONING of seeded random embeddings."""
    generator = torch.Generator().manual_seed(1000 + seed)
    return [[torch.randn(1, TOKENS, CONTEXT, generator=generator), {"pooled_output": None}]]


def picture(batch: int = 1, height: int = 8, width: int = 8, seed: int = 0) -> dict:
    """A LATENT of seeded random values, at the scale of real ones."""
    generator = torch.Generator().manual_seed(2000 + seed)
    return {"samples": torch.randn(batch, 4, height, width, generator=generator) * 4}


class Calls:
    """What the model was asked, seen through the host's public hook: one entry (rows, sigma) a call."""

    def __init__(self, interrupt_at: int | None = None):
        self.interrupt_at = interrupt_at
        self.rows: list[int] = []
        self.sigmas: list[float] = []

    def __call__(self, apply_model, args):
        self.rows.append(len(args["input"]))
        self.sigmas.append(float(args["timestep"][0]))
        if self.interrupt_at == len(self.rows):
            comfy.model_management.interrupt_current_processing(True)
        return apply_model(args["input"], args["timestep"], **args["c"])


def watched(model, interrupt_at: int | None = None) -> tuple[object, Calls]:
    """A clone of the model that notes its calls and, if asked, is interrupted by the user during one of them."""
    calls = Calls(interrupt_at)
    clone = model.clone()
    clone.set_model_unet_function_wrapper(calls)
    return clone, calls


class DenoiseOnce(comfy.samplers.Sampler):
    """Asks the model once, at sigmas[0], and returns its answer."""

    def sample(self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, *_):
        return model_wrap(noise, sigmas[0].expand(len(noise)), **extra_args)


def denoised(model, conditioning, x: torch.Tensor, sigma: float) -> torch.Tensor:
    """The model's denoised prediction at x under one prompt, in model space, through a plain host guider."""
    guider = comfy.samplers.CFGGuider(model)
    guider.inner_set_conds({"positive": conditioning})
    out = guider.sample(x, torch.zeros_like(x), DenoiseOnce(), torch.tensor([sigma]), disable_pbar=True)
    return model.model.process_latent_in(out)


def fingerprint(model) -> str:
    """SHA-256 of every weight."""
    digest = hashlib.sha256()
    for name, value in sorted(model.model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()


@contextlib.contextmanager
def interrupted():
    """Expect the host's interrupt, and leave no request behind."""
    try:
        yield
    except comfy.model_management.InterruptProcessingException:
        return
    finally:
        comfy.model_management.interrupt_current_processing(False)
    raise AssertionError("the run was not interrupted")
