"""What became of a drawn picture whose truth is known: mask, object and colour, background."""

import numpy as np
import torch
from scipy import ndimage

from benchmarks.hosts.library import LibraryHost
from benchmarks.judges.pixels import iou, psnr

from .edits import CELL, ToyEdit
from .judge import judge

FAR = 16  # pixels from the mask beyond which the decoder hardly sees it


def as_asked(edit: ToyEdit, picture: np.ndarray) -> dict[str, float]:
    """Of a picture in 0..1, judged from its pixels."""
    verdict = judge(picture)
    return {"colour": float(verdict.colour == edit.colour), "kind": float(verdict.noun == edit.noun)}


def mask_quality(edit: ToyEdit, mask: torch.Tensor) -> dict[str, float]:
    chosen = mask[0].numpy() >= 0.5
    return {"mask IoU": iou(chosen, edit.truth), "mask area": float(chosen.mean())}


def outside_truth(host: LibraryHost, edit: ToyEdit, latent: dict) -> dict[str, float]:
    """What was asked for, and what happened to the background: what is neither old nor new object.

    To the pixel (PSNR, dB) and by whole latent cells (root mean square), both against the picture encoded and decoded.
    """
    original = host.encode(edit.pixels)
    picture, unedited = (host.decode(z)[0] for z in (latent, original))
    error = (latent["samples"] - original["samples"])[0][:, torch.from_numpy(edit.background_cells)]
    return as_asked(edit, picture) | {
        "background PSNR": psnr(picture, unedited, ~edit.truth),
        "background latent error": float(error.square().mean().sqrt()),
    }


def outside_mask(host: LibraryHost, edit: ToyEdit, latent: dict, mask: torch.Tensor) -> dict[str, float | None]:
    """The mask against the truth, what was asked for, and what lies outside the mask, against the original's pixels."""
    original = host.encode(edit.pixels)
    picture, roundtrip = (host.decode(z)[0] for z in (latent, original))
    chosen = mask[0].numpy() >= 0.5
    far = ndimage.distance_transform_edt(~chosen) > FAR if chosen.any() else ~chosen
    pasted = np.where(chosen[..., None], picture, roundtrip)
    error = (latent["samples"] - original["samples"]).abs()[0][:, torch.from_numpy(~chosen[::CELL, ::CELL])]
    return {
        "iou": iou(chosen, edit.truth),
        "best latent mask": edit.best_latent_mask,
        "area": float(chosen.mean()),
        **as_asked(edit, picture),
        "latent error outside": float(error.max()) if error.numel() else 0.0,
        "encode-decode psnr outside": psnr(roundtrip, edit.pixels, ~chosen),
        "psnr outside": psnr(picture, edit.pixels, ~chosen),
        "psnr outside, pasted": psnr(pasted, edit.pixels, ~chosen),
        "encode-decode psnr far outside": psnr(roundtrip, edit.pixels, far) if far.any() else None,
        "psnr far outside": psnr(picture, edit.pixels, far) if far.any() else None,
    }
