"""Train the natural world's model. Interrupted, it goes on where it stopped; each part is kept when done.

Parts: the autoencoder; text encoder and picture encoder by contrast; U-Net and text encoder together, by denoising and
contrast. No loss shapes directions of the text rows, and no row is dropped: a caption is dropped as a whole or not at all.
"""

import argparse
import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from tools.comfyui.library import load_host

load_host()

from toyworld.text_encoder import POSITIONS  # noqa: E402
from toyworld.train import TIMESTEPS, alphas_cumprod, half  # noqa: E402
from toyworld.unet import UNet  # noqa: E402

from .autoencoder import Autoencoder  # noqa: E402
from .build import load_autoencoder, load_parts  # noqa: E402
from .contrast import OWN_POSITIONS, CaptionEncoder, Contrast  # noqa: E402
from .draw import SIZE  # noqa: E402
from .network import new_unet  # noqa: E402
from .part import Course, Part  # noqa: E402
from .training_data import Drawing, TrainingData, as_floats  # noqa: E402
from .words import END, vocabulary  # noqa: E402

WEIGHTS = Path(__file__).parent / "weights"
FIRST_PICTURES = 8000  # that are drawn before anything learns from them


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
    empty_share: float = 0.1
    most_weight: float = 5.0  # of the signal-to-noise ratio in the loss
    seed: int = 17
    device: str = "cpu"


def on_gpu(minutes: float) -> Settings:
    """For a card that is lent for some minutes, with large batches in bfloat16."""
    seconds = 60 * minutes
    return Settings(
        pictures=160_000,
        autoencoder=Course(batch=64, rate=1e-3, seconds=0.21 * seconds, save_every=10**9),
        contrast=Course(batch=1024, rate=1e-3, seconds=0.09 * seconds, save_every=10**9),
        model=Course(batch=256, rate=1e-3, seconds=0.70 * seconds, warm_up=400, save_every=10**9),
        device="cuda",
    )


def fast(loss: Callable, s: Settings) -> Callable:
    """`loss` in bfloat16 and compiled where a card computes it."""
    if s.device == "cpu":
        return loss
    compiled = torch.compile(loss, dynamic=False)

    def autocast(*arguments):
        with torch.autocast("cuda", dtype=torch.bfloat16):
            return compiled(*arguments)

    return autocast


def train_autoencoder(drawing: Drawing, run: Path, s: Settings) -> Autoencoder:
    """Learns from the pictures that are drawn so far."""
    torch.manual_seed(s.seed)
    live = nn.ModuleDict({"autoencoder": Autoencoder()}).to(s.device, memory_format=torch.channels_last)
    part = Part(run / "autoencoder.pt", live, ("autoencoder",), s.autoencoder)

    def loss():
        picked = torch.randint(drawing.drawn, (s.autoencoder.batch,))
        pictures = as_floats(drawing.pictures[picked].to(s.device)).contiguous(memory_format=torch.channels_last)
        with torch.autocast(s.device, dtype=torch.bfloat16, enabled=s.device == "cuda"):
            total, squared = live["autoencoder"].loss(pictures)
        return total, -10 * squared.log10()

    part.run("autoencoder, dB", s.seed, loss)
    return part.average["autoencoder"]


@torch.no_grad()
def encode_all(data: TrainingData, autoencoder: Autoencoder, batch: int = 32) -> torch.Tensor:
    """Latents (n, 4, h, w) of all pictures."""
    device = data.caption.device
    parts = torch.arange(len(data.caption), device=device).split(batch)
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
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

    def compute(ids, ends, captions, pictures):  # rows behind a caption's end change nothing: the encoder is causal
        return live["contrast"](live["text"](ids), ends, captions, pictures)

    loss_of = fast(compute, s)

    def loss():
        picked = torch.randint(len(data.caption), (s.contrast.batch,), device=s.device)
        captions = data.caption[picked]
        total = loss_of(data.ids[captions, :OWN_POSITIONS], data.ends[captions], captions, data.batch(picked))
        return total, total

    part.run("contrast", s.seed, loss)
    return part.average


def model_loss(live: nn.ModuleDict, s: Settings) -> Callable:
    """The loss of the last part as a function of tensors alone: (loss, squared error of the noise).

    Weights of min(SNR, 5) / SNR (Hang et al., 2023): the loss of nearly clean pictures does not drown the others.
    """
    weight_of = alphas_cumprod().to(s.device)
    weight_of = (s.most_weight * (1 - weight_of) / weight_of).clamp(max=1)
    alphas = alphas_cumprod().to(s.device)

    def compute(latents, t, ids, empty_ids, dropped, ends, captions, pictures):
        noise = torch.randn_like(latents)
        signal = alphas[t][:, None, None, None]
        noised = signal.sqrt() * latents + (1 - signal).sqrt() * noise
        rows = live["text"](ids)
        read = torch.where(dropped[:, None, None], live["text"](empty_ids), rows)
        error = (live["unet"](noised, t, read).float() - noise).pow(2).mean((1, 2, 3))
        n = len(pictures)
        contrast = live["contrast"](rows[:n], ends[:n], captions[:n], pictures)
        return (weight_of[t] * error).mean() + s.contrast_weight * contrast, error.mean()

    return compute


def train_model(
    data: TrainingData, latents: torch.Tensor, parts: nn.ModuleDict, run: Path, s: Settings, unet: UNet | None = None
) -> nn.ModuleDict:
    """U-Net and text encoder by denoising, with CLIP's loss beside it, so that its meanings stay."""
    torch.manual_seed(s.seed)
    live = copy.deepcopy(parts)
    live["unet"] = (unet or new_unet(live["text"].width)).to(s.device)
    live.requires_grad_(True)
    rates = {"text": s.text_rate, "contrast": s.text_rate}
    part = Part(run / "model.pt", live, ("unet", "text"), s.model, rates)
    loss_of = fast(model_loss(live, s), s)
    n = s.model.batch
    told = max(2, round(n * s.contrast_share))

    def loss():
        picked = torch.randint(len(latents), (n,), device=s.device)
        captions = data.caption[picked]
        spread = (torch.arange(n, device=s.device) + torch.rand(n, device=s.device)) / n  # evenly over the batch
        t = (spread * TIMESTEPS).long().clamp(max=TIMESTEPS - 1)
        dropped = torch.rand(n, device=s.device) < s.empty_share
        pictures = data.batch(picked[:told])
        return loss_of(latents[picked], t, data.ids[captions], data.ids[:1], dropped, data.ends[captions], captions, pictures)

    part.run("model", s.seed, loss)
    return part.average


def train(run: Path, weights: Path, s: Settings, workers: int = 1, further: bool = False) -> None:
    """All parts; those that are shipped go to the folder `weights` as soon as they are done.

    `further`: the weights there learn on, with their autoencoder as it is.
    """
    drawing = Drawing(run, s.pictures, workers=workers)
    if further:
        autoencoder = load_autoencoder(weights).to(s.device)
        unet, text = load_parts(weights)
    else:
        drawing.wait_for(min(FIRST_PICTURES, s.pictures))
        autoencoder, unet, text = train_autoencoder(drawing, run, s), None, None
        store(weights / "autoencoder.safetensors", half(autoencoder))
    data = drawing.finished(s.device)
    latents = encode_all(data, autoencoder, 8 * s.autoencoder.batch)
    print(f"latents: mean {latents.mean((0, 2, 3)).tolist()}, deviation {latents.std((0, 2, 3)).tolist()}", flush=True)
    parts = train_model(data, latents, train_contrast(data, run, s, text), run, s, unet)
    words = {"vocabulary": torch.tensor(parts["text"].vocabulary, dtype=torch.int32)}
    store(weights / "unet.safetensors", half(parts["unet"]))
    store(weights / "text_encoder.safetensors", half(parts["text"]) | words)


def rehearse(run: Path, s: Settings) -> None:
    """Some steps of what is compiled, on noise: the compiler's work is done, and kept, while pictures are still drawn."""
    few = {name: replace(getattr(s, name), seconds=0, steps=3) for name in ("contrast", "model")}
    n = 2 * s.contrast.batch
    texts = torch.full((n, POSITIONS), END, device=s.device)
    numbers = torch.arange(n, device=s.device)
    pictures = torch.zeros(n, SIZE, SIZE, 3, dtype=torch.uint8, device=s.device)
    data = TrainingData(pictures, [], texts, torch.ones_like(numbers), numbers, None)
    latents = torch.randn(n, 4, SIZE // 8, SIZE // 8, device=s.device)
    s = replace(s, **few)
    train_model(data, latents, train_contrast(data, run / "rehearsal", s), run / "rehearsal", s)


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
    parser.add_argument("--rehearse", action="store_true", help="only compile for the card, beside a run that still draws")
    options = parser.parse_args()
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    settings = on_gpu(options.gpu_minutes) if options.gpu_minutes else Settings()
    if options.pictures:
        settings = replace(settings, pictures=options.pictures)
    if options.rehearse:
        return rehearse(options.run, settings)
    train(options.run, options.weights, settings, options.workers, options.further)
    print(f"Trained weights are in {options.weights}.")


if __name__ == "__main__":
    main()
