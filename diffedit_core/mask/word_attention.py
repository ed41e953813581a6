"""What some words of a prompt are read for, cell by cell: the model's attention to them, heard through the host's own hook.

Heard is what ComfyUI's `optimized_attention_override` is asked for, in every layer where cells of the picture (queries) read
rows of the prompt (keys). Models that put both into one attention, such as Flux and SD 3, have no such layer.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

HOOK = "optimized_attention_override"


class WordAttention:
    """What share of its attention each cell gives to some rows of a prompt, over all layers and heads.

    Args:
        rows: those rows.
        prompt_rows: how many the prompt has.
    """

    def __init__(self, rows: Sequence[int], prompt_rows: int):
        self.rows, self.prompt_rows = list(rows), prompt_rows
        self._heard: torch.Tensor | None = None

    def listening(self, model_options: dict, cond: int, size: Sequence[int]) -> dict:
        """The same options with our ears in them, which change nothing that is computed.

        Args:
            cond: which of the conds that the host is asked about together has the prompt.
            size: ([frames,] height, width) of the latent.
        """
        options = model_options.get("transformer_options", {})
        before = options.get(HOOK)

        def heard(attention: Callable, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *args, **kwargs) -> torch.Tensor:
            self._hear(q, k, args[0] if args else kwargs["heads"], kwargs, cond, size)
            # a hook that was there before calls the attention itself
            return attention(q, k, v, *args, **kwargs) if before is None else before(attention, q, k, v, *args, **kwargs)

        return {**model_options, "transformer_options": {**options, HOOK: heard}}

    def take(self) -> torch.Tensor | None:
        """What was heard since it was last taken: (*size) float32, 0 where the words are read least and 1 where most.

        None if no layer was heard, or all cells read alike.
        """
        heard, self._heard = self._heard, None
        if heard is None:
            return None
        low, high = heard.min(), heard.max()
        return (heard - low) / (high - low) if high > low else None

    def _hear(self, q: torch.Tensor, k: torch.Tensor, heads: int, how: dict[str, Any], cond: int, size: Sequence[int]) -> None:
        if not how.get("skip_reshape"):
            q, k = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k))
        grid = _grid(q.shape[2], size)
        if grid is None or q.shape[2] == k.shape[2] or k.shape[2] % self.prompt_rows:
            return
        rows = [row + start for start in range(0, k.shape[2], self.prompt_rows) for row in self.rows]  # repeated by the host
        asked = how.get("transformer_options", {}).get("cond_or_uncond", [0])
        each = len(q) // len(asked)
        pictures = [picture for i, which in enumerate(asked) if which == cond for picture in range(i * each, (i + 1) * each)]
        scale = how.get("scale") or q.shape[-1] ** -0.5
        for picture in pictures:
            share = torch.zeros(q.shape[2])
            for head in range(q.shape[1]):  # one by one: of a long video all of them are gigabytes
                key = k[picture, head * k.shape[1] // q.shape[1]].float()
                share += ((q[picture, head].float() * scale) @ key.T).softmax(-1)[:, rows].sum(-1).cpu()
            share = _resized(share.reshape(grid) / q.shape[1], size)
            self._heard = share if self._heard is None else self._heard + share


def _grid(count: int, size: Sequence[int]) -> tuple[int, ...] | None:
    """So many cells as ([frames,] height, width): the latent's, or halved some times; None if they are none."""
    *frames, height, width = size
    for halved in range(8):
        grid = (*frames, math.ceil(height / 2**halved), math.ceil(width / 2**halved))
        if math.prod(grid) == count:
            return grid
    return None


def _resized(values: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Frame by frame."""
    frames = values.reshape(-1, 1, *values.shape[-2:])
    return F.interpolate(frames, tuple(size[-2:]), mode="bilinear").reshape(*values.shape[:-2], *size[-2:])
