"""The colours of heat maps."""

import functools
import math

import torch


def heat_colours(values: torch.Tensor) -> torch.Tensor:
    """Heat in colours whose lightness rises evenly with it: black violet, magenta, orange, pale yellow.

    Args:
        values: (...,) 0 .. 1.

    Returns:
        (..., 3) sRGB, 0 .. 1, float32.
    """
    ramp = _ramp()
    return ramp[(values.float().clamp(0, 1) * (len(ramp) - 1)).round().long()]


@functools.cache
def _ramp(steps: int = 256) -> torch.Tensor:
    """(steps, 3) sRGB: a path through OKLab (Ottosson 2020), where distance is what the eye sees."""
    t = torch.linspace(0, 1, steps, dtype=torch.float64)
    lightness = 0.12 + 0.84 * t
    chroma = 0.17 * (math.pi * t**0.85).sin()
    hue = torch.deg2rad(285 + 180 * t)
    a, b = chroma * hue.cos(), chroma * hue.sin()
    to_cones = torch.tensor(
        [
            [1.0, 0.3963377774, 0.2158037573],
            [1.0, -0.1055613458, -0.0638541728],
            [1.0, -0.0894841775, -1.2914855480],
        ],
        dtype=torch.float64,
    )
    to_linear = torch.tensor(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ],
        dtype=torch.float64,
    )
    linear = ((torch.stack([lightness, a, b], dim=1) @ to_cones.T) ** 3 @ to_linear.T).clamp(0, 1)
    return torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055).float()
