"""What lies on the sockets: the host's real objects with tiny random weights, those that fit together and others.

Made once for all examples: no example may change them, which `bar` looks after.
"""

import functools
from dataclasses import dataclass, field, replace
from typing import Any

import comfy.hooks
import comfy.samplers
import comfy.sd
import comfy.supported_models
import torch
from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete
from host.models import tiny
from host.models.families import CASES
from host.models.tiny_diffusion import CONTEXT, clip, picture, prompt, randomise, tiny_model
from time_diffedit.diffedit_core.mask.heatmap import Heatmap
from time_diffedit.diffedit_core.repaint.crop import crop_around
from time_diffedit.nodes import DDIMInvert, MaskedLatentSampler
from time_diffedit.time_core.application.apply import apply_edit
from time_diffedit.time_core.application.hook import edit_hook
from time_diffedit.time_core.equations.equations import build_edit
from time_diffedit.time_core.equations.many_prompts import make_prior
from time_diffedit.time_core.equations.request import Request
from time_diffedit.time_core.prompts.pairs import Kept, Pair, Settings
from time_diffedit.time_core.prompts.text import TextReader

PIXELS = 64  # of a picture; its latent has 8 x 8 cells
KEYFRAMES = ((1.0, 0.0), (0.0, 0.5))  # (strength, start) of a scheduled hook


@dataclass(frozen=True)
class Pool:
    """Values of one socket type by what they are: `fitting` belong to each other, `others` are real and belong elsewhere."""

    fitting: dict[str, Any]
    others: dict[str, Any] = field(default_factory=dict)


@functools.cache
def pools() -> dict[str, Pool]:
    """By the host's name of the socket type."""
    with torch.inference_mode():
        return {
            "MODEL": Pool(models(), other_models()),
            "CLIP": Pool({"clip": clip()}, {"clip of width 768": tiny.clip(), "no text encoder": None}),
            "VAE": Pool({"vae": vae()}, {"no vae": None}),
            "CLIP_VISION": Pool(
                {"judge": tiny.clip_vision(projection_dim=CONTEXT)}, {"judge of width 768": tiny.clip_vision()}
            ),
            "CONDITIONING": Pool(prompts(), other_prompts()),
            "LATENT": Pool({"a picture": picture(), "two pictures": picture(2), "wide": picture(1, 4, 12)}, other_latents()),
            "IMAGE": Pool(pictures(), other_pictures()),
            "MASK": Pool(masks(), other_masks()),
            "SIGMAS": Pool({"levels": levels()}, other_sigmas()),
            "SAMPLER": Pool(samplers(), other_samplers()),
            "GUIDER": Pool(guiders(), other_guiders()),
            "HOOKS": Pool({"a hook": edit_hook(model(), edit())}, {"of another pack": comfy.hooks.HookGroup()}),
            "TRAJECTORY": Pool(trajectories(), other_trajectories()),
            "HEATMAP": Pool(heatmaps(), other_heatmaps()),
            "CROP": Pool(crops(), other_crops()),
            "TIME_EDIT": Pool({"roses": edit(), "several": several()}, other_edits()),
            "TIME_PRIOR": Pool({"prior": prior(clip())}, {"of width 768": prior(tiny.clip())}),
        }


# Two channels in each of the 32 groups that a U-Net normalises: with one, torch has no variance of a latent of a single cell.
# Published models have ten and more.
two_a_group = functools.partial(tiny_model, model_channels=64)


@functools.cache
def model() -> Any:
    return two_a_group()


def models() -> dict[str, Any]:
    return {"model": model(), "of its kind": two_a_group(seed=1), "edited": apply_edit(model(), edit())}


@functools.cache
def other_models() -> dict[str, Any]:
    overflowing, shouting = model().clone(), model().clone()
    overflowing.set_model_unet_function_wrapper(lambda apply, args: args["input"] * float("nan"))
    shouting.set_model_unet_function_wrapper(lambda apply, args: apply(args["input"], args["timestep"], **args["c"]) * 1e30)
    families = {case.name: case.model() for case in CASES if case.name in ("SDXL", "Flux", "Wan 2.1", "Stable Audio")}
    return {
        "gives NaN": overflowing,
        "gives 1e30": shouting,
        "v, zero terminal SNR": ModelSamplingDiscrete().patch(model(), "v_prediction", True)[0],
        "inpainting": two_a_group(in_channels=9),
        "reads a picture": two_a_group(config=comfy.supported_models.SD15_instructpix2pix, in_channels=8),
        "no model": None,
        **families,
    }


@functools.cache
def vae() -> comfy.sd.VAE:
    size = dict(double_z=True, z_channels=4, resolution=PIXELS, in_channels=3, out_ch=3, ch=32, dropout=0.0)
    config = {
        "params": {"ddconfig": {**size, "ch_mult": [1, 1, 1, 1], "num_res_blocks": 1, "attn_resolutions": []}, "embed_dim": 4}
    }
    from comfy.ldm.models.autoencoder import AutoencoderKL

    network = AutoencoderKL(**config["params"])
    randomise(network, seed=5)
    return comfy.sd.VAE(sd=network.state_dict(), config=config)


def seeded(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def prompts() -> dict[str, Any]:
    hooked = [[prompt(3)[0][0], {"pooled_output": None, "hooks": edit_hook(model(), edit())}]]
    part = {"pooled_output": None, "start_percent": 0.2, "end_percent": 0.7, "strength": 0.5}
    return {
        "a prompt": prompt(0),
        "another": prompt(1),
        "encoded": clip().encode_from_tokens_scheduled(clip().tokenize("a rose")),
        "of two": prompt(2) + prompt(3),
        "with a hook": hooked,
        "for some steps": [[prompt(4)[0][0], part]],
        "with an area": [[prompt(5)[0][0], {"area": (4, 4, 2, 2), "strength": 1.0}]],
    }


def other_prompts() -> dict[str, Any]:
    rows = prompt(0)[0][0]
    scheduled = edit_hook(model(), edit())
    group = comfy.hooks.HookKeyframeGroup()
    for strength, start in KEYFRAMES:
        group.add(comfy.hooks.HookKeyframe(strength=strength, start_percent=start))
    scheduled.set_keyframes_on_hooks(group)
    return {
        "no prompt": [],
        "no tokens": [[rows[:, :0], {}]],
        "of width 72": [[torch.ones(1, 7, CONTEXT + 8), {}]],
        "of width 0": [[rows[..., :0], {}]],
        "NaN": [[rows * float("nan"), {}]],
        "inf": [[rows.clone().fill_(float("inf")), {}]],
        "1e38": [[rows * 1e38, {}]],
        "half": [[rows.half(), {}]],
        "double": [[rows.double(), {}]],
        "whole numbers": [[(rows * 10).long(), {}]],
        "no batch": [[rows[0], {}]],
        "of three": [[rows.repeat(3, 1, 1), {}]],
        "one token": [[rows[:, :1], {}]],
        "a keyframed hook": [[rows, {"hooks": scheduled}]],
        "a mask": [[rows, {"mask": torch.rand(1, 8, 8), "set_area_to_bounds": True}]],
        "no text": [[None, {}]],
        "no prompt at all": None,
    }


def other_latents() -> dict[str, Any]:
    samples = picture()["samples"]
    return {
        "empty": {"samples": samples[:0]},
        "no channels": {"samples": samples[:, :0]},
        "no height": {"samples": samples[:, :, :0]},
        "NaN": {"samples": samples * float("nan")},
        "1e38": {"samples": samples * 1e37},
        "zeros": {"samples": samples * 0},
        "half": {"samples": samples.half()},
        "double": {"samples": samples.double()},
        "whole numbers": {"samples": (samples * 10).long()},
        "truth values": {"samples": samples > 0},
        "16 channels": {"samples": torch.ones(1, 16, 8, 8)},
        "a video": {"samples": torch.ones(1, 4, 3, 8, 8)},
        "three dimensions": {"samples": samples[0]},
        "odd": picture(1, 7, 5),
        "one cell": picture(1, 1, 1),
        "batch_index": {**picture(2), "batch_index": [5, 3]},
        "a short batch_index": {**picture(2), "batch_index": [5]},
        "noise_mask": {**picture(), "noise_mask": torch.zeros(1, 1, 8, 8)},
        "no samples": {},
        "a list": {"samples": [1.0, 2.0]},
        "no latent": None,
    }


def pictures() -> dict[str, Any]:
    grey = torch.full((1, PIXELS, PIXELS, 3), 0.5)
    return {
        "a picture": seeded(1, PIXELS, PIXELS, 3).sigmoid(),
        "grey": grey,
        "two": seeded(2, PIXELS, PIXELS, 3, seed=1).sigmoid(),
        "with alpha": seeded(1, PIXELS, PIXELS, 4).sigmoid(),
        "cropped": seeded(1, PIXELS + 5, PIXELS + 3, 3).sigmoid(),
    }


def other_pictures() -> dict[str, Any]:
    one = torch.full((1, 16, 16, 3), 0.5)
    return {
        "empty": one[:0],
        "no height": one[:, :0],
        "no channels": one[..., :0],
        "one channel": one[..., :1],
        "no batch": one[0],
        "a video": one[None],
        "NaN": one * float("nan"),
        "inf": one.clone().fill_(float("inf")),
        "1e38": one * 1e38,
        "negative": -one,
        "half": one.half(),
        "double": one.double(),
        "bytes": (one * 255).byte(),
        "truth values": one > 0,
        "one pixel": one[:, :1, :1],
        "a line": one[:, :1],
        "small": one,
        "seven": one.repeat(7, 1, 1, 1),
        "five channels": torch.ones(1, 16, 16, 5),
        "not contiguous": torch.ones(1, 3, 16, 16).movedim(1, -1),
        "no picture": None,
    }


def masks() -> dict[str, Any]:
    half = torch.zeros(1, PIXELS, PIXELS)
    half[:, : PIXELS // 2] = 1
    return {"half": half, "all": torch.ones(1, PIXELS, PIXELS), "soft": torch.linspace(0, 1, PIXELS).expand(1, PIXELS, PIXELS)}


def other_masks() -> dict[str, Any]:
    one = torch.ones(1, PIXELS, PIXELS)
    return {
        "empty": one[:0],
        "no height": one[:, :0],
        "nothing": one * 0,
        "NaN": one * float("nan"),
        "above 1": one * 2,
        "below 0": -one,
        "half": one.half(),
        "double": one.double(),
        "bytes": one.byte(),
        "truth values": one > 0,
        "no batch": one[0],
        "with a channel": one[:, None],
        "three channels": one[:, None].expand(1, 3, -1, -1),
        "two": one.repeat(2, 1, 1),
        "seven": one.repeat(7, 1, 1),
        "one pixel": one[:, :1, :1],
        "wide": torch.cat([one, one * 0], dim=-1),
        "five dimensions": one[None, None],
        "no mask": None,
    }


def levels() -> torch.Tensor:
    return comfy.samplers.calculate_sigmas(model().get_model_object("model_sampling"), "normal", 4)


def other_sigmas() -> dict[str, Any]:
    normal = levels()
    return {
        "empty": normal[:0],
        "one": normal[:1],
        "ascending": normal.flip(0),
        "not down to 0": normal[:-1],
        "NaN": normal * float("nan"),
        "inf": normal * float("inf"),
        "too high": normal * 10,
        "equal": normal * 0 + 1,
        "zeros": normal * 0,
        "negative": -normal,
        "the low part": normal[2:],
        "two dimensions": normal[None],
        "a number": normal[0],
        "half": normal.half(),
        "double": normal.double(),
        "whole numbers": normal.long(),
        "none": None,
    }


def samplers() -> dict[str, Any]:
    return {name: comfy.samplers.sampler_object(name) for name in ("euler", "heun", "dpmpp_2m")}


def other_samplers() -> dict[str, Any]:
    names = ("ddpm", "dpm_adaptive", "dpmpp_sde", "uni_pc", "lcm", "euler_cfg_pp", "dpm_fast", "ddim")
    masked = MaskedLatentSampler.execute(model(), trajectory()).result[0]
    return {name: comfy.samplers.sampler_object(name) for name in names} | {"a masked sampler": masked, "no sampler": None}


def guider(of: Any, positive: list, negative: list | None, cfg: float) -> comfy.samplers.CFGGuider:
    made = comfy.samplers.CFGGuider(of)
    if negative is None:
        made.inner_set_conds({"positive": positive})
    else:
        made.set_conds(positive, negative)
    made.set_cfg(cfg)
    return made


def guiders() -> dict[str, Any]:
    return {"cfg": guider(model(), prompt(0), prompt(1), 3.0), "basic": guider(model(), prompt(0), None, 1.0)}


def other_guiders() -> dict[str, Any]:
    others = other_models()
    return {
        "cfg NaN": guider(model(), prompt(0), prompt(1), float("nan")),
        "cfg 1e30": guider(model(), prompt(0), prompt(1), 1e30),
        "prompt of another width": guider(model(), other_prompts()["of width 72"], prompt(1), 3.0),
        "prompt NaN": guider(model(), other_prompts()["NaN"], prompt(1), 3.0),
        "model gives NaN": guider(others["gives NaN"], prompt(0), prompt(1), 3.0),
        "another model": guider(others["SDXL"], prompt(0), prompt(1), 3.0),
        "no prompts": comfy.samplers.CFGGuider(model()),
        "no guider": None,
    }


def crops() -> dict[str, Any]:
    half, whole = masks()["half"], (PIXELS, PIXELS)
    return {
        "of the upper half": crop_around(half, whole, 0.0, PIXELS),
        "of both halves": crop_around(torch.cat([half, half.flip(1)]), whole, 0.0, PIXELS),
    }


def other_crops() -> dict[str, Any]:
    larger = torch.ones(1, 2 * PIXELS, 2 * PIXELS)
    return {"of a larger picture": crop_around(larger, (2 * PIXELS, 2 * PIXELS), 0.0, PIXELS), "no crop": None}


@functools.cache
def trajectory(method: str = "ddim", latent: str = "a picture", of: str = "model") -> Any:
    latents = {"a picture": picture(), "two pictures": picture(2), "odd": picture(1, 7, 5)}
    return DDIMInvert.execute(
        model() if of == "model" else other_models()[of], latents[latent], 5, 0.8, 1.0, {"method": method}, positive=prompt(0)
    ).result[1]


def trajectories() -> dict[str, Any]:
    return {"ddim": trajectory(), "o-belm": trajectory("o-belm"), "ddpm": trajectory("ddpm")}


def other_trajectories() -> dict[str, Any]:
    return {
        "two pictures": trajectory(latent="two pictures"),
        "odd": trajectory(latent="odd"),
        "of v": trajectory(of="v, zero terminal SNR"),
        "no trajectory": None,
    }


def heatmaps() -> dict[str, Any]:
    return {"heat": Heatmap(seeded(1, 1, 8, 8).abs() * 0.1), "of two": Heatmap(seeded(1, 2, 8, 8).abs() * 0.1)}


def other_heatmaps() -> dict[str, Any]:
    heat = seeded(1, 1, 8, 8).abs()
    return {
        "zeros": Heatmap(heat * 0),
        "equal": Heatmap(heat * 0 + 1),
        "1e30": Heatmap(heat * 1e30),
        "1e-30": Heatmap(heat * 1e-30),
        "one cell": Heatmap(heat[..., :1, :1]),
        "one hot cell": Heatmap((heat == heat.max()).float()),
        "two pairs": Heatmap(heat.repeat(2, 1, 1, 1)),
        "a video": Heatmap(seeded(1, 1, 3, 4, 4).abs(), 8, 4),
        "cells of 16": Heatmap(heat, 16),
        "no heat map": None,
    }


def request(*pairs: Pair, **settings) -> Request:
    return Request(pairs, (Kept("a tree"),), Settings(**settings))


ROSES = Pair("A pack of roses", "A pack of blue roses")


@functools.cache
def edit() -> Any:
    return build_edit(TextReader(clip()), request(ROSES))


def several() -> Any:
    return build_edit(TextReader(clip()), request(ROSES, Pair("a dog", "a [red] dog", 2.0), augmentations=("A photo of",)))


def other_edits() -> dict[str, Any]:
    made = edit()
    return {
        "of width 768": build_edit(TextReader(tiny.clip()), request(ROSES)),
        "of keys": build_edit(TextReader(clip()), request(ROSES, edit_values=False)),
        "of a layer": build_edit(TextReader(clip()), request(ROSES, layers="middle")),
        "of no such layer": build_edit(TextReader(clip()), request(ROSES, layers="90-99")),
        "large": replace(made, left=made.left * 1e18, right=made.right * 1e18),
        "no edit": None,
    }


def prior(encoder: Any) -> Any:
    return make_prior(TextReader(encoder), ("a cup on a table", "a red car", "a dog in a garden"))
