"""How far a configuration may be from the CPU's float32: norms of differences, relative to the norm of what the CPU gives."""

from collections.abc import Mapping

K_AND_V, CALL, EDITED_CALL, HEAT_MAP, TEXT = "K and V", "model call", "edited model call", "heat map", "text"
# Rounding to float16 is 2^-11 = 0.0005 of a number at most, to bfloat16 2^-8 = 0.004. Inside a model it adds up.
BOUNDS = {
    K_AND_V: {"fp32": 1e-5, "fp16": 2e-3, "bf16": 1e-2},
    CALL: {"fp32": 1e-4, "fp16": 5e-3, "bf16": 4e-2},
    EDITED_CALL: {"fp32": 1e-4, "fp16": 5e-3, "bf16": 4e-2},
    HEAT_MAP: {"fp32": 1e-3, "fp16": 1e-2, "bf16": 5e-2},
    TEXT: {"fp32": 1e-4, "fp16": 2e-2, "bf16": 2e-2},  # the host chooses the text encoder's type, not the model's
}
OUTSIDE = 0.0  # a repainting leaves the latent outside its mask as it is, bit for bit


def exceeded(part: str, values: Mapping, dtype: str) -> list[str]:
    """In words, what of the values of a part is larger than it may be, or no number."""
    if part == "equality":
        limits = {name: bounds[dtype] for name, bounds in BOUNDS.items()}
    else:
        limits = {"outside": OUTSIDE} if part == "DiffEdit" else {}
    return [
        f"{name} is {values[name]:.2g} off, more than {limit:g}" for name, limit in limits.items() if not values[name] <= limit
    ]
