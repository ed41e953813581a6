from comfy_api.latest import io

from ...diffedit_core.model.guidance import Guidance, negative_is_read
from ...diffedit_core.model.host_model import require_prompts
from ...diffedit_core.repaint.background import TRAJECTORY
from ...diffedit_core.repaint.masked_sampling import (
    AS_INVERTED,
    SAMPLERS,
    Injection,
    reads_negative,
    require_own_trajectory,
    sample_masked,
    sampler_of,
)
from ..shared.checks import CheckedNode, checked
from ..shared.empty_prompt import conditioning_or_empty
from ..shared.masked_sampling_inputs import background_input, injection_span, kept_between, latent_mask, latents_of, start_input
from ..shared.sockets import CATEGORY_DIFFEDIT, TrajectorySocket


class MaskedLatentSample(CheckedNode, io.ComfyNode):
    """DiffEdit, step 3: repaint inside the mask; outside it follow the trajectory back to the picture."""

    RULES = (kept_between,)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MaskedLatentSample",
            display_name="Masked Latent Sample",
            category=CATEGORY_DIFFEDIT,
            description="Samples from an inverted picture under a new prompt. Outside the mask the result is the "
            "original latent, exactly.",
            search_aliases=["DiffEdit", "edit image", "masked sampling", "inpaint", "resample"],
            inputs=[
                io.Model.Input("model", tooltip="The model to sample with; the kind that made the trajectory."),
                io.Conditioning.Input("positive", tooltip="The prompt for what the picture shall show."),
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
                io.Conditioning.Input(
                    "negative",
                    optional=True,
                    tooltip="What it shall not show. Read only if cfg is not 1. Left out: the empty prompt, encoded with clip.",
                ),
                io.Clip.Input(
                    "clip",
                    optional=True,
                    tooltip="Encodes the empty prompt where negative is left out. Not needed when it is connected or not read.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="1 where the picture may change, of any size; values between change partly. Left out: everywhere.",
                ),
                start_input(),
                background_input(),
                *injection_span(),
            ],
            outputs=[
                io.Latent.Output(display_name="LATENT", tooltip="The edited picture."),
                io.Latent.Output(display_name="denoised LATENT", tooltip="The model's last estimate of it."),
            ],
        )

    @classmethod
    @checked
    def execute(
        cls,
        model,
        positive,
        trajectory,
        cfg,
        sampler_name,
        seed,
        negative=None,
        clip=None,
        mask=None,
        start=1.0,
        background=TRAJECTORY,
        inject_begin=0.0,
        inject_end=1.0,
    ) -> io.NodeOutput:
        require_own_trajectory(model, trajectory)
        read = negative_is_read(model, cfg) or reads_negative(sampler_name)
        negative = conditioning_or_empty(negative, clip, "negative") if read else None
        require_prompts(model, trajectory.clean.shape[2:], positive=positive, negative=negative)
        trajectory = trajectory.up_to(start)
        mask = latent_mask(mask, model, trajectory)
        injection = Injection(background, inject_begin, inject_end, seed)
        sampler = sampler_of(sampler_name, trajectory, mask, injection)

        guider = Guidance(positive, negative, cfg).guider(model)
        samples, denoised = sample_masked(guider, sampler, trajectory.sigmas.flip(0), seed)
        return io.NodeOutput(latents_of(samples, trajectory), latents_of(denoised, trajectory))
