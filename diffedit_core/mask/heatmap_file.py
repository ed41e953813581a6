"""A Heatmap as a file that a browser can judge by itself, and come to the very cells that `mask_rule` comes to.

A safetensors file, whose tensors are

- `values`: as `Heatmap.values`, as `MaskRule.prepared` gives them, which a browser cannot repeat;
- `mean`: (pairs, pictures) float64, because a sum depends on the order in which it is made;
- `colours`: (256, 3) uint8, those of `heat_colours` from cold to hot.

Its metadata are `cell`, `cell_frames`, `detail`, `rim`, `unfocused`, and `settings`: by input name, as JSON, what the mask was
made with.
"""

import json

import safetensors.torch
import torch

from .heat_colours import heat_colours
from .heatmap import Heatmap
from .rules import mean

COLOURS = 256


def heatmap_file(heatmap: Heatmap, settings: dict) -> bytes:
    """
    Args:
        heatmap: prepared.
        settings: whatever JSON holds.
    """
    colours = heat_colours(torch.linspace(0, 1, COLOURS))
    tensors = {
        "values": heatmap.values.contiguous(),
        "mean": torch.stack([mean(pair) for pair in heatmap.values]),
        "colours": (255 * colours).round().to(torch.uint8),
    }
    metadata = {
        "cell": str(heatmap.cell),
        "cell_frames": str(heatmap.cell_frames),
        "detail": str(heatmap.detail),
        "rim": str(heatmap.rim),
        "unfocused": heatmap.unfocused,
        "settings": json.dumps(settings),
    }
    return safetensors.torch.save(tensors, metadata)
