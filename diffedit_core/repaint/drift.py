"""How far an edited picture as a whole has moved away from its original: shifted, zoomed, tinted.

Instruction models paint the whole picture anew. A mask keeps what they repaint for no reason, but not what lies elsewhere:
inside the mask the edit then does not meet its surroundings.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

COARSE, SIDES = 128, (128, 256, 512)
"""Longer side, in pixels, of the pictures that are searched, and of those that each refinement reads."""
LARGEST_ZOOM, ZOOM_STEP = 0.12, 0.01
STEPS = 10
EDITED = 0.1
"""Difference of brightness, in 0 .. 1, from which on a pixel counts less and less, as one that was edited."""
MOVED = 1.0
"""Pixels of the original from which on a picture counts as moved."""
ALIKE = 0.3
"""Correlation below which two pictures have too little in common to say; of unrelated ones it is 0.05."""
TINTED = 1.5 / 255


@dataclass(frozen=True)
class Drift:
    """Where what the original shows lies in the edited picture.

    Attributes:
        shift_x, shift_y: to the right and down, of the middle, in pixels of the original.
        zoom: about the middle; 1.02: everything is two percent larger.
        tint: red, green and blue that were added outside the mask, in 0 .. 1 (sRGB).
        furthest: pixels by which the point that moved most has moved.
        alike: correlation of both outside the mask once moved back, -1 .. 1.
    """

    shift_x: float
    shift_y: float
    zoom: float
    tint: tuple[float, float, float]
    furthest: float
    alike: float

    @property
    def known(self) -> bool:
        return self.alike >= ALIKE

    @property
    def moved(self) -> bool:
        return self.known and self.furthest >= MOVED

    @property
    def tinted(self) -> bool:
        return self.known and max(map(abs, self.tint)) >= TINTED


@dataclass(frozen=True)
class _Lie:
    """The place u of the original is found at zoom * u + shift; u in halves of the longer side, from the middle."""

    zoom: torch.Tensor
    shift: torch.Tensor

    def warped(self, picture: torch.Tensor, mode: str = "bilinear") -> tuple[torch.Tensor, torch.Tensor]:
        """A picture (channels, H, W) moved back, and where there is one, (H, W) of 0 and 1."""
        places = self.zoom * _places(picture) + self.shift
        height, width = picture.shape[-2:]
        grid = places * max(height, width) / places.new_tensor([width, height])
        moved = F.grid_sample(picture[None], grid[None], mode=mode, padding_mode="border", align_corners=False)[0]
        return moved, (grid.abs() <= 1).all(dim=-1).to(picture)


def drift(original: torch.Tensor, edited: torch.Tensor, mask: torch.Tensor | None = None) -> Drift:
    """Measure it: phase correlation at several zooms, then least squares that give up on what was edited.

    Kuglin and Hines 1975; Lucas and Kanade 1981, with the weights of Geman and McClure.

    Args:
        original, edited: (H, W, 3 or more) sRGB, 0 .. 1, of one size.
        mask: (H, W), 1 where the edit is, which is then not looked at.
    """
    old, new = (picture[..., :3].movedim(-1, 0).float().cpu() for picture in (original, edited))
    kept = torch.ones(old.shape[1:]) if mask is None else 1 - mask.float().cpu().clamp(0, 1)
    lie = _searched(_grey(old, COARSE), _grey(new, COARSE))
    for side in SIDES[: 1 + sum(side < max(old.shape[1:]) for side in SIDES[:-1])]:
        lie = _refined(lie, _grey(old, side), _grey(new, side), _smaller(kept[None], side)[0])
    back, there = lie.warped(new)
    seen = (there * kept) > 0.5
    half = max(old.shape[1:]) / 2
    shift_x, shift_y = (lie.shift * half).tolist()
    corners = _places(old)[[0, 0, -1, -1], [0, -1, 0, -1]]
    furthest = ((lie.zoom - 1) * corners + lie.shift).norm(dim=-1).max() * half
    tint = (back - old)[:, seen].median(dim=1).values if seen.any() else torch.zeros(3)
    red, green, blue = tint.tolist()
    alike = _correlation(_luma(back)[0][seen], _luma(old)[0][seen])
    return Drift(shift_x, shift_y, float(lie.zoom), (red, green, blue), float(furthest), alike)


def moved_back(original: torch.Tensor, edited: torch.Tensor, found: Drift) -> torch.Tensor:
    """The edited picture (H, W, C) laid on the original; what it does not reach is the original's (alpha: its own)."""
    picture = edited.movedim(-1, 0).float()
    half = max(edited.shape[:2]) / 2
    shift = torch.tensor([found.shift_x, found.shift_y]).to(picture) / half
    back, there = _Lie(torch.tensor(found.zoom).to(picture), shift).warped(picture, "bicubic")
    back, rest = back.clamp(0, 1).movedim(0, -1), edited.clone().float()
    rest[..., :3] = original[..., :3].to(rest)
    return torch.where(there[..., None] > 0, back, rest)


def _searched(old: torch.Tensor, new: torch.Tensor) -> _Lie:
    """The zoom, in steps, and the shift, in pixels, with the highest peak of the phase correlation; (1, h, w) each."""
    height, width = old.shape[-2:]
    count = round(LARGEST_ZOOM / ZOOM_STEP)
    zooms = 1 + ZOOM_STEP * torch.arange(-count, count + 1)
    still = torch.zeros(2)
    moved = torch.cat([_Lie(zoom, still).warped(new)[0] for zoom in zooms])
    window = torch.outer(*(torch.hann_window(size, periodic=False) for size in (height, width)))
    # Fine detail is what a model repaints: only what is coarser than about 6 pixels counts.
    rows, columns = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)
    coarse = torch.exp(-((rows**2 + columns**2) / 0.15**2))
    first, second = (torch.fft.rfft2((p - p.mean(dim=(-2, -1), keepdim=True)) * window) for p in (old, moved))
    cross = second * first.conj()
    peaks = torch.fft.irfft2(coarse * cross / cross.abs().clamp(min=1e-9), s=(height, width)).flatten(1)
    best = int(peaks.amax(dim=1).argmax())
    row, column = divmod(int(peaks[best].argmax()), width)
    pixels = torch.tensor([(column + width // 2) % width - width // 2, (row + height // 2) % height - height // 2])
    return _Lie(zooms[best], zooms[best] * pixels * 2 / max(height, width))


def _refined(lie: _Lie, old: torch.Tensor, new: torch.Tensor, kept: torch.Tensor) -> _Lie:
    """A few steps of least squares over zoom, shift, contrast and brightness; (1, h, w) each, `kept` (h, w)."""
    places, half = _places(old).double(), max(old.shape[-2:]) / 2
    gain = 1.0
    for _ in range(STEPS):
        back, there = lie.warped(new)
        down, right = (slope.double() * half for slope in torch.gradient(back[0]))
        slopes = torch.stack([right, down], dim=-1)
        columns = [gain * (slopes * places).sum(-1), gain * right / lie.zoom, gain * down / lie.zoom, back[0].double()]
        system = torch.stack([*columns, torch.ones_like(right)], dim=-1).reshape(-1, 5)
        aim, share = old[0].double().flatten(), (there * kept).double().flatten()
        off = aim - gain * system[:, 3] - ((aim - gain * system[:, 3]) * share).sum() / share.sum().clamp(min=1)
        weight = share / (1 + (off / EDITED) ** 2) ** 2
        normal = system.T @ (weight[:, None] * system)
        found = torch.linalg.solve(normal + 1e-6 * torch.eye(5, dtype=normal.dtype), system.T @ (weight * aim))
        step = found[:3].clamp(-0.05, 0.05).float()
        lie = _Lie((lie.zoom * step[0].exp()).clamp(0.5, 2.0), lie.shift + step[1:])
        gain = float(found[3].clamp(0.2, 5.0))
    return lie


def _places(picture: torch.Tensor) -> torch.Tensor:
    """(H, W, 2): right and down from the middle, in halves of the longer side, of the middle of each pixel."""
    height, width = picture.shape[-2:]
    down, right = (
        (torch.arange(size, device=picture.device) + 0.5 - size / 2) * 2 / max(height, width) for size in (height, width)
    )
    return torch.stack(torch.meshgrid(right, down, indexing="xy"), dim=-1)


def _luma(picture: torch.Tensor) -> torch.Tensor:
    return (picture * picture.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(dim=0, keepdim=True)


def _grey(picture: torch.Tensor, side: int) -> torch.Tensor:
    return _smaller(_luma(picture), side)


def _smaller(picture: torch.Tensor, side: int) -> torch.Tensor:
    """(channels, h, w), its longer side `side` at most, but no side less than 8 pixels."""
    factor = side / max(picture.shape[-2:])
    if factor >= 1:
        return picture
    size = [max(8, round(length * factor)) for length in picture.shape[-2:]]
    return F.interpolate(picture[None], size=size, mode="bilinear", antialias=True, align_corners=False)[0]


def _correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    if a.numel() < 2:
        return 0.0
    a, b = a.double() - a.double().mean(), b.double() - b.double().mean()
    return float((a * b).sum() / (a.norm() * b.norm()).clamp(min=1e-9))


def report(found: Drift) -> str:
    """A Drift in words, and what to do about it."""
    if not found.known:
        return (
            f"The pictures have too little in common outside the mask to tell (correlation {found.alike:.2f}): connect a mask "
            "of what is edited that leaves something to compare, and the picture that the edit was made from."
        )
    said = []
    if found.moved:
        across, along = _distance(found.shift_x, "right", "left"), _distance(found.shift_y, "down", "up")
        said.append(
            f"The whole picture has moved: {across}, {along}, zoom {found.zoom:.4f}; its furthest corner by "
            f"{found.furthest:.1f} pixels. No mask mends that: use the IMAGE of this node, which is moved back, or give the "
            "model the picture in a size that it keeps."
        )
    else:
        said.append(f"The picture lies where it did (to {max(found.furthest, 0.1):.1f} pixels).")
    red, green, blue = (255 * part for part in found.tint)
    levels = f"red {red:+.1f}, green {green:+.1f}, blue {blue:+.1f} of 255"
    if found.tinted:
        said.append(f"Its colours have moved, too: {levels}; match_colours of Composite Edited Picture takes a tint off.")
    else:
        said.append(f"Its colours are as they were ({levels}).")
    return " ".join(said)


def _distance(pixels: float, ahead: str, back: str) -> str:
    return f"{abs(pixels):.1f} pixels {ahead if pixels >= 0 else back}"
