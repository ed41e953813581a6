import math
from dataclasses import replace

from comfy_api.latest import io

from ...diffedit_core.inversion.schedule import noise_sigma
from ...diffedit_core.mask.contrast import Noises, Sides, contrast, heatmap_of
from ...diffedit_core.mask.strokes import parse_strokes
from ...diffedit_core.model.conditioning import require_one_prompt, same_conditioning
from ...diffedit_core.model.host_model import (
    latents_in,
    model_kind,
    noising,
    require_prompts,
    sigma_table,
)
from ...diffedit_core.model.latent_pictures import latent_pictures
from ..shared import mask_rule_inputs
from ..shared.checks import CheckedNode, checked
from ..shared.choice import chosen
from ..shared.empty_prompt import clip_for_empty_prompts, conditioning_or_empty
from ..shared.mask_shown import latent_picture_files, picture_files
from ..shared.sockets import CATEGORY_DIFFEDIT, HeatmapSocket

TWO_PROMPTS, TWO_PROMPTS_GUIDED = "two prompts", "two prompts, guided"
TWO_MODELS, TWO_MODELS_GUIDED = "two models", "two models, guided"
WITH_PICTURE = "prompt and picture"
EVERYWHERE, CHANGED_WORDS = FOCUSES = ("everywhere", "words that change")
COMPARISONS = (TWO_PROMPTS, TWO_PROMPTS_GUIDED, TWO_MODELS, TWO_MODELS_GUIDED, WITH_PICTURE)
NEGATIVES = ("target_negative", "source_negative")
CFG = 7.5


class DiffEditMask(CheckedNode, io.ComfyNode):
    """DiffEdit, step 1: where in the picture do two prompts, or two models, or a prompt and the picture, disagree?"""

    RULES = (parse_strokes,)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="DiffEditMask",
            display_name="DiffEdit Mask",
            category=CATEGORY_DIFFEDIT,
            description="Finds where a picture has to change: contrasts the model's noise predictions under the target "
            "and the source prompt, or those of two models, or the prediction of an instruction model with the picture.",
            search_aliases=[
                "DiffEdit",
                "difference mask",
                "automatic mask",
                "mask from prompt",
                "mask from text",
                "edit image",
                "compare models",
                "drift",
                "keep the rest",
                "Kontext",
                "Qwen-Image-Edit",
            ],
            has_intermediate_output=True,
            inputs=[
                io.Model.Input("model", tooltip="The model whose predictions are contrasted."),
                io.Latent.Input(
                    "latent",
                    tooltip="The picture, from VAE Encode. Of a video, each frame of the latent gets its own heat map.",
                ),
                io.Conditioning.Input("target", tooltip="The prompt for what the picture shall show."),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    # Else the browser draws another seed for every run, and the mask is made anew.
                    control_after_generate=False,
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
                    tooltip="How much noise covers the picture while the prompts are contrasted. Less: only details "
                    "such as colour can differ. More: whole objects, with softer outlines.",
                ),
                mask_rule_inputs.rule(),
                mask_rule_inputs.outline(),
                _compare(),
                io.Conditioning.Input(
                    "source",
                    optional=True,
                    tooltip="The prompt for what the picture shows now. Left out: the empty prompt, encoded with clip; "
                    "with two models: the same prompt as target. Not read with prompt and picture.",
                ),
                clip_for_empty_prompts(),
                mask_rule_inputs.picture(),
                HeatmapSocket.Input(
                    "heatmap",
                    optional=True,
                    tooltip="From another DiffEdit Mask on the same picture. Masked is what either of them masks, each by "
                    "its own statistics.",
                ),
                *mask_rule_inputs.shaping(),
                io.Combo.Input(
                    "focus",
                    options=list(FOCUSES),
                    default=EVERYWHERE,
                    optional=True,
                    advanced=True,
                    tooltip="Where a difference counts. Everywhere, as published. Words that change: where the model reads, in "
                    "the picture, the words of source that target has not, so that other things stay out of the mask. With two "
                    "prompts, and models that read prompts by cross-attention (SD 1.x, SD 2.x, SDXL, Wan); the view says where "
                    "it could not be done.",
                ),
            ],
            outputs=[
                io.Mask.Output(display_name="MASK", tooltip="1 where the picture may change, at picture size."),
                HeatmapSocket.Output(
                    display_name="HEATMAP",
                    tooltip="The mean differences themselves, one value per latent cell; for Heatmap to Mask.",
                ),
                io.Float.Output(display_name="coverage", tooltip="Share of the picture that is masked, 0..1."),
            ],
        )

    @classmethod
    @checked
    def execute(
        cls,
        model,
        latent,
        target,
        seed,
        maps,
        noise_strength,
        rule=None,
        outline=None,
        compare=None,
        source=None,
        clip=None,
        picture=None,
        heatmap=None,
        focus=EVERYWHERE,
        **shape,
    ) -> io.NodeOutput:
        noising(model)
        judged_by = mask_rule_inputs.rule_from(rule, outline, **shape)
        latents = latents_in(model, latent, "latent")
        judged_by.require_picture(picture, heatmap_of(model, latents))
        pictures, _, *frames, _, _ = latents.samples.shape
        judged_by.require_places(pictures, *frames)
        sides = replace(_sides(model, target, source, compare, clip), focused=focus == CHANGED_WORDS)
        for name, conditioning in sides.prompts().items():
            require_one_prompt(conditioning, name)
        require_prompts(model, latents.samples.shape[2:], **sides.prompts())

        noises = Noises(noise_sigma(sigma_table(model), noise_strength), maps, seed)
        found = contrast(model, latents, sides, noises, heatmap)
        if picture is None:
            below = latent_picture_files(cls, latent_pictures(model, latents.samples))
        else:
            below = picture_files(cls, found, picture)
        made_with = {"seed": seed, "maps": maps, "noise_strength": noise_strength, "focus": focus}
        made_with["compare"] = chosen("compare", compare, COMPARISONS).option
        if sides.negatives is not None:
            made_with["compare.cfg"] = sides.cfg
        mask, coverage, shown = mask_rule_inputs.apply(cls, found, judged_by, picture, below, made_with)
        return io.NodeOutput(mask, found, coverage, ui=shown)


def _compare() -> io.DynamicCombo.Input:
    target_model = io.Model.Input(
        "target_model",
        tooltip="A second model, such as an edit or a LoRA of the first: its prediction under target is contrasted with "
        "that of model under source. Shows where in the picture the edit of the model acts.",
    )
    guidance = [
        io.Float.Input(
            "cfg",
            default=CFG,
            min=0.0,
            max=100.0,
            step=0.1,
            tooltip="Guidance while contrasting. With one model it matters only if the two negatives differ; else the mask "
            "cannot depend on it, and it is not computed.",
        ),
        io.Conditioning.Input(
            "target_negative",
            optional=True,
            tooltip="Negative prompt of the target. Left out: the empty prompt, encoded with clip.",
        ),
        io.Conditioning.Input(
            "source_negative",
            optional=True,
            tooltip="Negative prompt of the source. Left out: the empty prompt, encoded with clip.",
        ),
    ]
    return io.DynamicCombo.Input(
        "compare",
        options=[
            io.DynamicCombo.Option(TWO_PROMPTS, []),
            io.DynamicCombo.Option(TWO_PROMPTS_GUIDED, guidance),
            io.DynamicCombo.Option(TWO_MODELS, [target_model]),
            io.DynamicCombo.Option(TWO_MODELS_GUIDED, [target_model, *guidance]),
            io.DynamicCombo.Option(WITH_PICTURE, []),
        ],
        tooltip="What is contrasted: the predictions of model under target and source, or those of a second model under "
        "target and of model under source. Guided: with negative prompts. Prompt and picture: the prediction under target, an "
        "instruction with the picture as its reference, with the picture itself.",
    )


def _sides(model, target: list, source: list | None, compare: dict | None, clip) -> Sides:
    """What the inputs say is contrasted; prompts that are left out are the empty one, but for the source of two models.

    Raises:
        ValueError: no such comparison, one of the same with the same, or no clip to encode the empty prompt with.
    """
    way, settings = chosen("compare", compare, COMPARISONS)
    if way == WITH_PICTURE:
        return Sides(target, None)
    target_model, cfg = settings.get("target_model"), settings.get("cfg", CFG)
    guided = way in (TWO_PROMPTS_GUIDED, TWO_MODELS_GUIDED) and not math.isclose(cfg, 1.0)
    if way in (TWO_MODELS, TWO_MODELS_GUIDED):
        if target_model is None:
            raise ValueError(f"compare is {way!r}, but target_model is not connected; connect the second model.")
        _require_same_kind(model, target_model)
        negatives = _negatives(settings, clip) if guided else None
        return Sides(target, target if source is None else source, negatives, cfg, target_model)
    source = conditioning_or_empty(source, clip, "source")
    negatives = _negatives(settings, clip) if guided and any(name in settings for name in NEGATIVES) else None
    if negatives is not None and same_conditioning(*negatives):
        negatives = None  # guidance of one model with them cannot change the mask
    _require_contrast(target, source, negatives)
    return Sides(target, source, negatives, cfg)


def _negatives(settings: dict, clip) -> tuple[list, list]:
    target, source = (conditioning_or_empty(settings.get(name), clip, name) for name in NEGATIVES)
    return target, source


def _require_contrast(target: list, source: list, negatives: tuple[list, list] | None) -> None:
    if negatives is None and same_conditioning(target, source):
        raise ValueError(
            "target and source are the same prompt, so there is nothing to mask; describe in target what the picture "
            "shall show and in source what it shows now."
        )


def _require_same_kind(model, target_model) -> None:
    kind, target_kind = model_kind(model), model_kind(target_model)
    if kind != target_kind:
        raise ValueError(
            f"target_model is a {target_kind}, but model is a {kind}; only models of the same kind can be contrasted, such as "
            "a model and its LoRA or TIME edit."
        )
