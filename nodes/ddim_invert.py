from comfy_api.latest import io

from ..diffedit_core.host_model import batch_index, image_samples, require_eps_model
from ..diffedit_core.inversion import METHODS
from ..diffedit_core.invert import invert_latent, negative_is_read
from ..diffedit_core.schedule import ascending_sigmas, leading_sigmas
from .empty_prompt import conditioning_or_empty
from .sockets import CATEGORY_DIFFEDIT, TrajectorySocket


class DDIMInvert(io.ComfyNode):
    """DiffEdit, step 2: the noise from which the model would make this picture, and the way there."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="DDIMInvert",
            display_name="DDIM Invert",
            category=CATEGORY_DIFFEDIT,
            description="Runs sampling backwards: finds the noise from which the model would make this picture, and "
            "keeps every state on the way for Masked Latent Sample.",
            search_aliases=["DDIM inversion", "DiffEdit", "unsampler", "unsample", "noise inversion"],
            inputs=[
                io.Model.Input("model", tooltip="The model to invert with."),
                io.Latent.Input("latent", tooltip="The picture, from VAE Encode."),
                io.Int.Input(
                    "steps",
                    default=50,
                    min=1,
                    max=1000,
                    tooltip="Steps of the whole schedule; strength decides how many of them are walked.",
                ),
                io.Float.Input(
                    "strength",
                    default=0.8,
                    min=0.01,
                    max=1.0,
                    step=0.01,
                    tooltip="How far towards pure noise. Less: the result keeps more of the picture. More: it may change more.",
                ),
                io.Float.Input(
                    "cfg",
                    default=1.0,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    tooltip="Keep at 1: above about 2 an inversion no longer leads back to the picture.",
                ),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default="ddim",
                    tooltip="ddim: one model call a step, as published. fixed point: the exact inverse of the sampling "
                    "step, found by repeating it; use it when the picture must come back by sampling alone.",
                ),
                io.Int.Input(
                    "refinements",
                    default=3,
                    min=1,
                    max=50,
                    tooltip="How often fixed point repeats each step. More: closer to exact, in proportionally more "
                    "time. ddim does not read it.",
                ),
                io.Conditioning.Input(
                    "positive",
                    optional=True,
                    tooltip="The prompt to invert under. Left out: the empty prompt, encoded with clip, as DiffEdit does it.",
                ),
                io.Conditioning.Input(
                    "negative",
                    optional=True,
                    tooltip="Read only if cfg is not 1. Left out: the empty prompt, encoded with clip.",
                ),
                io.Sigmas.Input(
                    "sigmas",
                    optional=True,
                    tooltip="A sampling schedule from high to 0, walked backwards as a whole. steps and strength are "
                    "then not read.",
                ),
                io.Clip.Input(
                    "clip",
                    optional=True,
                    tooltip="Encodes the empty prompt where a prompt is left out. Not needed when all that is read is "
                    "connected.",
                ),
            ],
            outputs=[
                io.Latent.Output(display_name="LATENT", tooltip="The noise: the last state of the trajectory."),
                TrajectorySocket.Output(display_name="TRAJECTORY", tooltip="Every state from the picture to the noise."),
                io.Sigmas.Output(display_name="SIGMAS", tooltip="The schedule for sampling back, from high to 0."),
                io.String.Output(display_name="info", tooltip="What was done, in words."),
            ],
        )

    @classmethod
    def execute(
        cls,
        model,
        latent,
        steps,
        strength,
        cfg,
        method,
        refinements,
        positive=None,
        negative=None,
        sigmas=None,
        clip=None,
    ) -> io.NodeOutput:
        require_eps_model(model)
        samples = image_samples(model, latent, "latent")
        model_sampling = model.get_model_object("model_sampling")
        if sigmas is None:
            levels = leading_sigmas(model_sampling.sigmas, steps, strength)
        else:
            levels = ascending_sigmas(sigmas, float(model_sampling.sigma_max))
        positive = conditioning_or_empty(positive, clip, "positive")
        negative = conditioning_or_empty(negative, clip, "negative") if negative_is_read(model, cfg) else None

        inversion = invert_latent(
            model, samples, positive, negative, levels, cfg, method, refinements, batch_index(latent, "latent")
        )
        # A noise_mask would make a later KSampler blend the background towards this noise, not towards the picture.
        noise = {key: value for key, value in latent.items() if key != "noise_mask"} | {"samples": inversion.samples}
        return io.NodeOutput(noise, inversion.trajectory, levels.flip(0), inversion.info)
