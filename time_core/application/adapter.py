"""A TIME edit as a weight patch of the host."""

from collections.abc import Callable

import torch
from comfy.model_management import cast_to_device
from comfy.weight_adapter import WeightAdapterBase


class TimeAdapter(WeightAdapterBase):
    """W -> W (I + strength * left @ right.T), with W the weight as earlier patches left it.

    `weights` is (left, right), both (text width, rank). The host rebuilds adapters as `type(a)(a.loaded_keys, weights)`
    when it moves their tensors (comfy/lora.py, prefetch_prepared_value), so there is no other state.
    """

    name = "time"

    def __init__(self, loaded_keys: set[str], weights: tuple[torch.Tensor, torch.Tensor]):
        self.loaded_keys = loaded_keys
        self.weights = weights  # pyright: ignore[reportAttributeAccessIssue]  # a tuple, as in all of the host's own adapters

    def calculate_weight(
        self,
        weight: torch.Tensor,
        key: str,
        strength: float,
        strength_model: float,
        offset: tuple[int, int, int] | None,
        function: Callable[[torch.Tensor], torch.Tensor],
        intermediate_dtype: torch.dtype = torch.float32,
        original_weight: dict | None = None,
    ) -> torch.Tensor:
        """Patch `weight` (out, text width) in place and return it.

        Always in float32: on a low-VRAM cast `intermediate_dtype` is the weight's own, too coarse for the products,
        which cancel for all text that the edit is to leave alone.
        """
        left, right = self._on(weight.device)
        delta = ((weight.to(torch.float32) @ left) @ right.T) * strength
        weight += function(delta.to(weight.dtype))
        return weight

    def bypass_forward(self, org_forward: Callable, x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        """The projection of edited text, W (x + P x), which is the edited projection of `x` (..., text width)."""
        left, right = self._on(x.device)
        delta = ((x.to(torch.float32) @ right) @ left.T) * self.multiplier
        return org_forward(x + delta.to(x.dtype), *args, **kwargs)

    def h(self, x: torch.Tensor, base_out: torch.Tensor) -> torch.Tensor:
        """Not available: W P x cannot be had from x and W x. The host calls `bypass_forward`, which is exact."""
        raise NotImplementedError("A TIME edit has no additive part without the weight; use bypass_forward.")

    def _on(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        left, right = self.weights
        return cast_to_device(left, device, torch.float32), cast_to_device(right, device, torch.float32)
