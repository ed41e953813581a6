"""The judge: reads from pixels alone what is there, where, in which colour, gender and skin tone, and on what ground.

A network says of every cell of a 32 x 32 grid whether it belongs to an object, where that object's centre is, and what the
object is. Cells that vote for the same centre are one object, whatever each of them takes it for, so that two halves that
look like different things at one place are one object with the evidence of both, and equal things that touch are two.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from scipy import ndimage
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .colours import COLOURS
from .grounds import GROUNDS
from .professions import GENDERS, PROFESSIONS, SKIN_TONES
from .things import THINGS
from .training_data import NOUNS

WEIGHTS = Path(__file__).parent / "weights"
FILE = "judge.safetensors"
SIZE = 128
GRID = 32  # cells along a side

FIRST_PERSON = len(THINGS)
HAS_COLOUR = np.array([thing.colour is not None for thing in THINGS] + [False] * len(PROFESSIONS))
COLOUR_NAMES = tuple(COLOURS)

# What the network says of a cell, and in how many channels. `object`: the logit that it belongs to one; `part`: the logit
# that it is of a part that has the object's colour; `centre`: from the cell to the object's centre, (x, y), in sides of the
# picture. The others are logits of what the object, or for `ground` the ground, is.
HEADS = {
    "object": 1,
    "part": 1,
    "centre": 2,
    "noun": len(NOUNS),
    "colour": len(COLOURS),
    "gender": len(GENDERS),
    "skin_tone": len(SKIN_TONES),
    "ground": len(GROUNDS),
}

WHAT = ("noun", "gender", "skin_tone")  # told by all three grids together, as their logits' sum

LEAST_CELLS = 16  # of an object; the smallest that is drawn has 29
FEW_CELLS = 25  # of what belongs to its neighbour, if it has one
NEAREST_OBJECTS = 6.0  # cells between the centres of two; those that are drawn have 13 or more
BLUR_OF_VOTES = 1.25  # cells
LEAST_VOTES = 0.12  # of the strongest centre's votes
REACH_OF_VOTES = 7.0  # cells from a centre; what votes for a place farther from all centres is nobody's


class Block(nn.Module):
    """Two convolutions beside a straight way."""

    def __init__(self, width: int):
        super().__init__()
        self.first, self.second = Layer(width, width), Layer(width, width)
        nn.init.zeros_(self.second.norm.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


class Layer(nn.Module):
    """A convolution with batch norm; where the stride is 2, the side is halved."""

    def __init__(self, before: int, after: int, kernel: int = 3, stride: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x))


class JudgeNetwork(nn.Module):
    """(B, 3, 128, 128) in 0..1 to what `HEADS` says, each (B, channels, 32, 32)."""

    def __init__(self, widths: tuple[int, int, int, int, int] = (24, 48, 96, 128, 80)):
        super().__init__()
        half, quarter, eighth, sixteenth, out = widths
        self.to_half, self.to_quarter = Layer(3, half, stride=2), Layer(half, quarter, stride=2)
        self.at_quarter = Block(quarter)
        self.to_eighth = Layer(quarter, eighth, stride=2)
        self.at_eighth = nn.Sequential(Block(eighth), Block(eighth))
        self.to_sixteenth = Layer(eighth, sixteenth, stride=2)
        self.at_sixteenth = nn.Sequential(Block(sixteenth), Block(sixteenth))
        self.from_sixteenth, self.beside_eighth = Layer(sixteenth, eighth, 1), Layer(eighth, eighth, 1)
        self.back_at_eighth = Layer(eighth, eighth)
        self.from_eighth, self.beside_quarter = Layer(eighth, out, 1), Layer(quarter, out, 1)
        self.back_at_quarter = Layer(out, out)
        self.heads = nn.Conv2d(out, sum(HEADS.values()), 1)
        what = sum(HEADS[name] for name in WHAT)
        self.what_at_sixteenth, self.what_at_eighth = nn.Conv2d(sixteenth, what, 1), nn.Conv2d(eighth, what, 1)

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        x = F.relu(self.to_half((pictures - 0.5) * 4))
        quarter = self.at_quarter(F.relu(self.to_quarter(x)))
        eighth = self.at_eighth(F.relu(self.to_eighth(quarter)))
        x = self.at_sixteenth(F.relu(self.to_sixteenth(eighth)))
        what = self.what_at_sixteenth(x)
        x = F.relu(twice(self.from_sixteenth(x)) + self.beside_eighth(eighth))
        x = F.relu(self.back_at_eighth(x))
        what = twice(twice(what) + self.what_at_eighth(x))
        x = F.relu(twice(self.from_eighth(x)) + self.beside_quarter(quarter))
        x = F.relu(self.back_at_quarter(x))
        said = dict(zip(HEADS, self.heads(x).split(list(HEADS.values()), 1), strict=True))
        coarse = zip(WHAT, what.split([HEADS[name] for name in WHAT], 1), strict=True)
        return said | {name: said[name] + logits for name, logits in coarse}


def twice(x: torch.Tensor) -> torch.Tensor:
    """Twice the side, every value four times."""
    return F.interpolate(x, scale_factor=2.0)


@dataclass(frozen=True)
class Found:
    """One object. `mask` boolean (32, 32); `centre` (x, y) in 0..1 is its middle and `share` its share of the picture.

    A thing has a `colour` where the world turns it; a person has `gender` and `skin_tone`. `sure` is the mean probability
    of the noun over the object's cells.
    """

    noun: str
    colour: str | None
    gender: str | None
    skin_tone: str | None
    mask: np.ndarray
    centre: tuple[float, float]
    share: float
    sure: float


@dataclass(frozen=True)
class Verdict:
    """What is there, from left to right, and the kind of the ground."""

    found: tuple[Found, ...]
    ground: str

    @property
    def nouns(self) -> tuple[str, ...]:
        return tuple(one.noun for one in self.found)

    def count(self, noun: str) -> int:
        return self.nouns.count(noun)

    def has(self, noun: str) -> bool:
        return noun in self.nouns

    def of(self, noun: str) -> Found | None:
        """The largest of these, or none."""
        return max((one for one in self.found if one.noun == noun), key=lambda one: one.share, default=None)

    @property
    def largest(self) -> Found | None:
        return max(self.found, key=lambda one: one.share, default=None)

    def is_left_of(self, left: str, right: str) -> bool:
        """Whether both are there and the one's centre is to the left of the other's."""
        one, other = self.of(left), self.of(right)
        return one is not None and other is not None and one.centre[0] < other.centre[0]


class Judge:
    """A trained network and the reading of what it says."""

    def __init__(self, network: JudgeNetwork, device: torch.device | str = "cpu", batch: int = 32):
        self.network = fused(network).to(device, memory_format=torch.channels_last)
        self.device, self.batch = torch.device(device), batch

    @torch.inference_mode()
    def __call__(self, pictures: np.ndarray | torch.Tensor) -> list[Verdict]:
        """Verdicts on pictures (n, 128, 128, 3) in 0..1.

        Raises:
            ValueError: the pictures have another shape, or are bytes.
        """
        pictures = torch.as_tensor(pictures)
        if pictures.shape[1:] != (SIZE, SIZE, 3) or not pictures.is_floating_point():
            raise ValueError(f"The judge reads (n, {SIZE}, {SIZE}, 3) in 0..1, not {tuple(pictures.shape)} {pictures.dtype}.")
        return [verdict for part in pictures.split(self.batch) for verdict in self._verdicts(part)]

    def _verdicts(self, pictures: torch.Tensor) -> list[Verdict]:
        # A picture that lies as (n, h, w, 3) is in the order of channels_last once its axes are moved.
        said = self.network(pictures.to(self.device, torch.float32).clamp(0, 1).movedim(-1, 1))
        maps = {name: values.float().cpu().numpy() for name, values in as_evidence(said).items()}
        return [verdict_of({name: values[i] for name, values in maps.items()}) for i in range(len(pictures))]


def load_judge(weights: Path = WEIGHTS, device: torch.device | str = "cpu") -> Judge:
    """The judge that `train_judge.py` stored in a folder."""
    network = JudgeNetwork()
    network.load_state_dict({key: tensor.float() for key, tensor in load_file(weights / FILE).items()}, strict=False)
    return Judge(network, device)


def store_judge(network: JudgeNetwork, weights: Path = WEIGHTS) -> Path:
    """Keep a network in half precision; counters of batches are left out."""
    weights.mkdir(parents=True, exist_ok=True)
    state = {key: value.detach().cpu().half().contiguous() for key, value in network.state_dict().items() if value.ndim}
    save_file(state, weights / FILE)
    return weights / FILE


def fused(network: JudgeNetwork) -> JudgeNetwork:
    """A copy for reading only, with every batch norm put into the convolution before it."""
    copy = JudgeNetwork(tuple(layer.conv.out_channels for layer in _widths(network)))
    copy.load_state_dict(network.state_dict())
    copy.eval().requires_grad_(False)
    for layer in [module for module in copy.modules() if isinstance(module, Layer)]:
        layer.conv, layer.norm = fuse_conv_bn_eval(layer.conv, layer.norm), nn.Identity()
    return copy


def _widths(network: JudgeNetwork) -> Iterable[Layer]:
    return network.to_half, network.to_quarter, network.to_eighth, network.to_sixteenth, network.back_at_quarter


def as_evidence(said: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The network's logits as probabilities (`object`, `part`), vectors (`centre`) and log-probabilities (the others)."""

    def read(name: str, values: torch.Tensor) -> torch.Tensor:
        if name in ("object", "part"):
            return values.float().sigmoid()
        return values.float() if name == "centre" else values.float().log_softmax(1)

    return {name: read(name, values) for name, values in said.items()}


def verdict_of(maps: dict[str, np.ndarray]) -> Verdict:
    """Read one picture's evidence, each of `HEADS` (channels, 32, 32) as `as_evidence` gives it."""
    masks = object_masks(maps["object"][0], maps["centre"])
    ground_weight = np.maximum(1 - maps["object"][0], 1e-3)
    ground = int((maps["ground"] * ground_weight).sum((1, 2)).argmax())
    found = sorted((found_of(mask, maps) for mask in masks), key=lambda one: one.centre[0])
    return Verdict(tuple(found), GROUNDS[ground].kind)


def found_of(mask: np.ndarray, maps: dict[str, np.ndarray]) -> Found:
    """An object from its cells: what is most likely by the mean of their log-probabilities.

    A few cells that are sure of something else count little, as each has a say of at least a probability of e^-7.
    """

    def best(name: str, weight: np.ndarray) -> int:
        evidence = np.maximum(maps[name][:, mask], -7.0)
        return int((evidence * weight).sum(1).argmax())

    weight = maps["object"][0][mask]
    noun = best("noun", weight)
    person = noun >= FIRST_PERSON
    colour = best("colour", maps["part"][0][mask] + 1e-3) if HAS_COLOUR[noun] else None
    rows, columns = np.nonzero(mask)
    return Found(
        noun=NOUNS[noun],
        colour=None if colour is None else COLOUR_NAMES[colour],
        gender=GENDERS[best("gender", weight)] if person else None,
        skin_tone=SKIN_TONES[best("skin_tone", weight)] if person else None,
        mask=mask,
        centre=(float(columns.mean() + 0.5) / GRID, float(rows.mean() + 0.5) / GRID),
        share=float(mask.mean()),
        sure=float(np.exp(maps["noun"][noun][mask]).mean()),
    )


def object_masks(likely: np.ndarray, to_centre: np.ndarray) -> list[np.ndarray]:
    """Boolean masks (32, 32) of the objects, from each cell's probability and its vector to the centre (2, 32, 32).

    Every likely cell votes for a centre. Places with many votes, not too near to a stronger one, are objects' centres; a
    cell belongs to the centre nearest to its vote. Objects of few cells go to a neighbour, or are dropped if too small.
    """
    inside = likely > 0.5
    if inside.sum() < LEAST_CELLS:
        return []
    rows, columns = np.nonzero(inside)
    votes = np.stack([rows, columns], 1) + to_centre[::-1, rows, columns].T * GRID
    centres = _peaks(votes)
    distances = np.linalg.norm(votes[:, None] - centres[None], axis=-1)
    nearest = np.where(distances.min(1) <= REACH_OF_VOTES, distances.argmin(1), -1)
    numbers = np.full(inside.shape, -1)
    numbers[rows, columns] = nearest
    give_to_neighbours(numbers, len(centres))
    masks = [without_crumbs(numbers == number) for number in range(len(centres))]
    return [mask for mask in masks if mask.sum() >= LEAST_CELLS]


def give_to_neighbours(numbers: np.ndarray, count: int) -> None:
    """In place, from the smallest on: an object of few cells becomes part of the one that it touches most, if any."""
    sizes = np.bincount(numbers[numbers >= 0], minlength=count)
    for number in np.argsort(sizes):
        here = numbers == number
        if 0 < here.sum() < FEW_CELLS:
            around = numbers[ndimage.binary_dilation(here, np.ones((3, 3))) & ~here]
            if (around >= 0).any():
                numbers[here] = np.bincount(around[around >= 0]).argmax()


def without_crumbs(mask: np.ndarray, least: int = 3) -> np.ndarray:
    """A mask without its pieces of fewer than `least` cells; larger ones stay, as a thing can have several pieces."""
    labels, _ = ndimage.label(mask, np.ones((3, 3)))
    keeps = np.bincount(labels.ravel()) >= least
    keeps[0] = False
    return keeps[labels]


def _peaks(votes: np.ndarray) -> np.ndarray:
    """Centres (k, 2), strongest first, from votes (n, 2) in cells."""
    row, column = np.clip(votes.round().astype(int), 0, GRID - 1).T
    counts = np.zeros((GRID, GRID), np.float32)
    np.add.at(counts, (row, column), 1)
    height = ndimage.gaussian_filter(counts, BLUR_OF_VOTES, mode="constant")
    is_top = (height == ndimage.maximum_filter(height, 3)) & (height >= LEAST_VOTES * height.max())
    tops = np.argwhere(is_top)
    chosen: list[np.ndarray] = []
    for top in tops[np.argsort(-height[tuple(tops.T)])]:
        if all(((top - other) ** 2).sum() >= NEAREST_OBJECTS**2 for other in chosen):
            chosen.append(top)
    return np.array(chosen, np.float32)
