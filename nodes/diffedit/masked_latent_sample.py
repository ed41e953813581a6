import comfy.samplers
from comfy_api.latest import io

from ...diffedit_core.model.host_model import require_second_picture
from ...diffedit_core.repaint.masked_sampling import (
    AS_INVERTED,
    SAMPLERS,
    Injection,
    require_own_trajectory,
    sample_masked,
    sampler_of,
)
from ..shared.masked_sampling_inputs import injection_inputs, latent_mask, latents_of, start_input
from ..shared.sockets import CATEGORY_DIFFEDIT, TrajectorySocket


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
                    options=[AS_INVERTED, *SAMPLERS],
                    default=AS_INVERTED,
                    tooltip="as inverted: the step that leads back the way that DDIM Invert came (for ddim, predictor and "
                    "fixed point that is euler, the published one). The others add no noise either and reach further in a "
                    "step, heun and dpm_2 with twice the model calls. The cfg_pp ones "
                    "push much harder: use a cfg near 1.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="Read by the background 'noised picture' and by model patches that draw noise; otherwise the "
                    "start, the inverted picture, decides.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="1 where the picture may change, of any size; values between change partly. Left out: everywhere.",
                ),
                start_input(),
                *injection_inputs(),
            ],
            outputs=[
                io.Latent.Output(display_name="LATENT", tooltip="The edited picture."),
                io.Latent.Output(display_name="denoised LATENT", tooltip="The model's last estimate of it."),
            ],
        )

    @classmethod
    def execute(
        cls,
        model,
        positive,
        negative,
        trajectory,
        cfg,
        sampler_name,
        seed,
        mask=None,
        start=1.0,
        background="trajectory",
        inject_begin=0.0,
        inject_end=1.0,
    ) -> io.NodeOutput:
        require_own_trajectory(model, trajectory)
        require_second_picture(model, positive=positive, negative=negative)
        trajectory = trajectory.up_to(start)
        mask = latent_mask(mask, model, trajectory)
        injection = Injection(background, inject_begin, inject_end, seed)
        sampler = sampler_of(sampler_name, trajectory, mask, injection)

        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(positive, negative)
        guider.set_cfg(cfg)
        samples, denoised = sample_masked(guider, sampler, trajectory.sigmas.flip(0), seed)
        return io.NodeOutput(latents_of(samples, trajectory), latents_of(denoised, trajectory))
