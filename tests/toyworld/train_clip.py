"""Train the toy world's CLIP: `make toyworld-clip`, some minutes on one core.

The text encoder is the toy model's and stays as it is. A ViT and both projections learn to find, among all that captions of the
world say, what a drawn picture was made for; so "a rose" comes to mean a red one, as in CLIP. The patches' rows are trained
first, by what they show of the object, and then the class token, on rows that are computed once.
"""

import argparse
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from tqdm import tqdm, trange

from tools.comfyui.library import load_host

load_host()

from comfy.clip_model import clip_preprocess  # noqa: E402
from smallmodel.layers import attend  # noqa: E402
from smallmodel.text_encoder import HOST_HEAD  # noqa: E402
from smallmodel.tokens import END, token_ids  # noqa: E402

from .clip_model import PATCHES, REGIONS, TextProjection, VisionEncoder, grid  # noqa: E402
from .stored import load_text_encoder  # noqa: E402
from .train import WEIGHTS, half, reseed  # noqa: E402
from .world import ASSUMED_COLOUR, BACKGROUNDS, COLOURS, OBJECTS, TEMPLATES, Scene, draw, random_scene  # noqa: E402

WARMEST, COLDEST = math.log(10.0), math.log(100.0)  # of the scale that CLIP learns for its cosines, as a logarithm
CELLS = 4  # of a patch's side, in which coverage is told


@dataclass(frozen=True)
class Settings:
    pictures: int = 6000
    row_steps: int = 250
    row_batch: int = 32
    row_rate: float = 3e-3
    views: int = 2  # of each picture, differently blurred and noised
    steps: int = 4000
    batch: int = 256
    rate: float = 2e-3
    warm_up: int = 40
    seed: int = 11


def meaning(scene: Scene) -> tuple:
    """What a caption says, whatever its wording."""
    return scene.noun, scene.colour if scene.names_colour else None, scene.pair, scene.background


class Captions:
    """Every caption of the world as the text encoder's row of its end token, grouped by what it says."""

    def __init__(self, encoder):
        scenes = [
            Scene(noun, colour or "red", colour is not None, background, pair, template)
            for noun in OBJECTS
            for colour in (None, *COLOURS)
            for pair in (False, True)
            for background in BACKGROUNDS
            for template in TEMPLATES
        ]
        ids = torch.tensor([token_ids(scene.caption) for scene in scenes])
        end = (ids != END).sum(1)
        rows = encoder(ids[:, : end.max() + 1])[torch.arange(len(ids)), end]
        self.rows = rows.unflatten(0, (-1, len(TEMPLATES)))
        self.number = {meaning(scene): i for i, scene in enumerate(scenes[:: len(TEMPLATES)])}

    def some_wording(self) -> torch.Tensor:
        """One row for everything that a caption can say, (n, width)."""
        which = torch.randint(len(TEMPLATES), (len(self.rows),))
        return self.rows[torch.arange(len(self.rows)), which]


def generated_look(pictures: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) in 0..1, blurred and noised as a decoder leaves pictures, and a little off in colour."""
    batch = len(pictures)
    soft = F.interpolate(F.avg_pool2d(pictures, 2), scale_factor=2, mode="bilinear")
    pictures = pictures.lerp(soft, torch.rand(batch, 1, 1, 1))
    coarse = F.interpolate(torch.randn(batch, 3, 16, 16), scale_factor=8, mode="bicubic")
    noise = torch.randn_like(pictures) * 0.5 + coarse
    tint = torch.randn(batch, 3, 1, 1) * 0.03
    return (pictures + noise * 0.06 * torch.rand(batch, 1, 1, 1) + tint).clamp(0, 1)


@dataclass(frozen=True)
class Drawn:
    """`pictures` uint8 (n, 3, H, W); `said`: the number of what each caption says; `coverage` (n, PATCHES, CELLS**2)."""

    pictures: torch.Tensor
    said: torch.Tensor
    coverage: torch.Tensor

    def look(self, which: torch.Tensor) -> torch.Tensor:
        """These pictures for `VisionEncoder`."""
        return clip_preprocess(generated_look(self.pictures[which].float() / 255).movedim(1, -1))


def telling_scene(rng: np.random.RandomState) -> Scene:
    """As `random_scene`, but the colour seldom gives the object away, so that its shape has to be learned."""
    scene = random_scene(rng)
    if rng.rand() < 0.25:
        return replace(scene, colour=ASSUMED_COLOUR[scene.noun], names_colour=False)
    return replace(scene, colour=list(COLOURS)[rng.randint(len(COLOURS))], names_colour=True)


def draw_all(captions: Captions, s: Settings) -> Drawn:
    rng = np.random.RandomState(s.seed)
    pictures, said, coverage = [], [], []
    for _ in trange(s.pictures, desc="drawing", mininterval=5):
        scene = telling_scene(rng)
        picture = draw(rng, scene)
        pictures.append(torch.from_numpy((picture.pixels * 255).round().astype(np.uint8)))
        said.append(captions.number[meaning(scene)])
        coverage.append(_by_patch(torch.from_numpy(picture.mask)))
    return Drawn(torch.stack(pictures).movedim(-1, 1), torch.tensor(said), torch.stack(coverage))


def _by_patch(mask: torch.Tensor) -> torch.Tensor:
    side = round(PATCHES**0.5)
    cells = F.adaptive_avg_pool2d(mask[None], side * CELLS)[0]
    return cells.unfold(0, CELLS, CELLS).unfold(1, CELLS, CELLS).reshape(PATCHES, CELLS**2)


def shown(coverage: torch.Tensor) -> torch.Tensor:
    """What a patch's row has to tell: the coverage in its cells, and where on the picture, by moments."""
    x, y = (grid() / 7.5 - 1).unbind(1)
    places = torch.stack([x, y, x * y, x * x, y * y], 1)
    return torch.cat([coverage, coverage.mean(-1, keepdim=True) * places], -1)


def train_rows(vision: VisionEncoder, drawn: Drawn, s: Settings) -> None:
    reader = nn.Linear(len(vision.begin), CELLS**2 + 5)
    parameters = [*vision.parameters(), *reader.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=s.row_rate, betas=(0.9, 0.98), weight_decay=0.01)
    for step in (bar := trange(s.row_steps, desc="patches", mininterval=5)):
        reseed(s.seed, step)
        pace(optimizer, s.row_rate, step, s.row_steps, s.warm_up)
        which = torch.randint(len(drawn.said), (s.row_batch,))
        told = reader(vision.rows(drawn.look(which))[:, 1:])
        loss = F.mse_loss(told, shown(drawn.coverage[which]))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        vision.mark_regions()
        bar.set_postfix(error=f"{loss.item():.4f}", refresh=False)


def pace(optimizer, rate: float, step: int, steps: int, warm_up: int) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate * min(1, (step + 1) / warm_up) * (0.01 + 0.495 * (1 + math.cos(math.pi * step / steps)))


def read_regions(vision: VisionEncoder, rows: torch.Tensor) -> torch.Tensor:
    """(B, 1 + REGIONS, width): the class token's row, and the means over the regions that its heads attend to."""
    attention = vision.layers[-1].self_attn
    normed = vision.layers[-1].layer_norm1(rows)
    everything = normed.repeat(1, 1, REGIONS)
    means = attend(attention.q_proj(normed[:, :1]), attention.k_proj(normed), everything, REGIONS, HOST_HEAD)
    return torch.cat([rows[:, :1], means.unflatten(-1, (REGIONS, -1))[:, 0]], 1)


def embed(vision: VisionEncoder, read: torch.Tensor) -> torch.Tensor:
    """`VisionEncoder.forward` from what `read_regions` gives: a mean of values is the value of a mean."""
    layer = vision.layers[-1]
    value = layer.self_attn.v_proj
    values = torch.einsum("brw,rvw->brv", read[:, 1:], value.weight.unflatten(0, (REGIONS, -1))).flatten(1) + value.bias
    x = read[:, 0] + layer.self_attn.out_proj(values)
    return vision.projection(vision.after(x + layer.mlp(layer.layer_norm2(x))))


@torch.no_grad()
def all_regions(vision: VisionEncoder, drawn: Drawn, s: Settings) -> torch.Tensor:
    """(views, n, 1 + REGIONS, width)."""
    reseed(s.seed + 1, 0)
    parts = torch.arange(len(drawn.said)).split(s.row_batch)
    views = [
        torch.cat([read_regions(vision, vision.rows(drawn.look(part))) for part in tqdm(parts, desc="reading", mininterval=5)])
        for _ in range(s.views)
    ]
    return torch.stack(views)


def train_class_token(vision: VisionEncoder, text: TextProjection, captions: Captions, drawn: Drawn, s: Settings) -> None:
    read, scale = all_regions(vision, drawn, s), nn.Parameter(torch.tensor(math.log(1 / 0.07)))
    layer = vision.layers[-1]
    trained = [layer.self_attn.v_proj, layer.self_attn.out_proj, layer.layer_norm2, layer.mlp, vision.after, vision.projection]
    parameters = [scale, *text.parameters(), *(p for part in trained for p in part.parameters())]
    optimizer = torch.optim.AdamW(parameters, lr=s.rate, betas=(0.9, 0.98), weight_decay=0.05)
    for step in (bar := trange(s.steps, desc="class token", mininterval=5)):
        reseed(s.seed + 2, step)
        pace(optimizer, s.rate, step, s.steps, s.warm_up)
        which = torch.randint(len(drawn.said), (s.batch,))
        seen = F.normalize(embed(vision, read[torch.randint(s.views, (s.batch,)), which]), dim=1)
        logits = scale.exp() * seen @ F.normalize(text(captions.some_wording()), dim=1).T
        loss = F.cross_entropy(logits, drawn.said[which])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        scale.data.clamp_(WARMEST, COLDEST)
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)


def train(s: Settings) -> nn.ModuleDict:
    with torch.no_grad():
        captions = Captions(load_text_encoder())
    torch.manual_seed(s.seed)
    parts = nn.ModuleDict({"vision": VisionEncoder(), "text": TextProjection(captions.rows.shape[-1])})
    drawn = draw_all(captions, s)
    train_rows(parts["vision"], drawn, s)
    train_class_token(parts["vision"], parts["text"], captions, drawn, s)
    return parts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="where the trained weights go")
    options = parser.parse_args()
    save_file(half(train(Settings())), options.weights / "clip.safetensors")
    print(f"Trained weights are in {options.weights}. Next: `make env` builds the models from them.")


if __name__ == "__main__":
    main()
