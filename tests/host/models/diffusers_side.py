"""diffusers' StableDiffusionDiffEditPipeline with the toy world's model, to be measured beside the nodes."""

from types import SimpleNamespace

import torch
from diffusers import UNet2DConditionModel
from diffusers.utils import logging
from host.models import diffusers_diffedit
from host.models.diffusers_diffedit import embeddings, map_noise, pipeline_around

from benchmarks.hosts.library import LibraryHost

WIDTH = 768  # of SD 1.x text rows
MAPS, SEED = 10, 1


class DiffusersSide:
    """The pipeline's three methods, with its own defaults. Latents and text encodings come from the host on both sides.

    `rows`: the number of latents in each call of its UNet.
    """

    def __init__(self, host: LibraryHost, unet: torch.nn.Module):
        self.host = host
        self.rows: list[int] = []
        logging.set_verbosity_error()  # it says each time that it is deprecated
        unet.register_forward_pre_hook(lambda module, args: self.rows.append(len(args[0])))
        self.pipeline = pipeline_around(unet, WIDTH)

    def edit(
        self, latent: dict, source: str, target: str, invert_prompt: str, invert_guidance: float
    ) -> tuple[torch.Tensor, dict]:
        """Mask (1, H, W) and LATENT, at the defaults of the three methods but for the inversion's guidance."""
        model = self.host.model.model
        image = model.process_latent_in(latent["samples"])
        # Of the noises that DiffEdit Mask gives the first picture, so that chance does not part the two sides.
        noises = [map_noise(SEED, 0, k) for k in range(MAPS)]
        sides = self._texts(target, "target_") | self._texts(source, "source_")
        mask = torch.from_numpy(self.pipeline.generate_mask(image=image, **sides, generator=noises)).float()
        states = self.pipeline.invert(image=image, **self._texts(invert_prompt), guidance_scale=invert_guidance).latents
        samples = self.pipeline(
            **self._texts(target), mask_image=mask[:, None].clone(), image_latents=states, output_type="latent"
        ).images
        return mask.repeat_interleave(8, 1).repeat_interleave(8, 2), {"samples": model.process_latent_out(samples)}

    def _texts(self, prompt: str, prefix: str = "") -> dict[str, torch.Tensor]:
        return embeddings(self.host.conditioning(prompt), self.host.conditioning(""), prefix)


def unet_of(model) -> UNet2DConditionModel:
    """The checkpoint's weights in diffusers' own UNet."""
    unet = diffusers_diffedit.unet_of(
        model,
        sample_size=16,
        block_out_channels=(320, 320),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH,
    )
    return unet.eval().requires_grad_(False)


class NarrowUNet(torch.nn.Module):
    """A narrow toy model's own network behind the call signature of diffusers' UNet."""

    config = SimpleNamespace(in_channels=4, sample_size=16, _diffusers_version="0.42.1")
    device = torch.device("cpu")
    dtype = torch.float32

    def __init__(self, model):
        super().__init__()
        self.network = model.model.diffusion_model

    def forward(self, sample, timestep, encoder_hidden_states, cross_attention_kwargs=None) -> SimpleNamespace:
        return SimpleNamespace(sample=self.network(sample, timestep.expand(len(sample)), encoder_hidden_states))


def largest_difference(model, unet: torch.nn.Module, rows: torch.Tensor) -> float:
    """Of one noise prediction at timestep 481 by the host's model and by `unet`, as a share of its root mean square."""
    sigma = model.model.model_sampling.sigmas[481].reshape(1)
    x = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0)) * sigma
    ours = (x - model.model.apply_model(x, sigma, c_crossattn=rows)) / sigma
    theirs = unet(x / torch.sqrt(1 + sigma**2), torch.tensor(481), encoder_hidden_states=rows).sample
    return float((ours - theirs).abs().max() / theirs.square().mean().sqrt())
