"""What the pack knows of a model family of the host."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from .text_reading import Projection

Weights = Mapping[str, torch.Tensor]  # the model's state dict from "diffusion_model." on
Layer = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Family:
    """`find` gives the projections in a model's weights, none if the model is of another family.

    Where the family has its own text projector, `project(diffusion_model, rows, extra)` applies it: the first is the host's
    network, of which each family says what it reads; `rows` (1, n, encoder width) on the model's device and in its dtype,
    `extra` the host's further conditioning; (1, m, width) comes back.
    `projector_weights` then matches the names of its weights. `track` as in `TextReading`. `entry` families are read by
    one layer and have no cross-attention. `note` is for the reader: where else text enters.
    """

    name: str
    find: Callable[[Weights], tuple[Projection, ...]]
    project: Callable[[Any, torch.Tensor, dict[str, Any]], torch.Tensor] | None = None
    projector_weights: re.Pattern[str] | None = None
    track: str = ""
    entry: bool = False
    note: str = ""


def in_blocks(pattern: str, part: Callable[[str], str] = lambda name: "") -> Callable[[Weights], tuple[Projection, ...]]:
    """A `find` by name: `pattern` has the groups `block`, what two weights of one block share, and `key` or `value`.

    Blocks are numbered in the order of the state dict, which is that of the forward pass. `part` gives a name's part.
    """
    compiled = re.compile(pattern)

    def find(weights: Weights) -> tuple[Projection, ...]:
        matches = [match for name in weights if (match := compiled.fullmatch(name))]
        blocks = {block: number for number, block in enumerate(dict.fromkeys(match["block"] for match in matches))}
        return tuple(
            Projection(
                name=match.string,
                rows=None,
                kind="key" if match.groupdict().get("key") else "value",
                block=blocks[match["block"]],
                part=part(match.string),
            )
            for match in matches
        )

    return find


def fused_in_blocks(pattern: str) -> Callable[[Weights], tuple[Projection, ...]]:
    """A `find` for weights that hold the keys in their first half of rows and the values in the second.

    `pattern` has the group `block`.
    """
    compiled = re.compile(pattern)

    def find(weights: Weights) -> tuple[Projection, ...]:
        found = []
        for block, name in enumerate(name for name in weights if compiled.fullmatch(name)):
            half = weights[name].shape[0] // 2
            found += [Projection(name, (0, half), "key", block), Projection(name, (half, half), "value", block)]
        return tuple(found)

    return find
