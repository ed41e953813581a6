from functools import partial

from comfy_api.latest import io, ui

from ...diffedit_core.prompts.captions import caption_images
from ...diffedit_core.prompts.captions_folder import BLIP
from ..shared.caption_inputs import LIKELIEST, captioning, decoding_inputs, find_model, model_input
from ..shared.checks import CheckedNode, checked
from ..shared.sockets import CATEGORY_DIFFEDIT


class CaptionImage(CheckedNode, io.ComfyNode):
    """What a picture shows, in words: DiffEdit's source prompt."""

    RULES = (partial(find_model, BLIP),)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CaptionImage",
            display_name="Caption Image (BLIP)",
            category=CATEGORY_DIFFEDIT,
            description="Describes pictures with a local BLIP model, for DiffEdit's source prompt.",
            search_aliases=["DiffEdit", "BLIP", "image to text", "captioning", "describe", "interrogate"],
            inputs=[
                io.Image.Input("image", tooltip="The pictures. Each is captioned by itself."),
                model_input(BLIP),
                io.String.Input(
                    "text",
                    default="a photograph of",
                    tooltip="Every caption begins with this, and the model goes on. May be empty.",
                ),
                *decoding_inputs(LIKELIEST, captions=1),
            ],
            outputs=[io.String.Output(display_name="captions", tooltip="One a line: all of the first picture, then the next.")],
        )

    @classmethod
    @checked
    def execute(cls, image, model, text, max_tokens, decoding=None) -> io.NodeOutput:
        captions = "\n".join(caption_images(find_model(BLIP, model), image, text, captioning(max_tokens, decoding)))
        return io.NodeOutput(captions, ui=ui.PreviewText(captions))
