"""Pictures to latents and back, both learned, in the layers of TAESD, which the host accepts as a checkpoint's VAE."""

import torch
import torch.nn.functional as F
from torch import nn

LATENT_NOISE = 0.06  # the decoder learns to bear as much, for sampled latents are never quite clean
SPREAD_WEIGHT = 0.02  # of the loss that keeps every latent channel near mean 0 and variance 1
REACH = 3.0  # TAESD's decoder bends latents beyond it


class Autoencoder(nn.Module):
    """`encoder`: (B, 3, H, W) in 0..1 to (B, 4, H/8, W/8); `decoder`: back."""

    def __init__(self):
        super().__init__()
        from comfy.taesd.taesd import Decoder, Encoder

        self.encoder, self.decoder = initialised(Encoder(4)), initialised(Decoder(4))
        last = self.decoder[len(self.decoder) - 1]
        last.weight.data.mul_(0.1)
        nn.init.constant_(last.bias, 0.7)

    def loss(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss to learn by, and the mean squared error of the decoded pictures."""
        latents = self.encoder(pictures)
        noised = latents + torch.randn_like(latents) * LATENT_NOISE * torch.rand(len(latents), 1, 1, 1, device=latents.device)
        error = self.decoder(noised) - pictures
        variance, mean = torch.var_mean(latents, (0, 2, 3))
        spread = (mean**2 + (variance - 1) ** 2).mean() + F.relu(latents.abs() - REACH).mean()
        return error.abs().mean() + 2 * error.pow(2).mean() + SPREAD_WEIGHT * spread, error.detach().pow(2).mean()


def initialised(network: nn.Module) -> nn.Module:
    """The host leaves weights as memory holds them; a residual branch begins small."""
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if name.endswith("conv.4"):
                layer.weight.data.mul_(0.1)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
            layer.requires_grad_(True)
    return network


def psnr(squared_error: float | torch.Tensor) -> float:
    """Decibels of a mean squared error of pictures in 0..1."""
    return float(-10 * torch.as_tensor(squared_error).log10())
