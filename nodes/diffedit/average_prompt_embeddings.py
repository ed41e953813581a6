import comfy.model_management
import comfy.utils
from comfy_api.latest import io

from ...diffedit_core.prompts.prompt_average import average_prompts, prompt_lines
from ..shared.checks import CheckedNode, checked
from ..shared.sockets import CATEGORY_DIFFEDIT


class AveragePromptEmbeddings(CheckedNode, io.ComfyNode):
    """Several prompts as one conditioning, which says what they have in common."""

    RULES = (prompt_lines,)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AveragePromptEmbeddings",
            display_name="Average Prompt Embeddings",
            category=CATEGORY_DIFFEDIT,
            description="Encodes several prompts and averages their embeddings: a conditioning for what they have in common. "
            "For DiffEdit with a concept instead of one prompt.",
            search_aliases=["DiffEdit", "mean embedding", "edit direction", "embed_prompts", "average conditioning"],
            inputs=[
                io.Clip.Input("clip", tooltip="The text encoder. Its LoRAs, layer and hooks apply as in CLIP Text Encode."),
                io.String.Input(
                    "prompts",
                    multiline=True,
                    dynamic_prompts=True,
                    tooltip="One prompt a line; blank lines are ignored, and a line written twice counts twice. More lines: "
                    "what single prompts say besides the concept weighs less. One line alone is CLIP Text Encode.",
                ),
            ],
            outputs=[io.Conditioning.Output(display_name="CONDITIONING", tooltip="The mean of the prompts.")],
        )

    @classmethod
    @checked
    def execute(cls, clip, prompts) -> io.NodeOutput:
        lines = prompt_lines(prompts)
        progress = comfy.utils.ProgressBar(len(lines))
        tokens, conditionings = [], []
        for line in lines:
            comfy.model_management.throw_exception_if_processing_interrupted()
            tokens.append(clip.tokenize(line))
            conditionings.append(clip.encode_from_tokens_scheduled(tokens[-1]))
            progress.update(1)
        return io.NodeOutput(average_prompts(conditionings, tokens))
