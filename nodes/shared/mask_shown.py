"""What DiffEdit Mask and Heatmap to Mask show: pictures for every client, and files for the view in the browser."""

import uuid
from pathlib import Path

import folder_paths
import torch
from comfy_api.latest import io, ui

from ...diffedit_core.mask.heat_colours import heat_colours
from ...diffedit_core.mask.heatmap import Heatmap
from ...diffedit_core.mask.heatmap_file import heatmap_file
from ...diffedit_core.mask.masks import to_picture_size
from ...diffedit_core.mask.pictures_of_heatmap import pictures_of


def preview_pictures(cls, heatmap: Heatmap, seen: torch.Tensor, cells: torch.Tensor) -> list[ui.SavedResult]:
    """The heat maps as the rule sees them, pair by pair, then the masks; of a video, one picture for each latent frame."""
    heat = heat_colours(to_picture_size(seen.flatten(0, -3), heatmap.pixels))
    masks = to_picture_size(cells.flatten(0, -3), heatmap.pixels)
    return ui.PreviewImage(heat, cls=cls).values + ui.PreviewMask(masks, cls=cls).values


def heatmap_files(prepared: Heatmap, settings: dict) -> list[ui.SavedResult]:
    """The values and settings from which the browser comes to the same mask."""
    folder = Path(folder_paths.get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    name = f"TimeDiffEdit_{uuid.uuid4().hex}.safetensors"
    (folder / name).write_bytes(heatmap_file(prepared, settings))
    return [ui.SavedResult(name, "", io.FolderType.temp)]


def picture_files(cls, heatmap: Heatmap, picture: torch.Tensor) -> list[ui.SavedResult]:
    """For each picture, or each latent frame of each clip, the IMAGE under its heat map; a file may serve several."""
    pictures, owners = pictures_of(heatmap, picture)
    files = ui.PreviewImage(pictures[..., :3], cls=cls).values
    return [files[owner] for owner in owners]


def latent_picture_files(cls, pictures: torch.Tensor | None) -> list[ui.SavedResult]:
    """The same from pictures of the latents, if there are any."""
    return [] if pictures is None else ui.PreviewImage(pictures, cls=cls).values
