from comfy_api.latest import io

from .sockets import CATEGORY_DIFFEDIT, TrajectorySocket


class MaskedLatentSample(io.ComfyNode):
    """DiffEdit, step 3: repaint inside the mask; outside it follow the trajectory back to the picture."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MaskedLatentSample",
            display_name="Masked Latent Sample",
            category=CATEGORY_DIFFEDIT,
            description="Samples from an inverted picture under a new prompt. Outside the mask the result is the original "
            "latent, exactly.",
            search_aliases=["DiffEdit", "masked sampling", "inpaint", "resample"],
            inputs=[
                io.Model.Input("model", tooltip="The model to sample with; the kind that made the trajectory."),
                io.Conditioning.Input("positive", tooltip="The prompt for what the picture shall show."),
                io.Conditioning.Input("negative", tooltip="What it shall not show."),
                TrajectorySocket.Input("trajectory", tooltip="From DDIM Invert."),
                io.Float.Input(
                    "cfg",
                    default=7.5,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    tooltip="How strictly the prompt is followed.",
                ),
                io.Combo.Input(
                    "sampler_name",
                    options=["euler"],
                    default="euler",
                    tooltip="A deterministic sampler. euler is DDIM.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="Read only by model patches that draw noise: the start is the inverted picture.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="1 where the picture may change, of any size. Left out: everywhere.",
                ),
            ],
            outputs=[
                io.Latent.Output(display_name="LATENT", tooltip="The edited picture."),
                io.Latent.Output(display_name="denoised LATENT", tooltip="The model's last estimate of it."),
            ],
        )

    @classmethod
    def execute(cls, model, positive, negative, trajectory, cfg, sampler_name, seed, mask=None) -> io.NodeOutput:
        raise NotImplementedError
