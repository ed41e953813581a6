from comfy_api.latest import io

from ...diffedit_core.repaint.composite import composite
from ...diffedit_core.repaint.seams import PASTE, Fit
from ..shared.checks import CheckedNode, checked
from ..shared.seam_inputs import seam_inputs
from ..shared.sockets import CATEGORY_DIFFEDIT


class CompositeEditedPicture(CheckedNode, io.ComfyNode):
    """Lay an edited picture over the original, so that outside the mask not even the VAE leaves a trace."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CompositeEditedPicture",
            display_name="Composite Edited Picture",
            category=CATEGORY_DIFFEDIT,
            description="Takes the edited picture inside the mask and the original's own pixels outside. The result has the "
            "original's size, also where VAE Encode cropped it.",
            search_aliases=["DiffEdit", "paste", "composite", "blend", "stitch"],
            inputs=[
                io.Image.Input("original", tooltip="The picture as it was before VAE Encode. One, or one for each edited."),
                io.Image.Input(
                    "edited", tooltip="The picture from VAE Decode, in the original's size or cropped by VAE Encode."
                ),
                io.Mask.Input("mask", tooltip="1 where the edited picture is taken. In the size of either picture."),
                io.Int.Input(
                    "feather",
                    default=0,
                    min=0,
                    max=4096,
                    tooltip="Pixels over which the edited picture fades in, inwards from the edge of the mask. More: softer "
                    "seams, and less of the edit near them. Outside the mask nothing changes at any value.",
                ),
                *seam_inputs(),
            ],
            outputs=[io.Image.Output(display_name="IMAGE", tooltip="The composed picture.")],
        )

    @classmethod
    @checked
    def execute(cls, original, edited, mask, feather, seam=PASTE, match_colours=False, soft_edge=0) -> io.NodeOutput:
        return io.NodeOutput(composite(original, edited, mask, feather, Fit(seam, match_colours, soft_edge)))
