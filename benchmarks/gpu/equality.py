"""That a configuration gives what the CPU gives in float32, from the same file: K and V, a model call, a heat map.

All of it with one edit and one encoding of the prompts, those of the CPU, so that a difference is of the model alone; how the
card's own encoding differs is told beside it. Errors are norms of differences, relative to the norm of what the CPU gives.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import comfy.model_management
import comfy.sample
import comfy.samplers
import comfy.utils
import torch
from safetensors.torch import load_file, save_file

from time_core.application.apply import apply_edit
from time_core.reading.projections import cross_attention

from .bounds import CALL, EDITED_CALL, HEAT_MAP, K_AND_V, TEXT
from .measures import SOURCE, TARGET, Bench

SIGMA = 5.0  # of the noise in the model call
MAPS = 2
ROWS, POOLED, PROJECTION = "rows/", "pooled/", "projection/"
PLAIN, EDITED, HEAT = "plain", "edited", "heat"
FACTORS = ("left", "right")

Tensors = dict[str, torch.Tensor]


def write_reference(bench: Bench, path: Path) -> None:
    """What the CPU gives, and what it was made from."""
    save_file(signals(bench, prompts_of(bench), bench.edit), path)


def against_reference(bench: Bench, path: Path) -> dict[str, float]:
    """Errors of this configuration by what is compared, and how much the edit changes the model's prediction."""
    wanted = load_file(path)
    edit = replace(bench.edit, **{name: wanted[name] for name in FACTORS})
    found = signals(bench, wanted, edit)
    own = prompts_of(bench)
    compared = {
        K_AND_V: max(relative(found[name], wanted[name]) for name in wanted if name.startswith(PROJECTION)),
        CALL: relative(found[PLAIN], wanted[PLAIN]),
        EDITED_CALL: relative(found[EDITED], wanted[EDITED]),
        HEAT_MAP: relative(found[HEAT], wanted[HEAT]),
        TEXT: relative(own[ROWS + TARGET], wanted[ROWS + TARGET]),
    }
    return compared | {"edit": relative(wanted[EDITED], wanted[PLAIN])}


def relative(found: torch.Tensor, wanted: torch.Tensor) -> float:
    found, wanted = found.double().cpu(), wanted.double().cpu()
    return ((found - wanted).norm() / wanted.norm()).item()


def prompts_of(bench: Bench) -> Tensors:
    """The encodings of both prompts, as tensors by name."""
    found = {}
    for text in (SOURCE, TARGET):
        rows, extras = bench.texts[text][0]
        found[ROWS + text] = rows.float().cpu().contiguous()
        if extras.get("pooled_output") is not None:
            found[POOLED + text] = extras["pooled_output"].float().cpu().contiguous()
    return found


def signals(bench: Bench, prompts: Mapping[str, torch.Tensor], edit) -> Tensors:
    """What the model makes of these prompts and this edit, with all that it was made from. On the CPU, in float32."""
    kept = {name: value for name, value in prompts.items() if name.startswith((ROWS, POOLED))}
    texts = {text: [[kept[ROWS + text], {"pooled_output": kept.get(POOLED + text)}]] for text in (SOURCE, TARGET)}
    edited = apply_edit(bench.model, edit, route="weights")
    latent = bench.latent | {"samples": bench.latent["samples"].clone()}
    sides = {"source": texts[SOURCE], "target": texts[TARGET]}
    heat = bench.run("DiffEditMask", {"maps": MAPS}, model=bench.model, latent=latent, clip=bench.clip, **sides)[1].values
    plain = model_call(bench.model, latent["samples"], texts[TARGET])
    found = {HEAT: heat, PLAIN: plain, EDITED: model_call(edited, latent["samples"], texts[TARGET])}
    found |= projected(edited, kept[ROWS + TARGET])
    found = {name: value.float().cpu().contiguous() for name, value in found.items()}
    return found | kept | {name: getattr(edit, name).contiguous() for name in FACTORS}


def model_call(model, like: torch.Tensor, text: list) -> torch.Tensor:
    """The noise that one call of the model predicts: one step of the host's euler from SIGMA to 0."""
    latent = torch.zeros_like(like)
    noise = comfy.sample.prepare_noise(latent, 1)
    sampler, sigmas = comfy.samplers.sampler_object("euler"), torch.tensor([SIGMA, 0.0])
    clean = comfy.sample.sample_custom(model, noise, 1.0, sampler, sigmas, text, text, latent, disable_pbar=True, seed=1)
    return noise - model.model.process_latent_in(clean.float().cpu()) / SIGMA


def projected(model, text: torch.Tensor) -> Tensors:
    """What each key and value projection that reads text makes of it, by its own forward pass on the loaded model."""
    comfy.model_management.load_models_gpu([model])
    rows = text.to(model.load_device, model.model.get_dtype_inference())
    found = {}
    for projection in cross_attention(model).projections:
        layer = comfy.utils.get_attr(model.model, projection.name.removesuffix(".weight"))
        found[PROJECTION + projection.name] = layer(rows)
    return found
