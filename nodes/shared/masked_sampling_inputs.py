"""What the nodes that sample from a trajectory share."""

import torch
from comfy_api.latest import io

from ...diffedit_core.inversion.trajectory import Trajectory
from ...diffedit_core.mask.masks import to_latent_size
from ...diffedit_core.repaint.background import BACKGROUNDS, NOISED_PICTURE, TRAJECTORY
from ...diffedit_core.repaint.masked_sampling import Injection
from .choice import seed_of_choice

BACKGROUND_TOOLTIP = (
    "What the model sees outside the mask. trajectory: the inverted states (DiffEdit). noised picture: the picture under fresh "
    "noise of the seed, as inpainting does it. clean estimate: whatever sampling has there; only the model's estimate is "
    "replaced. All end on the original latent."
)


def start_input() -> io.Float.Input:
    return io.Float.Input(
        "start",
        default=1.0,
        min=0.01,
        max=1.0,
        step=0.01,
        optional=True,
        advanced=True,
        tooltip="Where on the inverted way sampling starts: 1 is its noisiest state. Less: the result keeps more of the "
        "picture, without inverting again.",
    )


def background_input() -> io.Combo.Input:
    """For nodes whose seed more than the background reads."""
    return io.Combo.Input(
        "background",
        options=list(BACKGROUNDS),
        default=TRAJECTORY,
        optional=True,
        advanced=True,
        tooltip=BACKGROUND_TOOLTIP,
    )


def background_with_its_seed() -> io.DynamicCombo.Input:
    """For nodes that read a seed for the background only."""
    settings: dict[str, list[io.Input]] = {NOISED_PICTURE: [seed_of_choice("Decides the noise.")]}
    return io.DynamicCombo.Input(
        "background",
        options=[io.DynamicCombo.Option(name, settings.get(name, [])) for name in BACKGROUNDS],
        optional=True,
        tooltip=BACKGROUND_TOOLTIP,
    )


def injection_span() -> list[io.Input]:
    return [
        io.Float.Input(
            "inject_begin",
            default=0.0,
            min=0.0,
            max=1.0,
            step=0.01,
            optional=True,
            advanced=True,
            tooltip="Share of the steps after which the background is kept. More: the model first composes freely.",
        ),
        io.Float.Input(
            "inject_end",
            default=1.0,
            min=0.0,
            max=1.0,
            step=0.01,
            optional=True,
            advanced=True,
            tooltip="Share of the steps until which the background is kept. Less than 1: the last steps may touch the whole "
            "picture, which hides seams, but then the outside is no longer exactly the original.",
        ),
    ]


def kept_between(inject_begin: float = 0.0, inject_end: float = 1.0) -> Injection:
    """The rule of `injection_span`. Raises ValueError as Injection."""
    return Injection(begin=inject_begin, end=inject_end)


def latent_mask(mask: torch.Tensor | None, model, trajectory: Trajectory) -> torch.Tensor | None:
    """A MASK input as a mask of the trajectory's latents. Raises ValueError as `cells_of_mask`."""
    return None if mask is None else cells_of_mask(mask, model, trajectory.clean.shape)


def cells_of_mask(mask: torch.Tensor, model, latent_shape: torch.Size) -> torch.Tensor:
    """A MASK as a mask of latents of this shape.

    Raises:
        ValueError: as `to_latent_size`; nothing is masked, or the mask has another shape than the picture.
    """
    latent_format = model.get_model_object("latent_format")
    cell = latent_format.spacial_downscale_ratio
    cells = to_latent_size(mask, latent_shape, cell, latent_format.temporal_downscale_ratio)
    if not cells.any():
        raise ValueError(
            "mask is 0 everywhere, so nothing would be repainted; mask what shall change (a lower threshold makes a larger "
            "mask), or leave mask out to repaint everything."
        )
    _require_shape_of_picture(mask, cells.shape, cell)
    return cells


def _require_shape_of_picture(mask: torch.Tensor, latent_shape: torch.Size, cell: int) -> None:
    """What is the same everywhere has no shape. Else a mask may be larger or smaller than the picture, but not wider or higher
    by more than VAE Encode crops and than whole pixels round."""
    (height, width), (rows, columns) = mask.shape[-2:], latent_shape[-2:]
    stretch = (height * columns) / (width * rows)
    rounding = sum(1 / size for size in (height, width, rows, columns))
    if mask.min() != mask.max() and max(stretch, 1 / stretch) > 1 + rounding:
        raise ValueError(
            f"mask is {width} x {height} pixels, but the picture is {columns * cell} x {rows * cell}, so the mask would be "
            "stretched; crop it to the picture's shape, or scale it to its size."
        )


def latents_of(samples: torch.Tensor, trajectory: Trajectory) -> dict:
    """A LATENT with the numbers that the pictures had in their batch."""
    carried = {} if trajectory.batch_index is None else {"batch_index": list(trajectory.batch_index)}
    return {"samples": samples} | carried
