from collections.abc import Sequence

from comfy_api.latest import io

from ...diffedit_core.inversion.invert import Course, invert_latent
from ...diffedit_core.inversion.inverted_noise import InvertedNoise
from ...diffedit_core.inversion.levels import LEADING, SCHEDULERS, inversion_levels
from ...diffedit_core.inversion.methods import METHODS, Options
from ...diffedit_core.inversion.regularisation import Regularisation
from ...diffedit_core.model.guidance import Guidance, negative_is_read
from ...diffedit_core.model.host_model import latents_in, require_prompts, require_unscheduled_hooks
from ..shared.checks import CheckedNode, checked
from ..shared.choice import chosen, seed_of_choice
from ..shared.empty_prompt import clip_for_empty_prompts, conditioning_or_empty
from ..shared.sockets import CATEGORY_DIFFEDIT, TrajectorySocket

NONE, PIX2PIX_ZERO = "none", "pix2pix-zero"


class DDIMInvert(CheckedNode, io.ComfyNode):
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
            has_intermediate_output=True,
            inputs=[
                io.Model.Input("model", tooltip="The model to invert with."),
                io.Latent.Input("latent", tooltip="The picture, from VAE Encode."),
                io.Int.Input(
                    "steps",
                    default=50,
                    min=1,
                    max=1000,
                    tooltip="Steps of the whole schedule; strength decides how many of them are walked. Every one walked is a "
                    "state in memory, as large as latent.",
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
                _method(),
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
                clip_for_empty_prompts(),
                io.Combo.Input(
                    "scheduler",
                    options=[LEADING, *SCHEDULERS],
                    default=LEADING,
                    optional=True,
                    tooltip="How the steps are spread. leading: as published and in diffusers. The others are the host's, cut "
                    "off at strength's noise level. Not read if sigmas is connected.",
                ),
                _regularisation(),
                io.Boolean.Input(
                    "walk_back",
                    default=False,
                    optional=True,
                    advanced=True,
                    tooltip="Also sample back under the same prompts, and report in info how far that misses the picture. "
                    "Costs about as much time again.",
                ),
            ],
            outputs=[
                io.Latent.Output(display_name="LATENT", tooltip="The noise: the last state of the trajectory."),
                TrajectorySocket.Output(display_name="TRAJECTORY", tooltip="Every state from the picture to the noise."),
                io.Sigmas.Output(display_name="SIGMAS", tooltip="The schedule for sampling back, from high to 0."),
                io.String.Output(
                    display_name="info", tooltip="What was done, in words, and how much memory the trajectory takes."
                ),
                io.Noise.Output(
                    display_name="NOISE",
                    tooltip="The same as a noise for SamplerCustomAdvanced: with the picture as its latent and SIGMAS, the "
                    "host itself starts from the inversion, and a noise mask keeps the background.",
                ),
            ],
        )

    @classmethod
    @checked
    def execute(
        cls,
        model,
        latent,
        steps,
        strength,
        cfg,
        method=None,
        positive=None,
        negative=None,
        sigmas=None,
        clip=None,
        scheduler=LEADING,
        regularisation=None,
        walk_back=False,
    ) -> io.NodeOutput:
        way, options = chosen("method", method, METHODS)
        levels = inversion_levels(model, steps, strength, scheduler, sigmas)
        latents = latents_in(model, latent, "latent")
        positive = conditioning_or_empty(positive, clip, "positive")
        negative = conditioning_or_empty(negative, clip, "negative") if negative_is_read(model, cfg) else None
        require_prompts(model, latents.samples.shape[2:], positive=positive, negative=negative)
        require_unscheduled_hooks(positive=positive, negative=negative)

        course = Course(
            levels,
            way,
            Options(**options, pictures=latents.numbers),
            _regularisation_from(regularisation, latents.numbers),
        )
        inversion = invert_latent(model, latents, Guidance(positive, negative, cfg), course, walk_back)
        # A noise_mask would make a later KSampler blend the background towards this noise, not towards the picture.
        noisiest = {key: value for key, value in latent.items() if key != "noise_mask"} | {"samples": inversion.samples}
        trajectory = inversion.trajectory
        noise = InvertedNoise(trajectory, model.model.process_latent_in, trajectory.model.sigma_max)
        return io.NodeOutput(
            noisiest,
            trajectory,
            levels.flip(0),
            inversion.report.in_words(),
            noise,
            ui={"inversion": [inversion.report.as_json()]},
        )


def _method() -> io.DynamicCombo.Input:
    settings: dict[str, list[io.Input]] = {
        "fixed point": [
            io.Int.Input(
                "refinements",
                default=3,
                min=1,
                max=50,
                tooltip="How often each step is repeated. More: closer to exact, in proportionally more time.",
            )
        ],
        "ddpm": [seed_of_choice("Decides the noises.")],
    }
    return io.DynamicCombo.Input(
        "method",
        options=[io.DynamicCombo.Option(name, settings.get(name, [])) for name in METHODS],
        tooltip="ddim: as published, and enough inside a mask. predictor: closer, for the same one model call a step. fixed "
        "point: the exact inverse of the sampling step, found by repeating it. midpoint: two calls; fireflow: nearly as close "
        "for one. o-belm and ddpm come back exactly, with Masked Latent Sample's 'as inverted'. The trajectory remembers "
        "which.",
    )


def _regularisation() -> io.DynamicCombo.Input:
    return io.DynamicCombo.Input(
        "regularisation",
        optional=True,
        options=[
            io.DynamicCombo.Option(NONE, []),
            io.DynamicCombo.Option(
                PIX2PIX_ZERO,
                [
                    io.Int.Input(
                        "num_reg_steps",
                        default=5,
                        min=1,
                        max=50,
                        tooltip="Rounds after every model call. More: whiter noise, which edits more freely, but a picture "
                        "that no longer comes back.",
                    ),
                    io.Float.Input(
                        "lambda_auto_corr",
                        default=20.0,
                        min=0.0,
                        max=1000.0,
                        tooltip="Weight against noise that resembles itself shifted. More: less structure left in it.",
                    ),
                    io.Float.Input(
                        "lambda_kl",
                        default=20.0,
                        min=0.0,
                        max=1000.0,
                        tooltip="Weight that pulls the noise's mean to 0 and its variance to 1.",
                    ),
                    io.Int.Input(
                        "num_auto_corr_rolls",
                        default=5,
                        min=1,
                        max=50,
                        tooltip="How many shifts share lambda_auto_corr in a round. More: steadier, slower.",
                    ),
                    seed_of_choice("Decides the shifts."),
                ],
            ),
        ],
        tooltip="pix2pix-zero: keeps the predicted noise close to white. none: as in the paper.",
    )


def _regularisation_from(regularisation: dict | None, pictures: Sequence[int]) -> Regularisation | None:
    """What the input says; left out, none."""
    if regularisation is None:
        return None
    option, settings = chosen("regularisation", regularisation, (NONE, PIX2PIX_ZERO))
    if option == NONE:
        return None
    return Regularisation(**settings, pictures=pictures)
