from comfy_api.latest import io

from ...diffedit_core.repaint.crop import CELL, crop_around, cut_out, cut_out_mask
from ..shared.checks import CheckedNode, checked
from ..shared.sockets import CATEGORY_DIFFEDIT, CropSocket


def require_whole_cells(size: int) -> None:
    if size % CELL:
        raise ValueError(f"size is {size}; it must be a multiple of {CELL}, such as {size - size % CELL}.")


class CropAroundMask(CheckedNode, io.ComfyNode):
    """Cut out what is masked, with its surroundings, at the size at which the model is good."""

    RULES = (require_whole_cells,)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CropAroundMask",
            display_name="Crop Around Mask",
            category=CATEGORY_DIFFEDIT,
            description="Cuts out what is masked, with its surroundings, and enlarges it to the size at which the model is "
            "good, so that a small thing is edited as a large one. Stitch Crop lays it back.",
            search_aliases=["DiffEdit", "crop", "inpaint crop", "zoom", "small thing", "face detail"],
            inputs=[
                io.Image.Input("picture", tooltip="The whole picture, or several of one size."),
                io.Mask.Input(
                    "mask",
                    tooltip="1 where the picture shall be edited, in the size of picture or as VAE Encode crops it. One for "
                    "all pictures, or one for each; all windows are of one size.",
                ),
                io.Float.Input(
                    "context",
                    default=0.5,
                    min=0.0,
                    max=10.0,
                    step=0.05,
                    tooltip="Surroundings on each side, in lengths of the mask's longer side: with 0.5 the window is twice as "
                    "long as the mask. More: the model sees better what is around; less: the thing becomes larger.",
                ),
                io.Int.Input(
                    "size",
                    default=512,
                    min=64,
                    max=4096,
                    step=CELL,
                    tooltip="Pixels of the longer side after resizing: the size at which the model is good, such as 512 for "
                    "SD 1.5 and 1024 for SDXL.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="IMAGE", tooltip="What lies in the window, resized; to be edited."),
                io.Mask.Output(display_name="MASK", tooltip="The mask in the window, in the size of IMAGE."),
                CropSocket.Output(display_name="CROP", tooltip="Where the window lies; for Stitch Crop."),
            ],
        )

    @classmethod
    @checked
    def execute(cls, picture, mask, context, size) -> io.NodeOutput:
        height, width = picture.shape[1:3]
        crop = crop_around(mask, (height, width), context, size)
        return io.NodeOutput(cut_out(picture, crop), cut_out_mask(mask, crop), crop)
