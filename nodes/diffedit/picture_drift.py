import torch
from comfy_api.latest import io, ui

from ...diffedit_core.mask.masks import checked as checked_mask
from ...diffedit_core.repaint.composite import require_channels, require_one_or_as_many
from ...diffedit_core.repaint.drift import drift, moved_back, report
from ..shared.checks import CheckedNode, checked
from ..shared.sockets import CATEGORY_DIFFEDIT

SMALLEST = 16


class PictureDrift(CheckedNode, io.ComfyNode):
    """Has an instruction model shifted, zoomed or tinted the whole picture? No mask mends the first two."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PictureDrift",
            display_name="Picture Drift",
            category=CATEGORY_DIFFEDIT,
            description="Measures how far an edited picture as a whole has moved from its original, by shift, zoom and tint, "
            "says so, and moves it back. For models that paint the whole picture anew, such as Kontext and Qwen-Image-Edit.",
            search_aliases=["drift", "shift", "zoom", "align", "register", "Kontext", "Qwen-Image-Edit", "keep the rest"],
            has_intermediate_output=True,
            inputs=[
                io.Image.Input("original", tooltip="The picture as it was. One, or one for each edited."),
                io.Image.Input(
                    "edited", tooltip="What the model made of it. In another size it is first stretched to the original's."
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="1 where the edit is, in the original's size; it is not looked at there. Left out: what was edited "
                    "is found by itself, if it is less than about half of the picture.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="IMAGE",
                    tooltip="The edited picture in the original's size, moved back onto it where it has moved, else as it is. "
                    "For Composite Edited Picture.",
                ),
                io.String.Output(display_name="report", tooltip="What was measured and what to do, a line for each picture."),
                io.Float.Output(
                    display_name="shift_x",
                    tooltip="Pixels of the original to the right, of the picture that has moved furthest.",
                ),
                io.Float.Output(display_name="shift_y", tooltip="Pixels down, of the same picture."),
                io.Float.Output(
                    display_name="zoom", tooltip="Of the same picture, about its middle; 1.02: all is two percent larger."
                ),
            ],
        )

    @classmethod
    @checked
    def execute(cls, original, edited, mask=None) -> io.NodeOutput:
        size = original.shape[1:3]
        if min(size) < SMALLEST:
            raise ValueError(
                f"original is {size[1]} x {size[0]} pixels, too small to tell where it has moved; {SMALLEST} a side are enough."
            )
        require_channels("original", original)
        require_channels("edited", edited)
        require_one_or_as_many("original", len(original), len(edited))
        if mask is not None:
            mask = checked_mask(mask)
            require_one_or_as_many("mask", len(mask), len(edited))
            if mask.shape[1:] != size:
                raise ValueError(
                    f"mask is {mask.shape[2]} x {mask.shape[1]} pixels, but original is {size[1]} x {size[0]}; connect a mask "
                    "that was made on the original."
                )
        original, edited = original.float(), edited.float()
        if edited.shape[1:3] != size:
            edited = torch.nn.functional.interpolate(
                edited.movedim(-1, 1), size=tuple(size), mode="bilinear", antialias=True, align_corners=False
            ).movedim(1, -1)
        originals = original.expand(len(edited), *original.shape[1:])
        masks = [None] * len(edited) if mask is None else mask.expand(len(edited), *mask.shape[1:])
        found = [drift(*three) for three in zip(originals, edited, masks, strict=True)]
        pictures = [
            moved_back(old, new, one) if one.moved else new for old, new, one in zip(originals, edited, found, strict=True)
        ]
        said = "\n".join(map(report, found))
        furthest = max(found, key=lambda one: one.furthest if one.known else -1.0)
        numbers = (furthest.shift_x, furthest.shift_y, furthest.zoom) if furthest.known else (0.0, 0.0, 1.0)
        return io.NodeOutput(torch.stack(pictures), said, *numbers, ui=ui.PreviewText(said))
