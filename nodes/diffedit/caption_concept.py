from functools import partial

from comfy_api.latest import io, ui

from ...diffedit_core.prompts.captions import caption_concept
from ...diffedit_core.prompts.captions_folder import T5
from ..shared.caption_inputs import DRAWN, captioning, decoding_inputs, find_model, model_input
from ..shared.checks import CheckedNode, checked
from ..shared.sockets import CATEGORY_DIFFEDIT

PLACE = "{concept}"


def asked(concept: str, template: str) -> str:
    """What the model is asked. Raises ValueError without a concept, or without a place for it."""
    if not concept.strip():
        raise ValueError("concept is empty; name what the captions shall be about, such as a bowl of apples.")
    if PLACE not in template:
        raise ValueError(f"template has no {PLACE}, where the concept is put; write it into the question.")
    return template.replace(PLACE, concept.strip())


class CaptionConcept(CheckedNode, io.ComfyNode):
    """Captions of pictures that show a concept, invented: for the mean of their embeddings."""

    RULES = (asked, partial(find_model, T5))

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CaptionConcept",
            display_name="Caption Concept (Flan-T5)",
            category=CATEGORY_DIFFEDIT,
            description="Lets a local Flan-T5 model invent captions for a concept, for Average Prompt Embeddings.",
            search_aliases=["DiffEdit", "Flan-T5", "T5", "generate prompts", "captions", "edit direction"],
            inputs=[
                io.String.Input(
                    "concept", default="a bowl of apples", tooltip="What the pictures to be described have in common."
                ),
                model_input(T5),
                io.String.Input(
                    "template",
                    multiline=True,
                    default=f"Write a caption for a picture that shows {PLACE}. Use English and at most 150 characters.",
                    tooltip=f"What the model is asked. {PLACE} stands for the concept.",
                ),
                *decoding_inputs(DRAWN, captions=16),
            ],
            outputs=[io.String.Output(display_name="captions", tooltip="One a line, for Average Prompt Embeddings.")],
        )

    @classmethod
    @checked
    def execute(cls, concept, model, template, max_tokens, decoding=None) -> io.NodeOutput:
        question = asked(concept, template)
        captions = "\n".join(caption_concept(find_model(T5, model), question, captioning(max_tokens, decoding)))
        return io.NodeOutput(captions, ui=ui.PreviewText(captions))
