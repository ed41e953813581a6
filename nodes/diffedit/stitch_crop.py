from comfy_api.latest import io

from ...diffedit_core.repaint.crop import stitch
from ...diffedit_core.repaint.seams import PASTE, Fit
from ..shared.checks import CheckedNode, checked
from ..shared.seam_inputs import seam_inputs
from ..shared.sockets import CATEGORY_DIFFEDIT, CropSocket


class StitchCrop(CheckedNode, io.ComfyNode):
    """Lay back what Crop Around Mask cut out; around it the original stays as it was, to the bit."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StitchCrop",
            display_name="Stitch Crop",
            category=CATEGORY_DIFFEDIT,
            description="Lays an edited crop back where Crop Around Mask cut it out. Outside the mask, and outside the window, "
            "the original's own pixels stay, bit for bit.",
            search_aliases=["DiffEdit", "uncrop", "inpaint stitch", "paste", "composite", "blend"],
            inputs=[
                io.Image.Input("original", tooltip="The picture that Crop Around Mask cut. One, or one for each edited."),
                io.Image.Input("edited", tooltip="Its IMAGE after the edit, in the same size or cropped by VAE Encode."),
                CropSocket.Input("crop", tooltip="From Crop Around Mask: where the window lies."),
                io.Int.Input(
                    "feather",
                    default=0,
                    min=0,
                    max=4096,
                    tooltip="Pixels of the original over which the edit fades in, inwards from the edge of the mask, or of the "
                    "window without one. More: softer seams, and less of the edit near them. Outside nothing changes at any "
                    "value.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="1 where the edited crop is taken, in the size of the crop: the MASK of Crop Around Mask, or one "
                    "made on its IMAGE. Left out: the whole window.",
                ),
                *seam_inputs(),
            ],
            outputs=[io.Image.Output(display_name="IMAGE", tooltip="The whole picture, at the original's size.")],
        )

    @classmethod
    @checked
    def execute(cls, original, edited, crop, feather, mask=None, seam=PASTE, match_colours=False, soft_edge=0) -> io.NodeOutput:
        return io.NodeOutput(stitch(original, edited, crop, mask, feather, Fit(seam, match_colours, soft_edge)))
