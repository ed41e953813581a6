"""What may be done to an edited picture so that it fits the original around the mask. Only pixels inside the mask change."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.linalg import cg

PASTE, SEAMLESS = SEAMS = ("paste", "seamless")

EVEN = 1e-3
"""The standard deviation, of 0 .. 1, below which a picture's surroundings are of one colour and have no contrast to match."""
CLOSE = 1e-4
"""The relative residual at which the membrane counts as solved; a colour of 8 bits sees no more."""


@dataclass(frozen=True)
class Fit:
    """How an edited picture is made to fit the original around it.

    Attributes:
        seam: PASTE, its colours as they are, or SEAMLESS, on a membrane that makes them meet the original's at the edge of the
            mask (see `without_seam`).
        match_colours: first give it the tint that the original has outside the mask (see `matched_colours`).
        soft_edge: pixels around the edge of the mask whose colours in the original say how soft it is (see `softened`); 0: the
            mask as it is.

    Raises:
        ValueError: no such seam.
    """

    seam: str = PASTE
    match_colours: bool = False
    soft_edge: int = 0

    def __post_init__(self) -> None:
        if self.seam not in SEAMS:
            raise ValueError(f"seam is {self.seam!r}; choose one of {', '.join(SEAMS)}.")


AS_IT_IS = Fit()


def fitted(edited: torch.Tensor, original: torch.Tensor, masked: torch.Tensor, fit: Fit) -> torch.Tensor:
    """The edited pictures with the colours that they are to have; an alpha channel stays as it is.

    Args:
        edited: (B, H, W, 3 or 4), 0 .. 1.
        original: (B, H, W, 3 or 4), the same place of the originals.
        masked: (1 or B, H, W) bool.

    Raises:
        ValueError: as `matched_colours`.
    """
    if fit == AS_IT_IS:
        return edited
    result = edited.clone()
    for i, (new, old) in enumerate(zip(edited[..., :3], original[..., :3], strict=True)):
        where = masked[i % len(masked)]
        if fit.match_colours:
            new = matched_colours(new, old, where)
        result[i, ..., :3] = without_seam(new, old, where) if fit.seam == SEAMLESS else new
    return result


def matched_colours(edited: torch.Tensor, original: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
    """The edited picture in the original's colours: outside the mask both show the same, so what differs there is a tint.

    Each channel gets the gain and the offset that give the pixels outside the mask the original's mean and contrast (Reinhard
    et al., Color Transfer between Images, 2001, in sRGB).

    Args:
        edited, original: (H, W, channels), 0 .. 1.
        masked: (H, W) bool.

    Raises:
        ValueError: everything is masked.
    """
    if masked.all():
        raise ValueError(
            "mask is above 0 everywhere, or not connected, so there are no surroundings to match colours to; connect one that "
            "leaves some, or turn match_colours off."
        )
    shown, wanted = edited[~masked].double(), original[~masked].double()
    spread = shown.std(dim=0, correction=0)
    gain = torch.where(spread > EVEN, wanted.std(dim=0, correction=0) / spread.clamp(min=EVEN), 1.0)
    return ((edited.double() - shown.mean(dim=0)) * gain + wanted.mean(dim=0)).clamp(0, 1).to(edited.dtype)


def without_seam(edited: torch.Tensor, original: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
    """The edited picture with its own gradients inside the mask, and at the mask's edge the original's colours.

    Poisson Image Editing (Perez, Gangnet, Blake, 2003), equation 9: added is the smoothest membrane that at the edge is the
    difference of the two pictures. The edge of the picture itself holds nothing.

    Args:
        edited, original: (H, W, channels), 0 .. 1.
        masked: (H, W) bool. Where everything or nothing is, there is no edge, and the picture stays.
    """
    inside = masked.cpu().numpy()
    if inside.all() or not inside.any():
        return edited
    missing = (original - edited).double().cpu().numpy()
    membrane = _membrane(missing, inside)
    added = torch.from_numpy(membrane).to(edited)
    return torch.where(masked[..., None], edited + added, edited).clamp(0, 1)


def _membrane(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """(H, W, channels): `values` outside, and inside the solution of Laplace's equation with them at the edge."""
    matrix, neighbours = _laplacian(inside)
    nearest = ndimage.distance_transform_edt(inside, return_distances=False, return_indices=True)
    start = values[tuple(nearest)][inside]
    flat, found = values.reshape(-1, values.shape[-1]), values.copy()
    for channel in range(values.shape[-1]):
        at_edge = neighbours @ flat[:, channel]
        found[inside, channel] = cg(matrix, at_edge, x0=start[:, channel], rtol=CLOSE)[0]
    return found


def _laplacian(inside: np.ndarray) -> tuple[csr_array, csr_array]:
    """Of the pixels inside: the matrix of their differences to their neighbours, and which neighbours lie outside."""
    numbers = np.arange(inside.size).reshape(inside.shape)
    before, after = _pairs(numbers)
    one, other = np.concatenate([before, after]), np.concatenate([after, before])
    wanted = inside.ravel()[one]
    one, other = one[wanted], other[wanted]
    row = np.cumsum(inside.ravel()) - 1
    count, within = int(inside.sum()), inside.ravel()[other]
    degree = np.bincount(row[one], minlength=count).astype(np.float64)
    links = csr_array((np.ones(within.sum()), (row[one[within]], row[other[within]])), shape=(count, count))
    edges = csr_array((np.ones((~within).sum()), (row[one[~within]], other[~within])), shape=(count, inside.size))
    diagonal = csr_array((degree, (np.arange(count), np.arange(count))), shape=(count, count))
    return diagonal - links, edges


def _pairs(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each two neighbouring pixels the left or upper one, and the other."""
    one = np.concatenate([numbers[:, :-1].ravel(), numbers[:-1].ravel()])
    return one, np.concatenate([numbers[:, 1:].ravel(), numbers[1:].ravel()])
