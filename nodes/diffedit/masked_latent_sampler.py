from comfy_api.latest import io

from ...diffedit_core.repaint.background import BACKGROUNDS, TRAJECTORY
from ...diffedit_core.repaint.masked_sampling import Injection, from_sampler, require_own_trajectory
from ..shared.checks import CheckedNode, checked
from ..shared.choice import chosen
from ..shared.masked_sampling_inputs import background_with_its_seed, injection_span, kept_between, latent_mask
from ..shared.sockets import CATEGORY_DIFFEDIT, TrajectorySocket


class MaskedLatentSampler(CheckedNode, io.ComfyNode):
    """Masked sampling as a SAMPLER, for the host's own sampling nodes."""

    RULES = (kept_between,)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MaskedLatentSampler",
            display_name="Masked Latent Sampler",
            category=CATEGORY_DIFFEDIT,
            description="Makes any sampler start from an inverted picture and keep its background. For SamplerCustomAdvanced: "
            "connect there the latent that was inverted, and SIGMAS from DDIM Invert.",
            search_aliases=["DiffEdit", "masked sampler", "inpaint sampler", "custom sampler"],
            inputs=[
                io.Model.Input("model", tooltip="The model that will sample; the kind that made the trajectory."),
                TrajectorySocket.Input("trajectory", tooltip="From DDIM Invert."),
                io.Sampler.Input(
                    "sampler",
                    optional=True,
                    tooltip="The sampler to use inside the mask, from KSamplerSelect. Left out: the step that leads back the "
                    "way that DDIM Invert came.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="1 where the picture may change, of any size. Left out: the latent's own noise mask, if it has "
                    "one, else everywhere.",
                ),
                background_with_its_seed(),
                *injection_span(),
            ],
            outputs=[
                io.Sampler.Output(display_name="SAMPLER", tooltip="For SamplerCustomAdvanced. It adds no noise at the start.")
            ],
        )

    @classmethod
    @checked
    def execute(
        cls,
        model,
        trajectory,
        sampler=None,
        mask=None,
        background=None,
        inject_begin=0.0,
        inject_end=1.0,
    ) -> io.NodeOutput:
        require_own_trajectory(model, trajectory)
        mask = latent_mask(mask, model, trajectory)
        kept, settings = chosen("background", background, BACKGROUNDS) if background else (TRAJECTORY, {})
        injection = Injection(kept, inject_begin, inject_end, **settings)
        return io.NodeOutput(from_sampler(sampler, trajectory, mask, injection))
