"""Train the natural world's model. Interrupted, it goes on where it stopped; each part is kept when done.

Parts: the autoencoder; text encoder and picture encoder by contrast; U-Net and text encoder together, by denoising and
contrast. No loss shapes directions of the text rows, and no row is dropped: a caption is dropped as a whole or not at all.
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

from toyworld.train import TIMESTEPS, alphas_cumprod, half, reseed, save  # noqa: E402
from toyworld.unet import UNet  # noqa: E402

from .autoencoder import Autoencoder, psnr  # noqa: E402
from .contrast import CaptionEncoder, Contrast  # noqa: E402
from .training_data import TrainingData, make_training_data  # noqa: E402
from .words import vocabulary  # noqa: E402

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Settings:
    """Steps are guesses until a step has been timed on the machine that trains."""

    pictures: int = 24000
    autoencoder_steps: int = 3000
    autoencoder_batch: int = 8
    autoencoder_rate: float = 1.5e-3
    contrast_steps: int = 3000
    contrast_batch: int = 128
    contrast_rate: float = 8e-4
    steps: int = 16000
    batch: int = 32
    unet_rate: float = 1e-3
    text_rate: float = 3e-4
    contrast_weight: float = 0.02
    empty_share: float = 0.1
    warm_up: int = 200
    average: float = 0.999
    save_every: int = 250
    seed: int = 17


class Part:
    """Networks that are learned together, their optimizer, and slow averages of those that are shipped.

    Kept in one file every `save_every` steps; a part that is loaded goes on as if it had never stopped.
    """

    def __init__(self, file: Path, live: nn.ModuleDict, shipped: tuple[str, ...], rates: dict[str, float], s: Settings):
        self.file, self.live, self.rates, self.s, self.done = file, live, rates, s, 0
        self.average = copy.deepcopy(nn.ModuleDict({name: live[name] for name in shipped})).requires_grad_(False)
        groups = [{"params": list(live[name].parameters()), "rate": rate} for name, rate in rates.items()]
        self.optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), weight_decay=0.01)
        if file.exists():
            stored = torch.load(file)
            self.done = stored.pop("done")
            for name, state in stored.items():
                getattr(self, name).load_state_dict(state)

    def keep(self) -> None:
        state = {name: getattr(self, name).state_dict() for name in ("live", "average", "optimizer")}
        save(self.file, state | {"done": self.done})

    def learn(self, loss: torch.Tensor, steps: int) -> None:
        """One step down `loss`: cosine rate after a warm-up, clipped gradients."""
        pace = min(1, (self.done + 1) / self.s.warm_up) * (0.02 + 0.49 * (1 + math.cos(math.pi * self.done / steps)))
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * pace
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.live.parameters(), 1.0)
        self.optimizer.step()
        weight = min(self.s.average, (self.done + 1) / (self.done + 20))
        live = [parameter for name in self.average for parameter in self.live[name].parameters()]
        torch._foreach_lerp_(list(self.average.parameters()), live, 1 - weight)
        self.done += 1

    def run(self, name: str, steps: int, loss_of_step) -> None:
        """Learn up to `steps`; `loss_of_step()` gives the loss and a number to show."""
        mean = None
        for _ in (bar := trange(self.done, steps, initial=self.done, total=steps, desc=name, mininterval=5)):
            reseed(self.s.seed, self.done)
            loss, shown = loss_of_step()
            self.learn(loss, steps)
            mean = shown if mean is None else mean + 0.02 * (shown - mean)
            bar.set_postfix(mean=f"{mean:.4f}", refresh=False)
            if self.done % self.s.save_every == 0 or self.done == steps:
                self.keep()


def train_autoencoder(data: TrainingData, run: Path, s: Settings) -> Autoencoder:
    torch.manual_seed(s.seed)
    live = nn.ModuleDict({"autoencoder": Autoencoder()})
    part = Part(run / "autoencoder.pt", live, ("autoencoder",), {"autoencoder": s.autoencoder_rate}, s)

    def loss():
        pictures = data.batch(torch.randint(len(data.caption), (s.autoencoder_batch,)))
        total, squared = live["autoencoder"].loss(pictures)
        return total, psnr(squared)

    part.run("autoencoder", s.autoencoder_steps, loss)
    return part.average["autoencoder"]


@torch.no_grad()
def encode_all(data: TrainingData, autoencoder: Autoencoder, batch: int = 32) -> torch.Tensor:
    """Latents (n, 4, h, w) of all pictures."""
    parts = torch.arange(len(data.caption)).split(batch)
    return torch.cat([autoencoder.encoder(data.batch(part)) for part in parts])


def new_text_parts(s: Settings) -> nn.ModuleDict:
    torch.manual_seed(s.seed)
    encoder = CaptionEncoder(vocabulary())
    return nn.ModuleDict({"text": encoder, "contrast": Contrast(encoder.width)})


def contrast_loss(live: nn.ModuleDict, data: TrainingData, picked: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    captions = data.caption[picked]
    return live["contrast"](rows, data.ends[captions], captions, data.batch(picked))


def read(live: nn.ModuleDict, data: TrainingData, captions: torch.Tensor) -> torch.Tensor:
    """Rows of captions up to the longest one's end: causal, so what comes behind changes nothing."""
    return live["text"](data.ids[captions, : int(data.ends[captions].max()) + 1])


def train_contrast(data: TrainingData, run: Path, s: Settings) -> nn.ModuleDict:
    live = new_text_parts(s)
    part = Part(run / "contrast.pt", live, ("text", "contrast"), {"text": s.contrast_rate, "contrast": s.contrast_rate}, s)

    def loss():
        picked = torch.randint(len(data.caption), (s.contrast_batch,))
        total = contrast_loss(live, data, picked, read(live, data, data.caption[picked]))
        return total, total.item()

    part.run("contrast", s.contrast_steps, loss)
    return part.average


def train_model(data: TrainingData, latents: torch.Tensor, parts: nn.ModuleDict, run: Path, s: Settings) -> nn.ModuleDict:
    """U-Net and text encoder by denoising, with CLIP's loss beside it, so that its meanings stay."""
    torch.manual_seed(s.seed)
    live = copy.deepcopy(parts).requires_grad_(True)
    live["unet"] = UNet(text=live["text"].width)
    rates = {"unet": s.unet_rate, "text": s.text_rate, "contrast": s.text_rate}
    part = Part(run / "model.pt", live, ("unet", "text"), rates, s)
    alphas = alphas_cumprod()

    def loss():
        picked = torch.randint(len(latents), (s.batch,))
        noised, noise, t = add_noise(latents[picked], alphas)
        rows = live["text"](data.ids[data.caption[picked]])
        empty = live["text"](data.ids[:1])
        dropped = torch.rand(s.batch) < s.empty_share
        predicted = live["unet"](noised, t, torch.where(dropped[:, None, None], empty, rows))
        error = (predicted - noise).pow(2).mean()
        return error + s.contrast_weight * contrast_loss(live, data, picked, rows), error.item()

    part.run("model", s.steps, loss)
    return part.average


def add_noise(latents: torch.Tensor, alphas: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Noised latents, the noise, and the timesteps, which are spread evenly over the batch."""
    n = len(latents)
    t = ((torch.arange(n) + torch.rand(n)) / n * TIMESTEPS).long().clamp(max=TIMESTEPS - 1)
    noise = torch.randn_like(latents)
    signal = alphas[t][:, None, None, None]
    return signal.sqrt() * latents + (1 - signal).sqrt() * noise, noise, t


def train(run: Path, s: Settings, workers: int = 1) -> nn.ModuleDict:
    """All parts; returns those that are shipped: autoencoder, unet, text."""
    data = make_training_data(run, s.pictures, workers=workers)
    autoencoder = train_autoencoder(data, run, s)
    latents = encode_all(data, autoencoder)
    parts = train_model(data, latents, train_contrast(data, run, s), run, s)
    return nn.ModuleDict({"autoencoder": autoencoder, **parts})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path(".cache/naturalworld/run"), help="folder for the data and the state")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="where the trained weights go")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw")
    options = parser.parse_args()
    parts = train(options.run, Settings(), options.workers)
    options.weights.mkdir(parents=True, exist_ok=True)
    words = {"vocabulary": torch.tensor(parts["text"].vocabulary, dtype=torch.int32)}
    save_file(half(parts["autoencoder"]), options.weights / "autoencoder.safetensors")
    save_file(half(parts["unet"]), options.weights / "unet.safetensors")
    save_file(half(parts["text"]) | words, options.weights / "text_encoder.safetensors")
    print(f"Trained weights are in {options.weights}.")


if __name__ == "__main__":
    main()
