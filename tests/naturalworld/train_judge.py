"""Train the judge on drawn pictures that are spoilt as generated ones are: blurred, noisy, tinted, scaled, re-coded."""

import argparse
import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from .judge import FIRST_PERSON, GRID, SIZE, WEIGHTS, JudgeNetwork, store_judge

Degrade = Callable[[torch.Tensor], torch.Tensor]  # pictures (B, 3, 128, 128) in 0..1 to the same, worse

CENTRE_WEIGHT = 8.0
WARM_UP = 0.08  # of the training
LEAST_PACE = 0.01  # of the rate, at the end
AVERAGE = 0.99


@dataclass(frozen=True)
class Targets:
    """Truth of a batch as the loss wants it, on the device.

    `owner` (B, 32, 32): 0 the ground, i + 1 object i. `part` boolean (B, 32, 32). `of` (B, 4, 4): class, colour, gender and
    skin tone of the objects, -1 where there is none. `ground` (B,).
    """

    owner: torch.Tensor
    part: torch.Tensor
    of: torch.Tensor
    ground: torch.Tensor


class TruthOnDevice:
    """A split's truth on the device, in as few bytes as it came; `batch` picks and widens."""

    def __init__(self, truth: Any, device: torch.device):
        self.cells, self.coloured, self.objects, self.ground = (
            torch.as_tensor(getattr(truth, name)).to(device) for name in ("cells", "coloured", "objects", "ground")
        )

    def batch(self, which: torch.Tensor) -> Targets:
        return Targets(
            self.cells[which].long(), self.coloured[which].bool(), self.objects[which].long(), self.ground[which].long()
        )


def mirrored(pictures: torch.Tensor, targets: Targets, where: torch.Tensor) -> tuple[torch.Tensor, Targets]:
    """Left and right exchanged in those pictures (B, 3, h, w) where it is true (B,)."""
    pictures = torch.where(where[:, None, None, None], pictures.flip(-1), pictures)
    owner = torch.where(where[:, None, None], targets.owner.flip(-1), targets.owner)
    part = torch.where(where[:, None, None], targets.part.flip(-1), targets.part)
    return pictures, Targets(owner, part, targets.of, targets.ground)


def blurred(pictures: torch.Tensor, sigma: float) -> torch.Tensor:
    reach = max(1, math.ceil(2.5 * sigma))
    steps = torch.arange(-reach, reach + 1, device=pictures.device, dtype=pictures.dtype)
    kernel = (-(steps**2) / (2 * sigma**2)).exp()
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    padded = F.pad(pictures, (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel, groups=3), kernel.mT, groups=3)


def rescaled(pictures: torch.Tensor, side: int) -> torch.Tensor:
    small = F.interpolate(pictures, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    return F.interpolate(small, size=pictures.shape[-2:], mode="bicubic", align_corners=False)


def spoilt(pictures: torch.Tensor, degrade: Degrade | None, host: torch.Generator) -> torch.Tensor:
    """Pictures (B, 3, 128, 128), eight or more, each spoilt in some way or left as it is.

    Batches are in random order, so what happens to a picture is decided by its place in the batch; how strong a blur is,
    and to how many pixels a picture is shrunk, is one number a batch. Noise and tint differ from picture to picture.
    """

    def number(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=host))

    n, device = len(pictures), pictures.device
    parts = list(pictures.tensor_split(8))
    parts[0] = blurred(parts[0], number(0.3, 1.0))
    parts[1] = blurred(parts[1], number(0.8, 1.8))
    parts[2] = rescaled(parts[2], int(number(44, 112)))
    # Grey values keep their edges and colours lose theirs, as in compressed pictures.
    soft, grey = blurred(parts[3], number(1.0, 3.0)), parts[3].mean(1, keepdim=True)
    parts[3] = soft + grey - soft.mean(1, keepdim=True)
    if degrade is not None:
        recoded = degrade(torch.cat(parts[4:7])).to(pictures.dtype)
        parts[4:7] = recoded.tensor_split(3)
    pictures = torch.cat(parts)

    def some(share: float, most: float, *shape: int) -> torch.Tensor:
        """A strength for each picture, zero for the others."""
        return torch.rand(n, *shape, device=device) * most * (torch.rand(n, *shape, device=device) < share)

    gain = 1 + 0.05 * (2 * torch.rand(n, 3, 1, 1, device=device) - 1)
    contrast = 1 + 0.12 * (2 * torch.rand(n, 1, 1, 1, device=device) - 1)
    lift = 0.03 * (2 * torch.rand(n, 3, 1, 1, device=device) - 1)
    fine = torch.randn_like(pictures) * some(0.5, 0.05, 1, 1, 1)
    coarse = torch.randn(n, 3, 24, 24, device=device) * some(0.4, 0.06, 1, 1, 1)
    coarse = F.interpolate(coarse, size=(SIZE, SIZE), mode="bilinear", align_corners=False)
    return ((pictures - 0.5) * contrast * gain + 0.5 + lift + fine + coarse).clamp(0, 1)


def centres(owner: torch.Tensor, objects: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Middles (B, objects + 1, 2) of every owner's cells as (x, y) in 0..1, and how many cells each has (B, objects + 1)."""
    is_of = cells_of(owner, objects)
    count = is_of.sum(1)
    return is_of.mT @ places(owner.device) / count.clamp(min=1)[..., None], count


def cells_of(owner: torch.Tensor, objects: int) -> torch.Tensor:
    """(B, 1024, objects + 1) from (B, 32, 32): 1 where a cell is of an owner, else 0."""
    return F.one_hot(owner.flatten(1), objects + 1).float()


def places(device: torch.device) -> torch.Tensor:
    """Cells' middles (1024, 2) as (x, y) in 0..1."""
    along = (torch.arange(GRID, device=device) + 0.5) / GRID
    return torch.stack([along.repeat(GRID), along.repeat_interleave(GRID)], -1)


def judge_loss(said: dict[str, torch.Tensor], targets: Targets) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The loss, and how many of the cells of each kind are right, as shares.

    Every object counts the same, whatever its size, and so does every picture's ground.
    """
    n, objects = targets.of.shape[:2]
    flat = targets.owner.flatten(1)
    middles, count = centres(targets.owner, objects)
    inside = flat > 0
    share = inside / count.gather(1, flat).clamp(min=1)  # (B, 1024): each object's cells sum to one

    none = torch.full((n, 1, 4), -1, device=flat.device)
    of_owner = torch.cat([none, targets.of], 1)
    of_cell = of_owner.gather(1, flat[..., None].expand(-1, -1, 4))  # (B, 1024, 4)
    losses, right = {}, {}

    def cross_entropy(name: str, wanted: torch.Tensor, weight: torch.Tensor) -> None:
        logits = said[name].permute(0, 2, 3, 1).flatten(0, 2).float()
        each = F.cross_entropy(logits, wanted.clamp(min=0).flatten(), reduction="none").view_as(wanted)
        total = weight.sum().clamp(min=1e-6)
        losses[name] = (each * weight).sum() / total
        right[name] = ((logits.detach().argmax(1).view_as(wanted) == wanted) * weight).sum() / total

    part = targets.part.flatten(1) & inside & (of_cell[..., 1] >= 0)
    parts = (cells_of(targets.owner, objects) * part[..., None]).sum(1)
    people = inside & (of_cell[..., 0] >= FIRST_PERSON)
    cross_entropy("noun", of_cell[..., 0], share)
    cross_entropy("colour", of_cell[..., 1], part / parts.gather(1, flat).clamp(min=1))
    cross_entropy("gender", of_cell[..., 2], people * share)
    cross_entropy("skin_tone", of_cell[..., 3], people * share)
    cross_entropy("ground", targets.ground[:, None].expand(flat.shape), ~inside / GRID**2)

    logit = said["object"].flatten(1).float()
    losses["object"] = F.binary_cross_entropy_with_logits(logit, inside.float())
    right["object"] = ((logit.detach() > 0) == inside).float().mean()
    logit = said["part"].flatten(1).float()
    each = F.binary_cross_entropy_with_logits(logit, part.float(), reduction="none")
    losses["part"] = (each * share).sum() / share.sum().clamp(min=1e-6)

    there = middles.gather(1, flat[..., None].expand(-1, -1, 2))
    error = (said["centre"].flatten(2).float().mT - (there - places(flat.device))).abs().sum(-1)
    losses["centre"] = CENTRE_WEIGHT * (error * share).sum() / share.sum().clamp(min=1e-6)
    return sum(losses.values(), torch.zeros((), device=flat.device)), right


def pace(progress: float) -> float:
    """Which part of the rate is used after this share of the training: up in a line, down in a cosine."""
    if progress < WARM_UP:
        return progress / WARM_UP
    down = (progress - WARM_UP) / (1 - WARM_UP)
    return LEAST_PACE + (1 - LEAST_PACE) * 0.5 * (1 + math.cos(math.pi * min(1.0, down)))


class Average:
    """A network whose weights and statistics follow a live one's slowly; early on by more."""

    def __init__(self, live: nn.Module):
        self.network = copy.deepcopy(live).eval().requires_grad_(False)
        self.to, self.by = ([v for v in m.state_dict().values() if v.is_floating_point()] for m in (self.network, live))

    @torch.no_grad()
    def follow(self, steps: int) -> None:
        torch._foreach_lerp_(self.to, self.by, 1 - min(AVERAGE, (steps + 1) / (steps + 10)))


def train_judge(
    pictures: torch.Tensor,
    truth: Any,
    seconds: float | None = None,
    steps: int | None = None,
    device: torch.device | str = "cpu",
    degrade: Degrade | None = None,
    batch: int = 512,
    rate: float = 4e-3,
    decay: float = 0.02,
    seed: int = 23,
    compiled: bool = False,
    bfloat16: bool | None = None,
    show_every: float = 5.0,
    network: JudgeNetwork | None = None,
) -> JudgeNetwork:
    """Train on pictures uint8 (n, 128, 128, 3) and their truth, for so many seconds or steps; returns the average network.

    `truth` has `cells`, `coloured`, `objects` and `ground`, arrays or tensors, as `training_data.Truth`. Time counts from the
    first step on, and the rate falls by it. `network` goes on from one that was trained. Convolutions are in bfloat16 on
    CUDA, and elsewhere if `bfloat16` says so.

    Raises:
        ValueError: neither or both of `seconds` and `steps` are given.
    """
    if (seconds is None) == (steps is None):
        raise ValueError("The judge is trained either for some seconds or for some steps.")
    device = torch.device(device)
    torch.manual_seed(seed)
    host = torch.Generator().manual_seed(seed)
    pictures, known = torch.as_tensor(pictures).to(device), TruthOnDevice(truth, device)
    live = (network or JudgeNetwork()).to(device, memory_format=torch.channels_last).train()
    average = Average(live)
    fast = torch.compile(live) if compiled else live
    groups = [
        {"params": [p for p in live.parameters() if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in live.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=device.type == "cuda")
    started = shown = time.monotonic()
    means: dict[str, torch.Tensor] = {}
    done, progress = 0, 0.0
    while progress < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate * pace(progress)
        which = torch.randint(len(pictures), (batch,), device=device)
        x = pictures[which].movedim(-1, 1).float() / 255
        x, targets = mirrored(x, known.batch(which), torch.rand(batch, device=device) < 0.5)
        with torch.no_grad():
            x = spoilt(x, degrade, host).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda" if bfloat16 is None else bfloat16):
            said = fast(x)
        loss, right = judge_loss(said, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(live.parameters(), 5.0)
        optimizer.step()
        average.follow(done)
        done += 1
        for name, value in (right | {"loss": loss.detach()}).items():
            means[name] = value if name not in means else means[name].lerp(value, 0.05)
        now = time.monotonic()
        progress = (now - started) / seconds if seconds else done / (steps or 1)
        if now - shown > show_every or progress >= 1:
            shown = now
            shares = " ".join(f"{name} {float(value):.3f}" for name, value in means.items())
            print(
                f"judge {done} steps, {now - started:.0f} s, {done * batch / (now - started):.0f} pictures/s: {shares}",
                flush=True,
            )
    return average.network


def through_autoencoder(weights: Path, device: str) -> Degrade | None:
    """Pictures as the trained autoencoder gives them back; None where there is none yet."""
    if not (weights / "autoencoder.safetensors").exists():
        return None
    from .build import load_autoencoder

    autoencoder = load_autoencoder(weights).to(device, memory_format=torch.channels_last)

    def recoded(pictures: torch.Tensor) -> torch.Tensor:
        latents = autoencoder.encoder(pictures)
        return autoencoder.decoder(latents + 0.05 * torch.randn_like(latents)).clamp(0, 1)

    return recoded


def main() -> None:
    from tools.comfyui.library import load_host

    load_host()
    from .training_data import make_training_data

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path(".cache/naturalworld/run"), help="folder for the drawn pictures")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="where the trained weights go")
    parser.add_argument("--pictures", type=int, default=24000)
    parser.add_argument("--workers", type=int, default=1, help="processes that draw")
    parser.add_argument("--seconds", type=float, help="how long to train")
    parser.add_argument("--steps", type=int, help="how many steps to train, instead")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    data = make_training_data(options.run, options.pictures, workers=options.workers)
    seconds = options.seconds or (None if options.steps else 60.0)
    degrade = through_autoencoder(options.weights, options.device)
    network = train_judge(data.pictures, data.truth, seconds, options.steps, options.device, degrade, options.batch)
    print(f"The judge is in {store_judge(network, options.weights)}.")


if __name__ == "__main__":
    main()
