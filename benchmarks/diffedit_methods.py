"""Inversion methods: how well a picture comes back, against model calls."""

from collections.abc import Iterator

import torch
from time_diffedit.diffedit_core.repaint.masked_sampling import AS_INVERTED

from .diffedit_mixture import FAMILIES, Mixture, any_prompt, distance_from_solution, mixture_model
from .diffedit_nodes import PUBLISHED, DiffEditNodes, ModelCalls
from .diffedit_tasks import Task
from .picture_measures import psnr

REFINEMENTS = (1, 3, 8)
STEPS = (10, 20, 40)
STRENGTH = 0.8


def methods(nodes: dict) -> Iterator[tuple[str, dict]]:
    """Every method that DDIM Invert offers, by name, as its inputs."""
    offered = next(i for i in nodes["DDIMInvert"].define_schema().inputs if i.id == "method").options
    for method in offered:
        if method == "fixed point":
            for refinements in REFINEMENTS:
                yield f"fixed point, {refinements}", {"method": method, "refinements": refinements}
        else:
            yield method, {"method": method}


def on_the_toy_world(bench: DiffEditNodes, over: list[Task], inputs: dict, steps: int) -> dict[str, float]:
    """Invert and sample back under the source prompt, without guidance. Model calls are of one picture, both ways."""
    rows = []
    for task in over:
        counted = ModelCalls(bench.sampler.toy.model)
        there = DiffEditNodes(bench.sampler, bench.nodes, counted.model)
        latent = there.latent(task.pixels)
        trajectory = there.invert(latent, task.source, steps=steps, strength=STRENGTH, **inputs)
        back = there.sample(trajectory, task.source, cfg=1.0, sampler_name=AS_INVERTED)
        decoded, unedited = (bench.sampler.decode(z) for z in (back, latent["samples"]))
        rows.append((counted.rows, psnr(decoded, unedited), float((back - latent["samples"]).square().mean().sqrt())))
    calls, decibel, error = torch.tensor(rows, dtype=torch.float64).mean(0).tolist()
    return {"model calls": calls, "PSNR": decibel, "latent error": error}


def on_the_mixture(nodes: dict, family: str, inputs: dict, steps: int, cells: int = 16) -> dict[str, float]:
    """The same on the mixture of Gaussians, whose true noise is known, too. Errors in units of the model's latents."""
    mixture = Mixture()
    counted = ModelCalls(mixture_model(mixture, family))
    clean = mixture.draw(1, cells, cells).float()
    latent = {"samples": counted.model.model.process_latent_out(clean)}
    common = {"model": counted.model, "positive": any_prompt(), "negative": any_prompt()}
    invert = {**PUBLISHED["invert"], "steps": steps, "strength": STRENGTH, **inputs}
    trajectory = nodes["DDIMInvert"].execute(**common, latent=latent, **invert).result[1]
    sample = {**PUBLISHED["sample"], "cfg": 1.0, "sampler_name": AS_INVERTED}
    back = nodes["MaskedLatentSample"].execute(**common, trajectory=trajectory, **sample).result[0]["samples"]
    return {
        "model calls": counted.rows,
        "error back": float((counted.model.model.process_latent_in(back) - clean).square().mean().sqrt()),
        "error from the true noise": distance_from_solution(mixture, family, trajectory),
    }


__all__ = ["FAMILIES", "STEPS", "methods", "on_the_mixture", "on_the_toy_world"]
