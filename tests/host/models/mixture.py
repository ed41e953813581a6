"""A model whose denoiser is known in closed form: every latent cell is drawn from one mixture of Gaussians.

So the way from a picture to its noise has a true solution, to which an inversion can be compared. The model sits inside the
host's own model class, as noise prediction or as flow, and is asked through the nodes.
"""

import comfy.model_base
import comfy.model_patcher
import comfy.supported_models
import torch
from host.models.tiny_diffusion import CPU, UNET, prompt
from torch import nn

from benchmarks.hosts.inputs import execute

FAMILIES = {"noise prediction": comfy.model_base.ModelType.EPS, "flow": comfy.model_base.ModelType.FLOW}
CHANNELS = 4
COMPONENTS = 6
VARIANCE = 0.05


class Mixture:
    """Equally likely Gaussians of one variance, spread about like real latents. Float64."""

    def __init__(self, seed: int = 0):
        self._generator = torch.Generator().manual_seed(seed)
        self.centres = torch.randn(COMPONENTS, CHANNELS, generator=self._generator, dtype=torch.float64)

    def draw(self, *shape: int) -> torch.Tensor:
        """Pictures (B, 4, h, w)."""
        batch, height, width = shape
        chosen = torch.randint(COMPONENTS, shape, generator=self._generator)
        noise = torch.randn(batch, height, width, CHANNELS, generator=self._generator, dtype=torch.float64)
        return (self.centres[chosen] + VARIANCE**0.5 * noise).permute(0, 3, 1, 2)

    def slope(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """(x - denoised) / sigma for x (B, 4, h, w) = picture + sigma * noise, sigma (B,); 0 at sigma 0."""
        sigma = sigma.double().reshape(-1, 1, 1, 1, 1)
        offsets = x.double()[:, None] - self.centres[None, :, :, None, None]
        spread = VARIANCE + sigma**2
        shares = (-(offsets**2).sum(2, keepdim=True) / (2 * spread)).softmax(1)
        return (sigma / spread * shares * offsets).sum(1)

    def solution(self, clean: torch.Tensor, sigma: float, steps: int = 2000) -> torch.Tensor:
        """The state at `sigma` on the path from `clean`, in x = picture + sigma * noise.

        Runge-Kutta of fourth order over levels that lie closer together near the picture.
        """
        levels = sigma * torch.linspace(0, 1, steps + 1, dtype=torch.float64) ** 2
        x = clean.double()
        for low, high in zip(levels[:-1], levels[1:], strict=True):
            h = high - low
            k1 = self.slope(x, low)
            k2 = self.slope(x + h / 2 * k1, low + h / 2)
            k3 = self.slope(x + h / 2 * k2, low + h / 2)
            k4 = self.slope(x + h * k3, high)
            x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return x

    def distance_from_solution(self, family: str, trajectory) -> float:
        """Root mean square of the noisiest state against the true one, both scaled to variance 1."""
        level, clean, state = float(trajectory.sigmas[-1]), trajectory.states[0], trajectory.states[-1].double()
        if family == "flow":
            true = (1 - level) * self.solution(clean, level / (1 - level))
        else:
            true = self.solution(clean, level) / (1 + level**2) ** 0.5
            state = state / (1 + level**2) ** 0.5
        return float((state - true).square().mean().sqrt())


class MixtureNetwork(nn.Module):
    """What a trained network would predict, behind the call signature of the host's UNetModel."""

    def __init__(self, mixture: Mixture, sigmas: torch.Tensor, flow: bool):
        super().__init__()
        self.dtype = torch.float32
        self._mixture, self._sigmas, self._flow = mixture, sigmas, flow

    def forward(self, x, timesteps, context=None, control=None, transformer_options=None, **kwargs):
        if not self._flow:
            sigma = self._sigmas[timesteps.long()].double()[:, None, None, None]
            return self._mixture.slope(x * torch.sqrt(1 + sigma**2), sigma).float()
        t = (timesteps.double() / 1000).clamp(max=1 - 1e-6)[:, None, None, None]
        unit = x / (1 - t)
        noise = self._mixture.slope(unit, t / (1 - t))
        return (noise - (unit - t / (1 - t) * noise)).float()


class MixtureHost:
    """`model` predicts for `mixture` and reads no prompt, so any text is as good; for `editing.DiffEditNodes`."""

    def __init__(self, nodes: dict, mixture: Mixture, family: str):
        self.nodes = nodes
        model_type = FAMILIES[family]
        config = comfy.supported_models.SD15(dict(UNET))
        sigmas = comfy.model_base.model_sampling(config, model_type).sigmas

        def network(device=None, operations=None, **unet_config):
            return MixtureNetwork(mixture, sigmas, model_type == comfy.model_base.ModelType.FLOW)

        base = comfy.model_base.BaseModel(config, model_type=model_type, unet_model=network)
        self.model = comfy.model_patcher.ModelPatcher(base, load_device=CPU, offload_device=CPU)

    def conditioning(self, text: str) -> list:
        return prompt(0)

    def run(self, node_id: str, **inputs) -> tuple:
        return execute(self.nodes[node_id], inputs)
