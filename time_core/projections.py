"""Where a model reads text: the weights of its cross-attention keys and values."""

import re
from dataclasses import dataclass

from comfy.model_patcher import ModelPatcher

# The layout of SD 1.x, SD 2.x and SDXL (comfy/ldm/modules/diffusionmodules/openaimodel.py); attn1 reads the picture.
UNET_PROJECTION = re.compile(
    r"diffusion_model\.(?:input_blocks\.\d+|middle_block|output_blocks\.\d+)\.\d+\."
    r"transformer_blocks\.\d+\.attn2\.to_(?P<kind>[kv])\.weight"
)


@dataclass(frozen=True)
class Projections:
    """Names of the weights in the model's state dict, (out, text width) each."""

    keys: tuple[str, ...]
    values: tuple[str, ...]

    def chosen(self, edit_keys: bool, edit_values: bool) -> tuple[str, ...]:
        """The names to edit. Raises ValueError if neither keys nor values are chosen."""
        if not (edit_keys or edit_values):
            raise ValueError("edit_keys and edit_values are both off, so nothing would be edited; turn on at least one.")
        return (self.keys if edit_keys else ()) + (self.values if edit_values else ())


def cross_attention_keys(model_patcher: ModelPatcher, text_width: int) -> Projections:
    """The key and value projections that read `text_width`-wide text.

    Raises ValueError naming the model class if there are none, or if they read pictures or text of another width.
    """
    found: dict[str, list[str]] = {"k": [], "v": []}
    widths: set[int] = set()
    model_class = type(model_patcher.model).__name__
    for name, weight in model_patcher.model_state_dict("diffusion_model.").items():
        match = UNET_PROJECTION.fullmatch(name)
        if match:
            found[match["kind"]].append(name)
            widths.add(weight.shape[1])
        elif ".time_stack." in name:  # Stable Video Diffusion has the same layout and width as SD 2.x
            raise ValueError(f"The model ({model_class}) reads pictures and not text, so TIME cannot edit it.")
    if not widths:
        raise ValueError(
            f"The model ({model_class}) has no cross-attention key and value projections of the SD 1.x, SD 2.x or SDXL "
            "kind, so TIME cannot edit it."
        )
    if widths != {text_width}:
        raise ValueError(
            f"The model ({model_class}) reads text of width {', '.join(map(str, sorted(widths)))}, but the edit's text "
            f"encoder gives {text_width}; use the text encoder that belongs to the model."
        )
    return Projections(keys=tuple(found["k"]), values=tuple(found["v"]))
