"""The inversion methods by name, one file each. All start at the clean picture, taken for the state at sigma = 0
(diffusers' set_alpha_to_one=True), and need no evaluation there, where a derivative does not exist."""

from . import ddim, ddpm, fireflow, fixed_point, midpoint, o_belm, predictor
from .method import Blend, Method, Options, Path, as_it_is

METHODS: dict[str, Method] = {
    "ddim": ddim.METHOD,
    "predictor": predictor.METHOD,
    "fixed point": fixed_point.METHOD,
    "midpoint": midpoint.METHOD,
    "fireflow": fireflow.METHOD,
    "o-belm": o_belm.METHOD,
    "ddpm": ddpm.METHOD,
}


def method_named(name: str) -> Method:
    """
    Raises:
        ValueError: no such method.
    """
    if name not in METHODS:
        raise ValueError(f"method is {name!r}; choose one of {', '.join(METHODS)}.")
    return METHODS[name]


__all__ = ["METHODS", "Blend", "Method", "Options", "Path", "as_it_is", "method_named"]
