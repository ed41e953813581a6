"""Checks of what the host hands over, before any model runs."""

import operator
import reprlib
from typing import Protocol

import comfy.model_base
import comfy.model_sampling
import comfy.sample
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

from .conditioning import require_areas
from .latents import Latents
from .model_kind import ModelKind
from .noising import Noising

# The first layer that the text enters in models that are no U-Nets: Hunyuan's, Flux's and Qwen's, SD 3's, Wan's, Lumina's.
TEXT_LAYERS = ("txt_in.input_embedder", "txt_in", "context_embedder", "text_embedding.0", "cap_embedder.1")
INPAINT_CHANNELS = {"mask", "masked_image"}


class ModelSampling(Protocol):
    """What is read of the host's sampling by the kinds that have it; `sigmas` (T,) ascending."""

    sigmas: torch.Tensor
    sigma_max: torch.Tensor
    sigma_data: float


def model_kind(model) -> ModelKind:
    """The kind of a MODEL, without its weights."""
    return ModelKind(
        model=type(model.model).__name__,
        config=type(model.model.model_config).__name__,
        latent_format=type(model.get_model_object("latent_format")).__name__,
        prediction=" + ".join(base.__name__ for base in type(model.get_model_object("model_sampling")).__bases__),
        sigma_max=float(_numbers(model).sigma_max),
    )


def _numbers(model) -> ModelSampling:
    return model.get_model_object("model_sampling")


def noising(model) -> Noising:
    """How this MODEL's states are made of picture and noise.

    Raises:
        ValueError: its sampling does not follow dx/dsigma = (x - denoised) / sigma from noise to picture.
    """
    sampling = model.get_model_object("model_sampling")
    apart = (
        comfy.model_sampling.IMG_TO_IMG,
        comfy.model_sampling.IMG_TO_IMG_FLOW,
        comfy.model_sampling.V_PREDICTION_DDPM,
    )
    if not isinstance(sampling, apart):
        if isinstance(sampling, comfy.model_sampling.CONST):
            return Noising(flow=True, noise_scale=getattr(sampling, "noise_scale", 1.0))
        if isinstance(sampling, comfy.model_sampling.COSMOS_RFLOW):
            return Noising(linear_input=True)
        if isinstance(sampling, comfy.model_sampling.EPS):
            velocity = type(sampling).calculate_denoised is comfy.model_sampling.V_PREDICTION.calculate_denoised
            return Noising(velocity=velocity, sigma_data=_numbers(model).sigma_data)
    why = "it does not walk from noise to a picture"
    if isinstance(sampling, comfy.model_sampling.V_PREDICTION_DDPM):
        why = "ComfyUI keeps its states at another scale than those of other models"
    raise ValueError(
        f"model is a {type(model.model).__name__} that samples as {model_kind(model).prediction}: {why}, so there is nothing "
        "to contrast or to invert. Other models that predict noise, v or flow are supported."
    )


def sigma_table(model) -> torch.Tensor:
    """A sigma for each training timestep, (T,) ascending; see `schedule`."""
    sampling = model.get_model_object("model_sampling")
    discrete = isinstance(sampling, comfy.model_sampling.ModelSamplingDiscrete)
    if discrete and not isinstance(sampling, comfy.model_sampling.StableCascadeSampling):
        return _numbers(model).sigmas.float().cpu()
    made_of = noising(model)
    sd1 = comfy.model_sampling.ModelSamplingDiscrete().get_buffer("sigmas")
    return torch.tensor([made_of.sigma_at(ratio) for ratio in sd1.tolist()])


def require_prompts(model, size: tuple[int, ...], **conditionings: list | None) -> None:
    """Refuse prompts that this MODEL cannot read.

    Args:
        size: (..., h, w) of the latents, in cells.
        conditionings: CONDITIONING by input name; None is skipped.

    Raises:
        ValueError: no text or text of another width, no second picture for a model that reads one, or a prompt for an area
            that begins beyond the picture.
    """
    require_areas(size, conditionings)
    _require_width(model, conditionings)
    _require_second_picture(model, conditionings)


def _require_width(model, conditionings: dict[str, list | None]) -> None:
    width = _text_width(model)
    if width is None:
        return
    for name, conditioning in conditionings.items():
        for rows, _ in conditioning or []:
            if not isinstance(rows, torch.Tensor):
                raise ValueError(f"{name} holds no text, and model reads text of width {width}; connect CLIP Text Encode.")
            if rows.shape[-1] != width:
                raise ValueError(
                    f"{name} has rows of width {rows.shape[-1]}, but model reads {width}; encode the prompt with the text "
                    "encoder that belongs to the model."
                )


def _text_width(model) -> int | None:
    """How wide the text is that enters the model; None where that is not known, as layers of many kinds stand there."""
    network = model.model.diffusion_model
    if isinstance(network, UNetModel):
        width = model.model.model_config.unet_config.get("context_dim")
        return width if isinstance(width, int) else None
    for name in TEXT_LAYERS:
        try:
            layer = network.get_submodule(name)
        except AttributeError:
            continue
        if isinstance(layer, torch.nn.Linear):
            return layer.in_features
    return None


def _require_second_picture(model, conditionings: dict[str, list | None]) -> None:
    """Refuse a model that reads a second picture beside the latent if a conditioning does not bring one.

    Inpainting U-Nets are welcome as they are: the host tells them that everything is masked, or the mask.

    Raises:
        ValueError: a conditioning without `concat_latent_image`.
    """
    if not _reads_second_picture(model):
        return
    for name, conditioning in conditionings.items():
        for _, options in conditioning or []:
            if "concat_latent_image" not in options:
                raise ValueError(
                    f"model is a {type(model.model).__name__} that reads a second picture beside the latent, and {name} brings "
                    "none; pass the prompts through the node that adds it (such as InstructPixToPixConditioning or "
                    "InpaintModelConditioning), or use a plain text-to-image model."
                )


def require_finite(*predictions: torch.Tensor) -> None:
    """
    Raises:
        ValueError: a prediction of the model is not finite.
    """
    if not all(torch.isfinite(prediction).all() for prediction in predictions):
        raise ValueError(
            "model gives predictions that are not finite; run it in float32 or bfloat16 (--force-fp32, --bf16-unet), also "
            "where it is in a guider, and choose a lower cfg."
        )


def require_unscheduled_hooks(**conditionings: list | None) -> None:
    """Refuse hooks whose strength changes over the steps: the host passes their keyframes only from noise to picture, so
    an inversion would have the last one in force at every level.

    Args:
        conditionings: CONDITIONING by input name; None is skipped.

    Raises:
        ValueError: hooks with several strengths.
    """
    for name, conditioning in conditionings.items():
        for _, options in conditioning or []:
            for hook in options["hooks"].hooks if options.get("hooks") else []:
                if len({keyframe.strength for keyframe in hook.hook_keyframe.keyframes}) > 1:
                    raise ValueError(
                        f"{name} has hooks with keyframes, which ComfyUI can only walk from noise to picture; invert under the "
                        "prompt without them, and connect the scheduled one to the sampling node."
                    )


def _reads_second_picture(model) -> bool:
    base, latent_format = model.model, model.get_model_object("latent_format")
    if hears_of_mask(model):
        return False
    if isinstance(base.diffusion_model, UNetModel):
        return base.diffusion_model.in_channels != latent_format.latent_channels
    # HunyuanVideo 1.5 makes videos from text with an empty picture and from a picture, by the same network.
    if type(base) is comfy.model_base.HunyuanVideo15:
        return False
    # Others concatenate channels that no conditioning fills (Kandinsky 5, Cosmos): only what changes the input counts.
    probe = torch.zeros(1, latent_format.latent_channels, *[8] * latent_format.latent_dimensions)
    black, white = (
        base.concat_cond(noise=probe, latent_image=probe, concat_latent_image=probe + value, device=probe.device)
        for value in (0, 1)
    )
    return black is not None and not torch.equal(black, white)


def hears_of_mask(model) -> bool:
    """Does the model itself read an inpainting mask? Then the host has to be given it.

    Others must not be: some video models would take whatever is outside a mask for clean.
    """
    return bool(model.model.concat_keys) and set(model.model.concat_keys) <= INPAINT_CHANNELS


def latents_in(model, latent: dict, input_name: str) -> Latents:
    """The pictures of a LATENT, if `model` can work on them.

    Raises:
        ValueError: sound or nested latents, another number of channels, no pictures, values that are not finite, numbers
            that are not one for each picture.
    """
    return Latents(_samples(model, latent, input_name), _batch_index(latent, input_name))


def _samples(model, latent: dict, input_name: str) -> torch.Tensor:
    samples = latent["samples"]
    latent_format = model.get_model_object("latent_format")
    if samples.is_nested:
        raise ValueError(f"{input_name} is a nest of several tensors (such as video with sound); separate them first.")
    if samples.numel() == 0:
        raise ValueError(f"{input_name} is empty (shape {tuple(samples.shape)}); connect at least one picture.")
    samples = comfy.sample.fix_empty_latent_channels(model, samples)
    sound = "audio_model" in model.model.model_config.unet_config
    if sound or latent_format.latent_dimensions < 2 or samples.ndim != 2 + latent_format.latent_dimensions:
        wanted = (
            "(pictures, channels, frames, height, width)"
            if latent_format.latent_dimensions == 3
            else "(pictures, channels, height, width)"
        )
        raise ValueError(
            f"{input_name} has the shape {tuple(samples.shape)}; for this model it must be {wanted}: latents of pictures, "
            "not of sound."
        )
    channels = latent_format.latent_channels
    if samples.shape[1] != channels:
        raise ValueError(
            f"{input_name} has {samples.shape[1]} channels, but the model works on {channels}; "
            "encode the picture with the VAE that belongs to the model."
        )
    if not torch.isfinite(samples).all():
        raise ValueError(
            f"{input_name} contains values that are not finite; if it comes from VAE Encode, run the VAE in float32."
        )
    return samples


def _batch_index(latent: dict, input_name: str) -> tuple[int, ...] | None:
    if latent.get("batch_index") is None:
        return None
    pictures = len(latent["samples"])
    try:
        numbers = tuple(operator.index(number) for number in latent["batch_index"])
    except TypeError:
        numbers = ()
    if len(numbers) != pictures or min(numbers) < 0:
        raise ValueError(
            f"{input_name} has the batch_index {reprlib.repr(latent['batch_index'])} for {pictures} picture(s); it must hold a "
            "whole number from 0 up for each. Take the pictures anew by Latent From Batch."
        )
    return numbers
