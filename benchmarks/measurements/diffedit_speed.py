"""DiffEdit speed: the nodes against diffusers' StableDiffusionDiffEditPipeline, in one run; quality on both worlds.

Both sides get the same latents, text encodings and mask noises, run the same network on one thread, and hand back a mask and
an edited latent; encoding, decoding and loading are not timed. diffusers runs at the defaults of its three methods
(10 maps, 50 steps, strength 0.8, guidance 7.5 also while inverting, under the source prompt, as its documentation shows), and
once more inverting as the paper does: empty prompt, guidance 1. Seconds are those of the checkpoint, whose network is as wide
as its file says; quality is judged on more pictures with the narrow network inside both sides, which is the same function.
The settings are chosen on the natural world's validation pictures and on toy pictures of another seed.
"""

import time
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from naturalworld.edits import CELLS, NaturalEdit, natural_edit
from naturalworld.wordings import NaturalJudge
from toyworld.edited import mask_quality, outside_truth
from toyworld.edits import KINDS, ToyEdit, toy_edit

from tools.comfyui.environment import TOY_CHECKPOINT

from ..hosts.editing import DiffEditNodes, Settings
from ..hosts.inputs import run_node
from ..hosts.library import NATURAL, LibraryHost
from ..judges.natural_edits import judged
from ..judges.perceptual import BackgroundLpips
from ..judges.pixels import iou
from ..report.report import Target
from ..run.measurement import Workplace
from .evaluations import recommended
from .study import SEED, Numbers, Part, Study, Tables, seconds

COST_STEPS = 8
CFG = 7.5
MIB = 2**20
DIFFUSERS = "diffusers, its defaults"
GUIDED = {DIFFUSERS: CFG, "diffusers, inverting at guidance 1": 1.0}
"""By way, diffusers' guidance of the inversion."""
FEWER = "nodes, fewer steps"
RECOMMENDED = "nodes, recommended, 8 steps"
SETTINGS = [
    Settings("nodes, diffusers' settings", SEED, {}, SEED),
    Settings(FEWER, SEED, {"steps": 35}, SEED),
    recommended(RECOMMENDED, 8, maps=2),
]
WAYS = GUIDED | {settings.name: settings for settings in SETTINGS}
NETWORKS = ("the checkpoint's network", "the narrow network")
EDIT, COST, MEMORY, SAME = "mask + invert + sample", "seconds a model call", "trajectory", "the two sides"
ON_NATURAL = "the same on the natural world"
OURS, STOCK, MASKED = "Masked Latent Sample", "KSampler", "KSampler with a noise mask"
DIFFERENCE, LPIPS = "largest difference of one prediction", "background LPIPS"


class DiffEditSpeed(Study):
    """Speed and memory of the DiffEdit nodes against diffusers' pipeline, in one run."""

    name = "diffedit-speed"
    combine: ClassVar[Mapping] = dict.fromkeys(("seconds", "processor seconds", STOCK, MASKED, OURS, "ratio"), np.nanmedian)

    def parts(self) -> dict[str, Part]:
        judged, repetitions = self.few(24, 2), self.few(15, 3)
        changed = "; ".join(f"{s.name}: mask {s.mask}, invert {s.invert}" for s in SETTINGS)
        said = f"{2 * judged} pictures judged. Processor seconds are what a busy machine does not lengthen. {changed}."
        return {
            "same": Part(same_network, len(NETWORKS), "Of one noise prediction, as a share of its root mean square."),
            "times": Part(times, self.few(3, 2), alone=True),
            "calls": Part(calls),
            "quality": Part(partial(quality, judged), len(KINDS) * judged, said),
            "natural": Part(natural_quality, self.few(2 * len(CELLS), 2), "Test pictures, the narrow network."),
            "sampling": Part(sampling_cost, len(NETWORKS) * repetitions, "Medians, taking turns.", alone=True),
            "memory": Part(trajectory_memory, 2, "Of tiny models of the host's classes, on latents of the full size."),
        }

    def finished(self, tables: Tables) -> Tables:
        rows = tables.get(EDIT, {})
        whole = rows.get(DIFFUSERS, {}).get("seconds")
        for row in rows.values() if whole else ():
            row["of diffusers' time"] = row["seconds"] / whole
        return tables

    def targets(self, tables: Tables) -> list[Target]:
        edit, theirs = tables[EDIT], tables[EDIT][DIFFUSERS]
        found = []
        natural, more = tables[ON_NATURAL], ("told", "background PSNR", "mask IoU")
        for measure in more:
            ahead = natural[RECOMMENDED][measure] - natural[DIFFUSERS][measure]
            found.append(Target(f"{RECOMMENDED}, natural world: {measure} more than with diffusers", ahead, 0.0))
        for rows in (edit, natural):
            behind = rows[RECOMMENDED][LPIPS] - rows[DIFFUSERS][LPIPS]
            found.append(Target(f"{RECOMMENDED}: {LPIPS} more than with diffusers", behind, 0.0, at_most=True))
        for name, bound in ((FEWER, 0.6), (RECOMMENDED, 0.15)):
            ours, key = edit[name], "background latent error"
            found.append(Target(f"{name}: time against diffusers' defaults", ours["of diffusers' time"], bound, at_most=True))
            for measure in ("colour", "kind", "background PSNR", "mask IoU"):
                found.append(Target(f"{name}: {measure} more than with diffusers", ours[measure] - theirs[measure], 0.0))
            found.append(Target(f"{name}: {key} against diffusers'", ours[key] / theirs[key], 1.0, at_most=True))
        ratio = tables[COST][NETWORKS[0]]["ratio"]
        found.append(Target("Masked Latent Sample against KSampler, time of a model call", ratio, 1.03, at_most=True))
        for (name, row), bound in zip(tables[MEMORY].items(), (2.6, 29.0), strict=True):
            found.append(Target(f"trajectory of {name}, MiB", row["states, MiB"], bound, at_most=True))
        return found + [Target(f"{DIFFERENCE}, {name}", row[DIFFERENCE], 1e-4, True) for name, row in tables[SAME].items()]


def edited(way: str, nodes: DiffEditNodes, theirs: Any, latent: dict, edit: ToyEdit | NaturalEdit) -> tuple:
    """Mask and LATENT of one of the WAYS, by the nodes or by diffusers."""
    if way in GUIDED:
        source = edit.source if way == DIFFUSERS else ""
        return theirs.edit(latent, edit.source, edit.target, source, GUIDED[way])
    return nodes.edit(latent, edit.source, edit.target, WAYS[way], picture=nodes.host.drawn(edit.pixels))


def sides(worker: Workplace, network: str) -> tuple[LibraryHost, Any]:
    """The host and diffusers with one of the NETWORKS, each loaded once."""
    from host.models.diffusers_side import DiffusersSide, NarrowUNet, unet_of

    def load() -> tuple[LibraryHost, DiffusersSide]:
        if network != NETWORKS[0]:
            return worker.host, DiffusersSide(worker.host, NarrowUNet(worker.host.model))
        host = LibraryHost(TOY_CHECKPOINT, worker.host.sampling)
        return host, DiffusersSide(host, unet_of(host.model))

    return worker.cache(network, load)


def one_edit(subject: int, of_a_kind: int = 2) -> ToyEdit:
    """So many of the first kind, then those of the other."""
    return toy_edit(KINDS[subject // of_a_kind], subject % of_a_kind, seed=5)


def same_network(worker: Workplace, subject: int) -> Numbers:
    from host.models.diffusers_side import largest_difference

    host, unet = sides(worker, NETWORKS[0])[0], sides(worker, NETWORKS[subject])[1].pipeline.unet
    difference = largest_difference(host.model, unet, host.conditioning("a red rose")[0][0])
    return {SAME: {NETWORKS[subject]: {DIFFERENCE: difference}}}


def times(worker: Workplace, subject: int) -> Numbers:
    """Seconds of an edit, the ways taking turns."""
    import comfy.model_management

    (host, theirs), edit, rows = sides(worker, NETWORKS[0]), one_edit(subject), {}
    latent = host.encode(edit.pixels)
    for way in WAYS:
        comfy.model_management.load_models_gpu([host.model])
        started = time.process_time()
        took = seconds(lambda way=way: edited(way, DiffEditNodes(host), theirs, latent, edit))
        rows[way] = {"seconds": took, "processor seconds": time.process_time() - started}
    return {EDIT: rows}


def calls(worker: Workplace, subject: int) -> Numbers:
    """What the network is asked for an edit."""
    from host.models.tiny_diffusion import watched

    (host, theirs), edit, rows = sides(worker, NETWORKS[0]), one_edit(0), {}
    model, asked = watched(host.model)
    for way in WAYS:
        theirs.rows.clear()
        asked.rows.clear()
        edited(way, DiffEditNodes(host, model), theirs, host.encode(edit.pixels), edit)
        called = theirs.rows + asked.rows
        rows[way] = {"model evaluations": sum(called), "model calls": len(called)}
    return {EDIT: rows}


def quality(of_a_kind: int, worker: Workplace, subject: int) -> Numbers:
    """Of every way on one picture, with the narrow network."""
    (host, theirs), edit, rows = sides(worker, NETWORKS[1]), one_edit(subject, of_a_kind), {}
    for way in WAYS:
        mask, made = edited(way, DiffEditNodes(host), theirs, host.encode(edit.pixels), edit)
        unedited, picture = (host.decode(z)[0] for z in (host.encode(edit.pixels), made))
        rows[way] = outside_truth(host, edit, made) | mask_quality(edit, mask)
        rows[way][LPIPS] = BackgroundLpips()(unedited, picture, ~edit.truth)
    return {EDIT: rows}


def natural_quality(worker: Workplace, subject: int) -> Numbers:
    """Of every way on one of the natural world's test pictures; the background against the picture encoded and decoded."""
    edit, rows = natural_edit("test", subject), {}
    host, theirs, judge = worker.cache(ON_NATURAL, lambda: natural_sides(worker))
    latent = host.encode(edit.pixels)
    unedited = host.decode(latent)[0]
    for way in WAYS:
        mask, made = edited(way, DiffEditNodes(host), theirs, latent, edit)
        found = judged(judge, edit, host.decoded(made), unedited)
        rows[way] = found | {"mask IoU": iou(mask[0].numpy() >= 0.5, edit.truth)}
    return {ON_NATURAL: rows}


def natural_sides(worker: Workplace) -> tuple[LibraryHost, Any, NaturalJudge]:
    from host.models.diffusers_side import DiffusersSide, NarrowUNet

    host = LibraryHost(NATURAL, worker.host.sampling)
    return host, DiffusersSide(host, NarrowUNet(host.model)), NaturalJudge()


def sampling_cost(worker: Workplace, subject: int) -> Numbers:
    """Seconds of a model call inside Masked Latent Sample and inside the host's KSampler, with and without a noise mask.

    Same model, prompts, euler, cfg and number of calls.
    """
    name = NETWORKS[subject % len(NETWORKS)]
    host, _ = sides(worker, name)
    nodes, edit = DiffEditNodes(host), one_edit(0)
    latent = host.encode(edit.pixels)
    trajectory = nodes.invert(latent, "", {"steps": COST_STEPS, "strength": 1.0})
    mask = torch.zeros(1, 128, 128)
    mask[:, 32:96, 32:96] = 1
    stock = partial(host.ksampler, latent, SEED["seed"], edit.target, COST_STEPS, CFG)
    ours = partial(nodes.sample, trajectory, edit.target, mask, SEED)
    runs = {STOCK: stock, MASKED: partial(stock, noise_mask=mask), OURS: ours}
    stock()  # loads the model
    turn = list(runs) if subject // len(NETWORKS) % 2 else list(reversed(runs))
    found = {way: seconds(runs[way]) / COST_STEPS for way in turn}
    return {COST: {name: {way: found[way] for way in runs} | {"ratio": found[OURS] / found[STOCK]}}}


def trajectory_memory(worker: Workplace, subject: int) -> Numbers:
    """Of real trajectories, made with tiny models of the host's classes on latents of the full size."""
    from host.models import families, tiny_diffusion

    flux = next(case for case in families.CASES if case.name == "Flux")
    flux_prompt = [[families.random(1, families.ROWS, flux.embedding, seed=3), flux.extra()]]
    cases = {
        "SD 1.x, 512 x 512": (lambda: tiny_diffusion.tiny_model(gain=0.1), (1, 4, 64, 64), tiny_diffusion.prompt(0), 50),
        "Flux, 1024 x 1024": (flux.model, (1, 16, 128, 128), flux_prompt, 35),
    }
    name, (model, shape, prompt, steps) = list(cases.items())[subject]
    connected = {"model": model(), "latent": {"samples": families.random(*shape, seed=4)}, "positive": prompt}
    trajectory = run_node(worker.host, "DDIMInvert", {"steps": steps}, **connected)[1]
    held = sum(t.untyped_storage().nbytes() for t in vars(trajectory).values() if isinstance(t, torch.Tensor))
    states = {"states": len(trajectory.states), "states, MiB": trajectory.states.untyped_storage().nbytes() / MIB}
    return {MEMORY: {name: states | {"with the original latent, MiB": held / MIB}}}
