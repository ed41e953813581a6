from comfy_api.latest import io

from ...diffedit_core.model.host_model import require_prompts
from ...diffedit_core.repaint.background import TRAJECTORY
from ...diffedit_core.repaint.masked_sampling import Injection, from_sampler, require_own_trajectory, sample_masked
from ..shared.checks import CheckedNode, checked
from ..shared.masked_sampling_inputs import background_input, injection_span, kept_between, latent_mask, latents_of
from ..shared.sockets import CATEGORY_DIFFEDIT, TrajectorySocket


class MaskedLatentSampleAdvanced(CheckedNode, io.ComfyNode):
    """Masked Latent Sample with the host's guiders, samplers and schedules."""

    RULES = (kept_between,)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MaskedLatentSampleAdvanced",
            display_name="Masked Latent Sample (Advanced)",
            category=CATEGORY_DIFFEDIT,
            description="Masked Latent Sample with a guider, sampler and schedule of your own. Outside the mask the result is "
            "the original latent, exactly.",
            search_aliases=["DiffEdit", "masked sampling", "custom sampling", "guider", "inpaint"],
            inputs=[
                io.Guider.Input(
                    "guider", tooltip="Model, prompts and guidance: CFGGuider, BasicGuider, DualCFGGuider and others."
                ),
                TrajectorySocket.Input("trajectory", tooltip="From DDIM Invert, made with a model of the same kind."),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="Read by samplers that add noise, by the background 'noised picture' and by model patches that "
                    "draw noise.",
                ),
                io.Sampler.Input(
                    "sampler",
                    optional=True,
                    tooltip="From KSamplerSelect or another sampler node. Left out: the step that leads back the way that DDIM "
                    "Invert came.",
                ),
                io.Sigmas.Input(
                    "sigmas",
                    optional=True,
                    tooltip="A schedule from at most the trajectory's last level down; between its levels the background is "
                    "interpolated. Left out: the trajectory's own.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="1 where the picture may change, of any size; values between change partly. Left out: everywhere.",
                ),
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
        guider,
        trajectory,
        seed,
        sampler=None,
        sigmas=None,
        mask=None,
        background=TRAJECTORY,
        inject_begin=0.0,
        inject_end=1.0,
    ) -> io.NodeOutput:
        model = guider.model_patcher
        require_own_trajectory(model, trajectory)
        prompts = {
            f"guider's {name}": [[cond.get("cross_attn"), cond] for cond in conds]
            for name, conds in guider.original_conds.items()
        }
        require_prompts(model, trajectory.clean.shape[2:], **prompts)
        sigmas = trajectory.sigmas.flip(0) if sigmas is None else sigmas.float().cpu().clone()  # uni_pc writes into it
        mask = latent_mask(mask, model, trajectory)
        made = from_sampler(sampler, trajectory, mask, Injection(background, inject_begin, inject_end, seed))
        trajectory.require_levels(sigmas, made.own_levels)
        samples, denoised = sample_masked(guider, made, sigmas, seed)
        return io.NodeOutput(latents_of(samples, trajectory), latents_of(denoised, trajectory))
