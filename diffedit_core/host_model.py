"""Checks of what the host hands over, before any model runs."""

import comfy.model_base
import comfy.model_sampling
import torch

from .trajectory import ModelKind

SUPPORTED = "eps-prediction models (SD 1.x, 2.x-base, SDXL)"


def model_kind(model) -> ModelKind:
    """The kind of a MODEL, without its weights."""
    return ModelKind(
        model=type(model.model).__name__,
        config=type(model.model.model_config).__name__,
        latent_format=type(model.get_model_object("latent_format")).__name__,
        prediction=_prediction(model),
        sigma_max=float(model.get_model_object("model_sampling").sigma_max),
    )


def require_eps_model(model) -> None:
    """Refuse models for which the formulas of this package do not hold.

    Raises:
        ValueError: the model does not predict noise at discrete timesteps, or reads more than latent and prompt.
    """
    if _prediction(model) != comfy.model_base.ModelType.EPS.name:
        raise ValueError(
            f"model is a {type(model.model).__name__} with {_prediction(model)} prediction; "
            f"this node works on {SUPPORTED} for now."
        )
    channels = model.get_model_object("latent_format").latent_channels
    read = model.model.model_config.unet_config.get("in_channels", channels)
    if model.model.concat_keys or read != channels:
        raise ValueError(
            f"model reads {read} channels where its latents have {channels}: it is made for inpainting or for editing "
            f"from a second picture. This node works on plain {SUPPORTED} for now."
        )


def _prediction(model) -> str:
    """What the model predicts; nodes such as ModelSamplingDiscrete override it by patching `model_sampling`."""
    if model.model.model_type != comfy.model_base.ModelType.EPS:
        return model.model.model_type.name
    sampling, eps = model.get_model_object("model_sampling"), comfy.model_sampling.EPS
    plain = (
        isinstance(sampling, comfy.model_sampling.ModelSamplingDiscrete)
        and type(sampling).calculate_input is eps.calculate_input
        and type(sampling).calculate_denoised is eps.calculate_denoised
    )
    if plain:
        return comfy.model_base.ModelType.EPS.name
    return " + ".join(base.__name__ for base in type(sampling).__bases__)


def image_samples(model, latent: dict, input_name: str) -> torch.Tensor:
    """The (B, C, h, w) samples of a LATENT, if `model` can work on them.

    Raises:
        ValueError: video or nested latents, another number of channels, no pictures, values that are not finite.
    """
    samples = latent["samples"]
    if samples.is_nested or samples.ndim != 4:
        shape = "a nest of several tensors" if samples.is_nested else f"of the shape {tuple(samples.shape)}"
        raise ValueError(
            f"{input_name} is {shape}; it must be (pictures, channels, height, width): latents of pictures, not of "
            "video or sound."
        )
    channels = model.get_model_object("latent_format").latent_channels
    if samples.shape[1] != channels:
        raise ValueError(
            f"{input_name} has {samples.shape[1]} channels, but the model works on {channels}; "
            "encode the picture with the VAE that belongs to the model."
        )
    if samples.numel() == 0:
        raise ValueError(f"{input_name} is empty (shape {tuple(samples.shape)}); connect at least one picture.")
    if not torch.isfinite(samples).all():
        raise ValueError(
            f"{input_name} contains values that are not finite; if it comes from VAE Encode, run the VAE in float32."
        )
    return samples


def batch_index(latent: dict, input_name: str) -> tuple[int, ...] | None:
    """The numbers that the pictures of a LATENT had in the batch they were taken from, if it has any.

    Raises:
        ValueError: not one number >= 0 for each picture.
    """
    if latent.get("batch_index") is None:
        return None
    numbers = tuple(int(i) for i in latent["batch_index"])
    if len(numbers) != len(latent["samples"]) or min(numbers) < 0:
        raise ValueError(
            f"{input_name} has the batch_index {list(numbers)} for {len(latent['samples'])} picture(s); "
            "it must hold one number from 0 up for each."
        )
    return numbers
