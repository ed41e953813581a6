"""Train the toy world's model: `make toyworld`. Interrupted, it goes on where it stopped; each part is kept when done.

Parts: text encoder alone, then UNet and text encoder together, then the picture decoder.
"""

import argparse
import copy
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from tqdm import trange

from tools.comfyui.library import load_host

load_host()

from smallmodel.build import half  # noqa: E402
from smallmodel.text_encoder import POSITIONS, TextEncoder  # noqa: E402
from smallmodel.training import TIMESTEPS, alphas_cumprod, reseed, save  # noqa: E402
from smallmodel.unet import UNet  # noqa: E402

from .autoencoder import encode, new_decoder  # noqa: E402
from .data import NO_COLOUR, Captions, Dataset, make_dataset  # noqa: E402
from .text_losses import TextLosses  # noqa: E402
from .words import vocabulary  # noqa: E402

WEIGHTS = Path(__file__).parent / "weights"
SAVE_EVERY = 250
CAPTION_ROWS_TRAINED = 28  # of 77, when the text encoder trains alone: captions end before, padding repeats


@dataclass(frozen=True)
class Settings:
    pictures: int = 24000
    text_steps: int = 250
    text_batch: int = 96
    steps: int = 3600
    batch: int = 32
    unet_rate: float = 1e-3
    text_rate: float = 4e-4
    warm_up: int = 100
    text_loss_weight: float = 0.1
    empty_share: float = 0.1
    average: float = 0.998
    decoder_steps: int = 1400
    decoder_batch: int = 8
    decoder_rate: float = 2e-3
    seed: int = 7


def drop_rows(rows: torch.Tensor, captions: Captions, which: torch.Tensor) -> torch.Tensor:
    """Delete text rows after the encoder (those behind move up), so that no meaning hangs on one word's row alone.

    Without this the UNet reads the colour from the adjective's row only, and TIME, whose target has no such row, does nothing.
    """
    kept = torch.arange(POSITIONS).repeat(len(which), 1)
    for i, caption in enumerate(which.tolist()):
        end = int(captions.length[caption])
        chance = torch.rand(()).item()
        dropped = []
        if end > 1 and chance < 0.08:
            dropped = list(range(1, end))
        elif end > 1 and chance < 0.65 and int(captions.colour[caption]) != NO_COLOUR:
            dropped = [int(captions.colour_position[caption])]
        elif end > 1 and chance > 0.85:
            dropped = [int(torch.randint(1, end, ()))]
        if dropped:
            keep = [row for row in range(POSITIONS) if row not in dropped]
            kept[i] = torch.tensor(keep + [POSITIONS - 1] * len(dropped))
    return torch.gather(rows, 1, kept[..., None].expand(-1, -1, rows.shape[-1]))


def train_text(data: Dataset, encoder: TextEncoder, losses: TextLosses, s: Settings) -> None:
    parameters = [*encoder.parameters(), *losses.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=2e-3, betas=(0.9, 0.99), weight_decay=0.02)
    for step in (bar := trange(s.text_steps, desc="text encoder", mininterval=5)):
        reseed(s.seed, step)
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1, (step + 1) / 20) * (1 - 0.8 * step / s.text_steps)
        which = torch.randint(1, len(data.captions.texts), (s.text_batch,))
        half = s.text_batch // 2
        which[:half] = data.caption[torch.randint(len(data.caption), (half,))]
        loss = losses(encoder(data.captions.ids[which, :CAPTION_ROWS_TRAINED]), data.captions, which)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)


class JointTraining:
    """UNet and text encoder together, with exponential averages of both: what is shipped."""

    def __init__(self, data: Dataset, unet: UNet, encoder: TextEncoder, losses: TextLosses, s: Settings):
        self.data, self.s = data, s
        self.live = nn.ModuleDict({"unet": unet, "text": encoder, "losses": losses})
        self.average = copy.deepcopy(nn.ModuleDict({"unet": unet, "text": encoder})).requires_grad_(False)
        text = [*encoder.parameters(), *losses.parameters()]
        groups = [{"params": list(unet.parameters()), "rate": s.unet_rate}, {"params": text, "rate": s.text_rate}]
        self.optimizer = torch.optim.AdamW(groups, lr=s.unet_rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
        self.alphas = alphas_cumprod()
        self.done = 0

    def state(self) -> dict:
        parts = {"live": self.live, "average": self.average, "optimizer": self.optimizer}
        return {name: part.state_dict() for name, part in parts.items()} | {"done": self.done}

    def load(self, state: dict) -> None:
        for name in ("live", "average", "optimizer"):
            getattr(self, name).load_state_dict(state[name])
        self.done = state["done"]

    def step(self) -> float:
        s, data = self.s, self.data
        reseed(s.seed + 1, self.done)
        decay = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.done / s.steps))
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * decay * min(1, (self.done + 1) / s.warm_up)
        picked = torch.randint(len(data.latents), (s.batch,))
        which = data.caption[picked].clone()
        which[torch.rand(s.batch) < s.empty_share] = 0
        t = ((torch.arange(s.batch) + torch.rand(s.batch)) / s.batch * TIMESTEPS).long().clamp(max=TIMESTEPS - 1)
        noise = torch.randn_like(data.latents[picked])
        signal = self.alphas[t][:, None, None, None]
        noised = signal.sqrt() * data.latents[picked] + (1 - signal).sqrt() * noise
        rows = self.live["text"](data.captions.ids[which])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            predicted = self.live["unet"](noised, t, drop_rows(rows, data.captions, which)).float()
        error = (predicted - noise).pow(2).mean()
        loss = error + s.text_loss_weight * self.live["losses"](rows, data.captions, which)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*self.live["unet"].parameters(), *self.live["text"].parameters()], 1.0)
        self.optimizer.step()
        weight = min(s.average, (self.done + 1) / (self.done + 20))
        live = [p.detach() for part in ("unet", "text") for p in self.live[part].parameters()]
        torch._foreach_lerp_(list(self.average.parameters()), live, 1 - weight)
        self.done += 1
        return error.item()


def train_model(data: Dataset, run: Path, s: Settings) -> tuple[UNet, TextEncoder]:
    path = run / "model.pt"
    torch.manual_seed(s.seed)
    encoder = TextEncoder(vocabulary())
    unet, losses = UNet(), TextLosses(encoder.width)
    stored = torch.load(path) if path.exists() else None
    if stored is None:
        train_text(data, encoder, losses, s)
    training = JointTraining(data, unet, encoder, losses, s)
    if stored is not None:
        training.load(stored)
    mean = 1.0
    for _ in (bar := trange(training.done, s.steps, initial=training.done, total=s.steps, desc="model", mininterval=5)):
        mean += 0.01 * (training.step() - mean)
        bar.set_postfix(loss=f"{mean:.4f}", refresh=False)
        if training.done % SAVE_EVERY == 0 or training.done == s.steps:
            save(path, training.state())
    return training.average["unet"], training.average["text"]


def train_decoder(data: Dataset, run: Path, s: Settings) -> nn.Module:
    path = run / "decoder.pt"
    torch.manual_seed(s.seed)
    decoder = new_decoder().to(memory_format=torch.channels_last)
    average = copy.deepcopy(decoder).requires_grad_(False)
    optimizer = torch.optim.AdamW(decoder.parameters(), s.decoder_rate, betas=(0.9, 0.99), weight_decay=1e-4, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, s.decoder_rate, total_steps=s.decoder_steps, pct_start=0.08)
    parts = {"live": decoder, "average": average, "optimizer": optimizer, "schedule": schedule}
    done = 0
    if path.exists():
        stored = torch.load(path)
        done = stored["done"]
        for name, part in parts.items():
            part.load_state_dict(stored[name])
    for step in (bar := trange(done, s.decoder_steps, initial=done, total=s.decoder_steps, desc="decoder", mininterval=5)):
        reseed(s.seed + 2, step)
        target = data.pictures[torch.randint(len(data.pictures), (s.decoder_batch,))].float() / 255
        latents = encode(target)
        latents = latents + torch.randn_like(latents) * 0.06 * torch.rand(s.decoder_batch, 1, 1, 1)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            decoded = decoder(latents.to(memory_format=torch.channels_last))
        error = decoded.float() - target
        loss = error.abs().mean() + 2 * error.pow(2).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        weight = min(0.99, (step + 1) / (step + 10))
        torch._foreach_lerp_(list(average.parameters()), [p.detach() for p in decoder.parameters()], 1 - weight)
        bar.set_postfix(psnr=f"{-10 * error.pow(2).mean().log10().item():.1f}", refresh=False)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == s.decoder_steps:
            save(path, {name: part.state_dict() for name, part in parts.items()} | {"done": step + 1})
    return average


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("toyworld-run"), help="folder for the data and the state")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="where the trained weights go")
    options = parser.parse_args()
    settings = Settings()
    data = make_dataset(settings.pictures, settings.seed, options.run)
    unet, encoder = train_model(data, options.run, settings)
    decoder = train_decoder(data, options.run, settings)
    options.weights.mkdir(parents=True, exist_ok=True)
    save_file(half(unet), options.weights / "unet.safetensors")
    text = half(encoder) | {"vocabulary": torch.tensor(encoder.vocabulary, dtype=torch.int32)}
    save_file(text, options.weights / "text_encoder.safetensors")
    save_file(half(decoder), options.weights / "decoder.safetensors")
    print(f"Trained weights are in {options.weights}. Next: `make env` builds the checkpoint from them.")


if __name__ == "__main__":
    main()
