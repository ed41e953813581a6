"""Train the natural world's model. Interrupted, it goes on where it stopped; each part is kept when done.

Parts: the autoencoder; text encoder and picture encoder by contrast; U-Net and text encoder together, by denoising and
contrast. No loss shapes directions of the text rows, and no row is dropped: a caption is dropped as a whole or not at all.
"""

import argparse
import copy
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from tools.comfyui.library import load_host

load_host()

from smallmodel.build import half  # noqa: E402
from smallmodel.training import TIMESTEPS, alphas_cumprod  # noqa: E402
from smallmodel.unet import UNet  # noqa: E402

from .autoencoder import Autoencoder  # noqa: E402
from .build import load_autoencoder, load_parts  # noqa: E402
from .contrast import OWN_POSITIONS, CaptionEncoder, Contrast  # noqa: E402
from .network import new_unet  # noqa: E402
from .part import Course, Part  # noqa: E402
from .training_data import TrainingData, make_training_data  # noqa: E402
from .words import vocabulary  # noqa: E402

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Settings:
    """`courses` are for two CPU cores; `on_gpu` gives those for a card."""

    pictures: int = 24000
    autoencoder: Course = Course(batch=8, rate=1.5e-3, steps=3000)
    contrast: Course = Course(batch=128, rate=8e-4, steps=3000)
    model: Course = Course(batch=32, rate=1e-3, steps=16000)
    text_rate: float = 0.3  # of the model's rate
    contrast_weight: float = 0.02
    contrast_share: float = 0.5  # of the batch that denoises
    share_of_two: float = 0.3  # of a batch that is picked among pictures of two things, beside those picked among all
    empty_share: float = 0.1
    most_weight: float = 5.0  # of the signal-to-noise ratio in the loss
    seed: int = 17
    device: str = "cpu"


def on_gpu(minutes: float) -> Settings:
    """For a card that is lent for some minutes, with larger batches in bfloat16."""
    seconds = 60 * minutes
    return Settings(
        pictures=160_000,
        autoencoder=Course(batch=32, rate=1e-3, seconds=0.33 * seconds, save_every=10**9),
        contrast=Course(batch=1024, rate=1e-3, seconds=0.03 * seconds, save_every=10**9),
        model=Course(batch=256, rate=1e-3, seconds=0.64 * seconds, warm_up=400, save_every=10**9),
        device="cuda",
    )


def half_precision(device: torch.device) -> torch.autocast:
    """bfloat16 where a card computes."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda")


def train_autoencoder(data: TrainingData, run: Path, s: Settings, autoencoder: Autoencoder | None = None) -> Autoencoder:
    """One that has learned already learns on."""
    torch.manual_seed(s.seed)
    live = nn.ModuleDict({"autoencoder": (autoencoder or Autoencoder()).requires_grad_(True)})
    live.to(s.device, memory_format=torch.channels_last)
    part = Part(run / "autoencoder.pt", live, ("autoencoder",), s.autoencoder)

    def loss():
        picked = torch.randint(len(data.caption), (s.autoencoder.batch,), device=data.caption.device)
        pictures = data.batch(picked).contiguous(memory_format=torch.channels_last)
        with half_precision(data.caption.device):
            total, squared = live["autoencoder"].loss(pictures)
        return total, -10 * squared.log10()

    part.run("autoencoder, dB", s.seed, loss)
    return part.average["autoencoder"]


@torch.no_grad()
def encode_all(data: TrainingData, autoencoder: Autoencoder, batch: int = 32) -> torch.Tensor:
    """Latents (n, 4, h, w) of all pictures."""
    parts = torch.arange(len(data.caption), device=data.caption.device).split(batch)
    with half_precision(data.caption.device):
        return torch.cat([autoencoder.encoder(data.batch(part)).float() for part in parts])


def new_text_parts(s: Settings) -> nn.ModuleDict:
    torch.manual_seed(s.seed)
    encoder = CaptionEncoder(vocabulary())
    return nn.ModuleDict({"text": encoder, "contrast": Contrast(encoder.width)}).to(s.device)


def train_contrast(data: TrainingData, run: Path, s: Settings, text: CaptionEncoder | None = None) -> nn.ModuleDict:
    """A `text` encoder that has learned already stays as it is: only what compares it with pictures is learned anew."""
    live, rates = new_text_parts(s), None
    if text is not None:
        live["text"], rates = text.to(s.device).requires_grad_(True), {"text": 0.0}
    part = Part(run / "contrast.pt", live, ("text", "contrast"), s.contrast, rates)

    def loss():
        picked = torch.randint(len(data.caption), (s.contrast.batch,), device=data.caption.device)
        captions = data.caption[picked]
        with half_precision(data.caption.device):
            rows = live["text"](data.ids[captions, :OWN_POSITIONS])  # the encoder is causal: none behind a caption's end counts
            total = live["contrast"](rows, data.ends[captions], captions, data.batch(picked))
        return total, total

    part.run("contrast", s.seed, loss)
    return part.average


def train_model(
    data: TrainingData, latents: torch.Tensor, parts: nn.ModuleDict, run: Path, s: Settings, unet: UNet | None = None
) -> nn.ModuleDict:
    """U-Net and text encoder by denoising, with CLIP's loss beside it, so that its meanings stay.

    Weights of min(SNR, 5) / SNR (Hang et al., 2023): the loss of nearly clean pictures does not drown the others.
    """
    torch.manual_seed(s.seed)
    live = copy.deepcopy(parts)
    live["unet"] = (unet or new_unet(live["text"].width)).to(s.device)
    live.requires_grad_(True)
    rates = {"text": s.text_rate, "contrast": s.text_rate}
    part = Part(run / "model.pt", live, ("unet", "text"), s.model, rates)
    alphas, n, device = alphas_cumprod().to(s.device), s.model.batch, data.caption.device
    weights = (s.most_weight * (1 - alphas) / alphas).clamp(max=1)
    told = max(2, round(n * s.contrast_share))
    two = data.with_two()

    def loss():
        picked = torch.randint(len(latents), (n,), device=device)
        if len(two):
            of_two = two[torch.randint(len(two), (n,), device=device)]
            picked = torch.where(torch.rand(n, device=device) < s.share_of_two, of_two, picked)
        captions = data.caption[picked]
        spread = (torch.arange(n, device=device) + torch.rand(n, device=device)) / n  # evenly over the batch
        t = (spread * TIMESTEPS).long().clamp(max=TIMESTEPS - 1)
        noise = torch.randn_like(latents[picked])
        signal = alphas[t][:, None, None, None]
        noised = signal.sqrt() * latents[picked] + (1 - signal).sqrt() * noise
        dropped = torch.rand(n, device=device) < s.empty_share
        with half_precision(device):
            rows = live["text"](data.ids[captions])
            read = torch.where(dropped[:, None, None], live["text"](data.ids[:1]), rows)
            error = (live["unet"](noised, t, read).float() - noise).pow(2).mean((1, 2, 3))
            contrast = live["contrast"](rows[:told], data.ends[captions[:told]], captions[:told], data.batch(picked[:told]))
        return (weights[t] * error).mean() + s.contrast_weight * contrast, error.mean()

    part.run("model", s.seed, loss)
    return part.average


def train(run: Path, weights: Path, s: Settings, workers: int = 1, further: bool = False) -> None:
    """All parts; those that are shipped go to the folder `weights` as soon as they are done.

    `further`: the weights there learn on.
    """
    data = make_training_data(run, s.pictures, workers=workers, device=s.device)
    autoencoder, unet, text = (load_autoencoder(weights), *load_parts(weights)) if further else (None, None, None)
    autoencoder = train_autoencoder(data, run, s, autoencoder)
    store(weights / "autoencoder.safetensors", half(autoencoder))
    latents = encode_all(data, autoencoder, 8 * s.autoencoder.batch)
    print(f"latents: mean {latents.mean((0, 2, 3)).tolist()}, deviation {latents.std((0, 2, 3)).tolist()}", flush=True)
    parts = train_model(data, latents, train_contrast(data, run, s, text), run, s, unet)
    words = {"vocabulary": torch.tensor(parts["text"].vocabulary, dtype=torch.int32)}
    store(weights / "unet.safetensors", half(parts["unet"]))
    store(weights / "text_encoder.safetensors", half(parts["text"]) | words)


def store(file: Path, tensors: dict[str, torch.Tensor]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.cpu() for name, tensor in tensors.items()}, file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path(".cache/naturalworld/run"), help="folder for the data and the state")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="where the trained weights go")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw")
    parser.add_argument("--gpu-minutes", type=float, default=0, help="train on a CUDA card for so long")
    parser.add_argument("--pictures", type=int, default=0, help="draw so many pictures")
    parser.add_argument("--further", action="store_true", help="go on from the weights that are there")
    parser.add_argument("--draw", action="store_true", help="only draw the pictures")
    options = parser.parse_args()
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    settings = on_gpu(options.gpu_minutes) if options.gpu_minutes else Settings()
    if options.pictures:
        settings = replace(settings, pictures=options.pictures)
    if options.draw:
        make_training_data(options.run, settings.pictures, workers=options.workers)
        return
    train(options.run, options.weights, settings, options.workers, options.further)
    print(f"Trained weights are in {options.weights}.")


if __name__ == "__main__":
    main()
