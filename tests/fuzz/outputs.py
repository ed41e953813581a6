"""What a proper result of a node is, by the type of the output: finite, and of the shapes that the documentation names."""

import json
import math
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import comfy.hooks
import comfy.samplers
import torch
from comfy.model_patcher import ModelPatcher
from time_diffedit.diffedit_core.inversion.inverted_noise import InvertedNoise
from time_diffedit.diffedit_core.inversion.trajectory import Trajectory
from time_diffedit.diffedit_core.mask.heatmap import Heatmap
from time_diffedit.diffedit_core.repaint.crop import Crop
from time_diffedit.time_core.equations.prior import Prior
from time_diffedit.time_core.equations.time_edit import TimeEdit


def check(io_type: str, value: Any) -> None:
    """AssertionError for what is no proper value of this type; KeyError for a type that is not in PROPER."""
    assert PROPER[io_type](value), f"{io_type} is not as documented: {shown(value)}"


def check_shown(ui: Any) -> None:
    """What a node shows goes to the browser as JSON, which knows no NaN."""
    as_dict = ui if isinstance(ui, dict) or ui is None else ui.as_dict()
    json.dumps(as_dict, allow_nan=False).encode()


def finite(tensor: Any) -> bool:
    return isinstance(tensor, torch.Tensor) and bool(torch.isfinite(tensor).all())


def shown(value: Any) -> str:
    return f"{tuple(value.shape)} {value.dtype}" if isinstance(value, torch.Tensor) else repr(value)[:200]


def tensors_of(value: Any) -> list[torch.Tensor]:
    """All tensors in a value, through containers and dataclasses; not those of models and the like."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    elif is_dataclass(value) and not isinstance(value, type):
        value = [getattr(value, field.name) for field in fields(value)]
    return [tensor for item in value for tensor in tensors_of(item)] if isinstance(value, (list, tuple)) else []


def _picture(value: Any) -> bool:
    return (
        finite(value) and value.ndim == 4 and value.shape[-1] in (3, 4) and value.numel() > 0 and value.dtype == torch.float32
    )


def _mask(value: Any) -> bool:
    return finite(value) and value.ndim == 3 and value.numel() > 0 and value.min() >= 0 and value.max() <= 1


def _latent(value: Any) -> bool:
    samples = value["samples"]
    return finite(samples) and samples.ndim in (4, 5) and samples.numel() > 0 and samples.is_floating_point()


def _conditioning(value: Any) -> bool:
    return bool(value) and all(finite(rows) and rows.ndim == 3 and isinstance(extras, dict) for rows, extras in value)


def _sigmas(value: Any) -> bool:
    return finite(value) and value.ndim == 1 and len(value) > 1 and value[-1] == 0 and bool((value[:-1] > value[1:]).all())


def _model(value: Any) -> bool:
    """A model whose weights are finite as its patches make them; one weight of those that it patches."""
    if not isinstance(value, ModelPatcher):
        return False
    key = next(iter(value.patches), None)
    return key is None or finite(value.patch_weight_to_device(key, device_to=torch.device("cpu"), return_weight=True))


def _edit(value: Any) -> bool:
    shape = (value.fingerprint.width, value.rank)
    return isinstance(value, TimeEdit) and all(finite(part) and part.shape == shape for part in (value.left, value.right))


def _prior(value: Any) -> bool:
    shape = (value.fingerprint.width, len(value.values))
    return isinstance(value, Prior) and finite(value.basis) and value.basis.shape == shape and finite(value.values)


def _trajectory(value: Any) -> bool:
    return (
        isinstance(value, Trajectory)
        and all(map(finite, tensors_of(value)))
        and value.states.shape == (len(value.sigmas), *value.clean.shape)
    )


def _heatmap(value: Any) -> bool:
    return (
        isinstance(value, Heatmap) and finite(value.values) and value.values.ndim in (4, 5) and bool((value.values >= 0).all())
    )


def _crop(value: Any) -> bool:
    ends = [[start + side for start, side in zip(place, value.window, strict=True)] for place in value.places]
    return isinstance(value, Crop) and all(
        end <= whole for each in ends for end, whole in zip(each, value.original, strict=True)
    )


def _kind(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kinds)


PROPER: dict[str, Callable[[Any], bool]] = {
    "IMAGE": _picture,
    "MASK": _mask,
    "LATENT": _latent,
    "CONDITIONING": _conditioning,
    "SIGMAS": _sigmas,
    "FLOAT": lambda value: isinstance(value, float) and math.isfinite(value),
    "STRING": lambda value: isinstance(value, str) and bool(value.encode() or True),
    "MODEL": _model,
    "TIME_EDIT": _edit,
    "TIME_PRIOR": _prior,
    "TRAJECTORY": _trajectory,
    "HEATMAP": _heatmap,
    "CROP": _crop,
    "HOOKS": _kind(comfy.hooks.HookGroup),
    "SAMPLER": _kind(comfy.samplers.Sampler),
    "NOISE": _kind(InvertedNoise),
}
