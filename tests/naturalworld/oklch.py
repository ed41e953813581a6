"""sRGB and OKLCH, the cylinder of OKLab (Björn Ottosson, 2020): lightness 0..1, chroma 0..0.4, hue in degrees."""

import numpy as np

TO_CONE = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
FROM_CONE = np.linalg.inv(TO_CONE)
FROM_LAB = np.linalg.inv(TO_LAB)
GAMUT_STEPS = 24  # halvings of the chroma's interval, far below what eight bits can show


def to_oklab(rgb: np.ndarray) -> np.ndarray:
    """OKLab (..., 3) of sRGB (..., 3) in 0..1."""
    rgb = np.asarray(rgb, np.float64)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ TO_CONE.T) @ TO_LAB.T


def to_oklch(rgb: np.ndarray) -> np.ndarray:
    """OKLCH (..., 3) of sRGB (..., 3) in 0..1."""
    lab = to_oklab(rgb)
    hue = np.degrees(np.arctan2(lab[..., 2], lab[..., 1])) % 360
    return np.stack([lab[..., 0], np.hypot(lab[..., 1], lab[..., 2]), hue], -1)


def lab_of(lch: np.ndarray) -> np.ndarray:
    """OKLab (..., 3) of OKLCH (..., 3)."""
    lch = np.asarray(lch, np.float64)
    hue = np.radians(lch[..., 2])
    return np.stack([lch[..., 0], lch[..., 1] * np.cos(hue), lch[..., 1] * np.sin(hue)], -1)


def from_oklch(lch: np.ndarray) -> np.ndarray:
    """sRGB (..., 3) in 0..1; a colour that sRGB has not gets the largest chroma at its lightness and hue that it has."""
    lch = np.array(lch, np.float64)
    lch[..., 0] = lch[..., 0].clip(0, 1)
    low, high = np.zeros_like(lch[..., 1]), lch[..., 1].copy()
    inside = _is_inside(_linear(lch))
    for _ in range(GAMUT_STEPS):
        middle = (low + high) / 2
        fits = _is_inside(_linear(np.stack([lch[..., 0], middle, lch[..., 2]], -1)))
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    lch[..., 1] = np.where(inside, lch[..., 1], low)
    linear = _linear(lch).clip(0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _linear(lch: np.ndarray) -> np.ndarray:
    return (lab_of(lch) @ FROM_LAB.T) ** 3 @ FROM_CONE.T


def _is_inside(linear: np.ndarray) -> np.ndarray:
    return ((linear >= -1e-6) & (linear <= 1 + 1e-6)).all(-1)


def hue_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a - b on the circle, in -180..180 degrees."""
    return (np.asarray(a) - b + 180) % 360 - 180
