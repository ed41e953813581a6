from comfy_api.latest import io

from ..diffedit_core.host_model import require_eps_model
from ..diffedit_core.masked_sampling import SAMPLERS, require_own_trajectory, sample_masked
from ..diffedit_core.masks import to_latent_size
from .sockets import CATEGORY_DIFFEDIT, TrajectorySocket


class MaskedLatentSample(io.ComfyNode):
    """DiffEdit, step 3: repaint inside the mask; outside it follow the trajectory back to the picture."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MaskedLatentSample",
            display_name="Masked Latent Sample",
            category=CATEGORY_DIFFEDIT,
            description="Samples from an inverted picture under a new prompt. Outside the mask the result is the "
            "original latent, exactly.",
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
                    options=list(SAMPLERS),
                    default="euler",
                    tooltip="A sampler that adds no noise. euler is DDIM, the published one; the others reach further "
                    "in a step, heun and dpm_2 with twice the model calls.",
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
        require_eps_model(model)
        require_own_trajectory(model, trajectory)
        if mask is not None:
            cell = model.get_model_object("latent_format").spacial_downscale_ratio
            mask = to_latent_size(mask, trajectory.clean.shape, cell)

        samples, denoised = sample_masked(model, positive, negative, trajectory, mask, cfg, sampler_name, seed)
        carried = {} if trajectory.batch_index is None else {"batch_index": list(trajectory.batch_index)}
        return io.NodeOutput({"samples": samples} | carried, {"samples": denoised} | carried)
