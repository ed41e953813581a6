from comfy_api.latest import io

from ...diffedit_core.inversion.levels import LEADING, SCHEDULERS, inversion_levels
from ...diffedit_core.model.conditioning import require_one_prompt
from ...diffedit_core.model.guidance import negative_is_read
from ...diffedit_core.model.host_model import latents_in, require_prompts
from ...diffedit_core.repaint.flow_edit_sampling import Prompts, Way, edited_without_inversion
from ..shared.checks import CheckedNode, checked
from ..shared.empty_prompt import clip_for_empty_prompts, conditioning_or_empty
from ..shared.masked_sampling_inputs import cells_of_mask
from ..shared.sockets import CATEGORY_DIFFEDIT


class MaskedFlowEdit(CheckedNode, io.ComfyNode):
    """FlowEdit inside a mask: from what the source prompt says to what the target prompt says, without inversion."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MaskedFlowEdit",
            display_name="Masked Flow Edit",
            category=CATEGORY_DIFFEDIT,
            description="Edits a picture inside a mask without inverting it: moves it by the difference between the model's "
            "predictions under two prompts. Outside the mask the result is the original latent, exactly.",
            search_aliases=["FlowEdit", "inversion-free", "masked FlowEdit", "edit without inversion", "DiffEdit"],
            inputs=[
                io.Model.Input("model", tooltip="The model to edit with; one that predicts noise, v or flow."),
                io.Latent.Input("latent", tooltip="The picture, from VAE Encode."),
                io.Conditioning.Input("target", tooltip="The prompt for what the picture shall show."),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="Decides the noises: another seed, another edit.",
                ),
                io.Int.Input(
                    "steps",
                    default=50,
                    min=1,
                    max=1000,
                    tooltip="Steps of the whole schedule; strength decides how many of them are walked. No state on the way is "
                    "kept.",
                ),
                io.Float.Input(
                    "strength",
                    default=0.8,
                    min=0.01,
                    max=1.0,
                    step=0.01,
                    tooltip="From how much noise on the picture is edited; the same levels as in DDIM Invert. Less: the result "
                    "keeps more of the picture. More: it may change more.",
                ),
                io.Float.Input(
                    "target_cfg",
                    default=7.5,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    tooltip="How strictly the target prompt is followed. More: a stronger edit.",
                ),
                io.Float.Input(
                    "source_cfg",
                    default=3.5,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    tooltip="How strongly what the source prompt says is taken away. At target_cfg, equal prompts change "
                    "nothing.",
                ),
                io.Int.Input(
                    "averages",
                    default=1,
                    min=1,
                    max=64,
                    tooltip="Noises over which every step is averaged. More: a steadier edit, in proportionally more time.",
                ),
                io.Combo.Input(
                    "scheduler",
                    options=[LEADING, *SCHEDULERS],
                    default=LEADING,
                    optional=True,
                    tooltip="How the steps are spread, as in DDIM Invert. leading: as in diffusers. The others are the host's, "
                    "cut off at strength's noise level.",
                ),
                io.Conditioning.Input(
                    "source",
                    optional=True,
                    tooltip="The prompt for what the picture shows now. Left out: the empty prompt, encoded with clip.",
                ),
                io.Conditioning.Input(
                    "negative",
                    optional=True,
                    tooltip="What both sides are guided away from. Read only where a cfg is not 1. Left out: the empty prompt, "
                    "encoded with clip.",
                ),
                clip_for_empty_prompts(),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="1 where the picture may change, of any size; values between change partly. Left out: the latent's "
                    "own noise mask, if it has one, else everywhere.",
                ),
            ],
            outputs=[io.Latent.Output(display_name="LATENT", tooltip="The edited picture.")],
        )

    @classmethod
    @checked
    def execute(
        cls,
        model,
        latent,
        target,
        seed,
        steps,
        strength,
        target_cfg,
        source_cfg,
        averages,
        scheduler=LEADING,
        source=None,
        negative=None,
        clip=None,
        mask=None,
    ) -> io.NodeOutput:
        sigmas = inversion_levels(model, steps, strength, scheduler, None).flip(0)
        latents = latents_in(model, latent, "latent")
        source = conditioning_or_empty(source, clip, "source")
        read = negative_is_read(model, target_cfg) or negative_is_read(model, source_cfg)
        prompts = {"target": target, "source": source}
        prompts["negative"] = conditioning_or_empty(negative, clip, "negative") if read else None
        for name, conditioning in prompts.items():
            require_one_prompt(conditioning or [], name)
        require_prompts(model, latents.samples.shape[2:], **prompts)
        mask = latent.get("noise_mask") if mask is None else mask
        cells = None if mask is None else cells_of_mask(mask, model, latents.samples.shape)

        sides = Prompts(**prompts, target_cfg=target_cfg, source_cfg=source_cfg)
        samples = edited_without_inversion(model, latents, cells, sides, Way(sigmas, averages, seed))
        return io.NodeOutput(latent | {"samples": samples})
