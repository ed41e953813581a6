from comfy_api.latest import io

from .sockets import CATEGORY_DIFFEDIT, HeatmapSocket


class DiffEditMask(io.ComfyNode):
    """DiffEdit, step 1: where in the picture do two prompts disagree?"""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="DiffEditMask",
            display_name="DiffEdit Mask",
            category=CATEGORY_DIFFEDIT,
            description="Finds where a picture has to change: contrasts the model's noise predictions under the target and "
            "the source prompt.",
            search_aliases=["DiffEdit", "difference mask", "automatic mask", "mask from prompt"],
            inputs=[
                io.Model.Input("model", tooltip="The model whose predictions are contrasted."),
                io.Latent.Input("latent", tooltip="The picture, from VAE Encode."),
                io.Conditioning.Input("target", tooltip="The prompt for what the picture shall show."),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="Decides the noises. The same seed gives the same mask.",
                ),
                io.Int.Input(
                    "maps",
                    default=10,
                    min=1,
                    max=256,
                    tooltip="How many noises are averaged. More: a steadier mask, in proportionally more time.",
                ),
                io.Float.Input(
                    "noise_strength",
                    default=0.5,
                    min=0.02,
                    max=1.0,
                    step=0.01,
                    tooltip="How much noise covers the picture while the prompts are contrasted. Less: only details such as "
                    "colour can differ. More: whole objects, with softer outlines.",
                ),
                io.Float.Input(
                    "threshold_ratio",
                    default=3.0,
                    min=0.1,
                    max=100.0,
                    step=0.1,
                    tooltip="The heat map is cut off at this many times its mean and rescaled to 0..1. More: smaller masks.",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Cells of the rescaled heat map at or above this may be edited. More: smaller masks.",
                ),
                io.Float.Input(
                    "cfg",
                    default=7.5,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    tooltip="Guidance while contrasting. It matters only if the two negatives differ; with equal negatives "
                    "the mask cannot depend on it, and it is not computed.",
                ),
                io.Conditioning.Input(
                    "source",
                    optional=True,
                    tooltip="The prompt for what the picture shows now. Left out: the empty prompt, encoded with clip.",
                ),
                io.Conditioning.Input(
                    "target_negative",
                    optional=True,
                    tooltip="Negative prompt of the target. Left out: the empty prompt.",
                ),
                io.Conditioning.Input(
                    "source_negative",
                    optional=True,
                    tooltip="Negative prompt of the source. Left out: the empty prompt.",
                ),
                io.Clip.Input(
                    "clip",
                    optional=True,
                    tooltip="Encodes the empty prompt where a prompt is left out. Not needed when all that is read is connected.",
                ),
            ],
            outputs=[
                io.Mask.Output(display_name="MASK", tooltip="1 where the picture may change, at picture size."),
                HeatmapSocket.Output(display_name="HEATMAP", tooltip="The mean difference itself, one value per latent cell."),
                io.Float.Output(display_name="coverage", tooltip="Share of the picture that is masked, 0..1."),
            ],
        )

    @classmethod
    def execute(
        cls,
        model,
        latent,
        target,
        seed,
        maps,
        noise_strength,
        threshold_ratio,
        threshold,
        cfg,
        source=None,
        target_negative=None,
        source_negative=None,
        clip=None,
    ) -> io.NodeOutput:
        raise NotImplementedError
