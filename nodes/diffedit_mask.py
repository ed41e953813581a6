import math

import torch
from comfy_api.latest import io, ui

from ..diffedit_core.conditioning import require_one_prompt, same_conditioning
from ..diffedit_core.contrast import contrast
from ..diffedit_core.host_model import batch_index, image_samples, require_eps_model
from ..diffedit_core.masks import to_picture_size
from ..diffedit_core.schedule import noise_sigma
from ..diffedit_core.threshold import masked_cells, rescale
from .empty_prompt import conditioning_or_empty
from .sockets import CATEGORY_DIFFEDIT, HeatmapSocket


class DiffEditMask(io.ComfyNode):
    """DiffEdit, step 1: where in the picture do two prompts disagree?"""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="DiffEditMask",
            display_name="DiffEdit Mask",
            category=CATEGORY_DIFFEDIT,
            description="Finds where a picture has to change: contrasts the model's noise predictions under the target "
            "and the source prompt.",
            search_aliases=["DiffEdit", "difference mask", "automatic mask", "mask from prompt"],
            inputs=[
                io.Model.Input("model", tooltip="The model whose predictions are contrasted."),
                io.Latent.Input("latent", tooltip="The picture, from VAE Encode."),
                io.Conditioning.Input("target", tooltip="The prompt for what the picture shall show."),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
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
                io.Float.Input(
                    "threshold_ratio",
                    default=3.0,
                    min=0.1,
                    max=100.0,
                    step=0.1,
                    tooltip="The heat map is cut off at this many times its mean and rescaled to 0..1. More: smaller masks.",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Cells of the rescaled heat map at or above this may be edited. More: smaller masks.",
                ),
                io.Float.Input(
                    "cfg",
                    default=7.5,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    tooltip="Guidance while contrasting. It matters only if the two negatives differ; with equal "
                    "negatives the mask cannot depend on it, and it is not computed.",
                ),
                io.Conditioning.Input(
                    "source",
                    optional=True,
                    tooltip="The prompt for what the picture shows now. Left out: the empty prompt, encoded with clip.",
                ),
                io.Conditioning.Input(
                    "target_negative",
                    optional=True,
                    tooltip="Negative prompt of the target. Left out: the empty prompt.",
                ),
                io.Conditioning.Input(
                    "source_negative",
                    optional=True,
                    tooltip="Negative prompt of the source. Left out: the empty prompt.",
                ),
                io.Clip.Input(
                    "clip",
                    optional=True,
                    tooltip="Encodes the empty prompt where a prompt is left out. Not needed when all that is read is "
                    "connected.",
                ),
            ],
            outputs=[
                io.Mask.Output(display_name="MASK", tooltip="1 where the picture may change, at picture size."),
                HeatmapSocket.Output(display_name="HEATMAP", tooltip="The mean difference itself, one value per latent cell."),
                io.Float.Output(display_name="coverage", tooltip="Share of the picture that is masked, 0..1."),
            ],
        )

    @classmethod
    def execute(
        cls,
        model,
        latent,
        target,
        seed,
        maps,
        noise_strength,
        threshold_ratio,
        threshold,
        cfg,
        source=None,
        target_negative=None,
        source_negative=None,
        clip=None,
    ) -> io.NodeOutput:
        require_eps_model(model)
        samples = image_samples(model, latent, "latent")
        pictures = batch_index(latent, "latent") or range(len(samples))
        source = conditioning_or_empty(source, clip, "source")
        negatives = _negatives_that_matter(target_negative, source_negative, cfg, clip)
        _require_contrast(target, source, negatives)

        sigma = noise_sigma(model.get_model_object("model_sampling").sigmas, noise_strength)
        heatmap = contrast(model, samples, pictures, target, source, sigma, maps, seed, negatives, cfg)
        rescaled = rescale(heatmap.values, threshold_ratio)
        cells = masked_cells(rescaled, threshold)
        mask = to_picture_size(cells, heatmap.cell)
        return io.NodeOutput(mask, heatmap, cells.mean().item(), ui=_previews(cls, rescaled, mask, heatmap.cell))


def _negatives_that_matter(target_negative, source_negative, cfg: float, clip) -> tuple[list, list] | None:
    """The two negatives if guidance with them can change the mask, else None: they are not read then."""
    if math.isclose(cfg, 1.0) or (target_negative is None and source_negative is None):
        return None
    target_negative = conditioning_or_empty(target_negative, clip, "target_negative")
    source_negative = conditioning_or_empty(source_negative, clip, "source_negative")
    return None if same_conditioning(target_negative, source_negative) else (target_negative, source_negative)


def _require_contrast(target: list, source: list, negatives: tuple[list, list] | None) -> None:
    named = {"target": target, "source": source}
    if negatives is not None:
        named["target_negative"], named["source_negative"] = negatives
    elif same_conditioning(target, source):
        raise ValueError(
            "target and source are the same prompt, so there is nothing to mask; describe in target what the picture "
            "shall show and in source what it shows now."
        )
    for name, conditioning in named.items():
        require_one_prompt(conditioning, name)


def _previews(cls, rescaled: torch.Tensor, mask: torch.Tensor, cell: int) -> ui.SavedImages:
    """Temporary PNGs: the heat maps (white = at the cut-off), one a picture, then the masks."""
    heatmaps = ui.PreviewMask(to_picture_size(rescaled, cell), cls=cls)
    return ui.SavedImages(heatmaps.values + ui.PreviewMask(mask, cls=cls).values)
