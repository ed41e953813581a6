"""An instruction model's prediction contrasted with the picture itself, while the whole picture drifts."""

from dataclasses import replace

import pytest
import torch
from host.models.node_inputs import mask_inputs
from host.models.picture_families import FROM_A_PICTURE, WITH_A_REFERENCE, Painter
from host.models.tiny_diffusion import denoised, watched
from time_diffedit.diffedit_core.inversion.schedule import noise_sigma
from time_diffedit.diffedit_core.model.host_model import noising, sigma_table
from time_diffedit.diffedit_core.model.noise import picture_noise
from time_diffedit.nodes import DDIMInvert, DiffEditMask, MaskedLatentSample

SIZE = 16
SETTINGS = {"seed": 7, "maps": 10, "noise_strength": 0.5, "compare": "prompt and picture"}
INSTRUCTED = tuple(
    replace(painter, latent=(1, *painter.latent[1:-2], SIZE, SIZE))
    for painter in (*(p for p in FROM_A_PICTURE if p.name.startswith("Instruct")), *WITH_A_REFERENCE)
)
CHANGED = (slice(4, 10), slice(6, 13))
EDIT, TINT, UNREST = 1.0, 0.6, 0.4


@pytest.fixture(params=INSTRUCTED, ids=lambda painter: painter.name)
def painter(request) -> Painter:
    return request.param


def run(model, latent: dict, target: list, **settings):
    return DiffEditMask.execute(model, latent, target, **mask_inputs(**SETTINGS | settings)).result


def truth(heat: torch.Tensor) -> torch.Tensor:
    cells = torch.zeros_like(heat)
    cells[(..., *CHANGED)] = 1
    return cells


def drifting(model, picture: torch.Tensor):
    """The model as one that has learned to give the picture back, changed in CHANGED, and drifts everywhere: a tint, and as
    unrest what the tiny network predicts."""
    clone, clean = model.clone(), model.model.process_latent_in(picture)
    generator = torch.Generator().manual_seed(3)
    tint, edit = (
        torch.randn(clean.shape[1], generator=generator).sign().reshape(-1, *[1] * (clean.ndim - 2)) for _ in range(2)
    )

    def predicted(apply_model, args):
        unrest = apply_model(args["input"], args["timestep"], **args["c"])
        unrest = (unrest - unrest.mean()) / unrest.std()
        return clean + TINT * tint + UNREST * unrest + EDIT * edit * truth(clean[:1])

    clone.set_model_unet_function_wrapper(predicted)
    return clone


def overlap(mask: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((mask * wanted).sum() / (mask + wanted).clamp(max=1).sum())


def test_it_is_the_distance_of_the_prediction_from_the_picture(painter):
    model, latent, target = painter.model(), painter.picture(), painter.prompt(1)
    made_of, sigma = noising(model), noise_sigma(sigma_table(model), 0.5)
    clean = model.model.process_latent_in(latent["samples"])
    expected = 0
    for k in range(2):
        x = made_of.noised(clean, picture_noise(7, 0, k, clean.shape), sigma)
        expected = expected + (denoised(model, target, x, sigma) - clean).abs().mean(1) / sigma / 2
    seen, calls = watched(model)
    heat = run(seen, latent, target, maps=2)[1]
    assert torch.allclose(heat.values[0], expected, rtol=1e-3, atol=1e-4 * float(expected.max()))
    assert sum(calls.rows) == 2  # one evaluation a map


@pytest.mark.parametrize("rule", ["paper", "otsu"])
def test_what_changes_is_found_though_everything_drifts(painter, rule):
    model, latent = painter.model(), painter.picture()
    mask, heat, _ = run(drifting(model, latent["samples"]), latent, painter.prompt(1), rule=rule)
    wanted = truth(heat.values[0])
    found = mask[:, :: heat.cell, :: heat.cell].reshape(wanted.shape)
    assert heat.values[0][wanted == 0].mean() > 0.3 * heat.values[0][wanted == 1].mean()  # it does drift
    assert overlap(found, wanted) > 0.9
    by_mean_ratio = run(drifting(model, latent["samples"]), latent, painter.prompt(1), rule="mean ratio")[0]
    assert overlap(by_mean_ratio[:, :: heat.cell, :: heat.cell].reshape(wanted.shape), wanted) <= overlap(found, wanted)


def test_each_picture_of_a_batch_is_contrasted_with_itself():
    painter = replace(INSTRUCTED[0], latent=(2, *INSTRUCTED[0].latent[1:]))
    model, latent, target = painter.model(), painter.picture(), painter.prompt(1)
    together = run(model, latent, target)[1].values
    for i in range(2):
        mine = {"concat_latent_image": target[0][1]["concat_latent_image"][i : i + 1]}
        alone = {"samples": latent["samples"][i : i + 1], "batch_index": [i]}
        found = run(model, alone, [[rows, options | mine] for rows, options in target])[1].values
        assert torch.equal(found, together[:, i : i + 1])


def test_the_rest_is_kept(painter):
    """Bit for bit in the latent, whatever the model predicts there."""
    model, latent, target = painter.model(), painter.picture(), painter.prompt(1)
    drift = drifting(model, latent["samples"])
    mask, heat, _ = run(drift, latent, target, rule="otsu", maps=2)
    trajectory = DDIMInvert.execute(model, latent, 4, 0.8, 1.0, {"method": "o-belm"}, positive=target).result[1]
    found = MaskedLatentSample.execute(drift, target, trajectory, 1.0, "as inverted", 0, negative=target, mask=mask).result[0][
        "samples"
    ]
    kept = mask[:, :: heat.cell, :: heat.cell].reshape(heat.values[0].shape)[:, None].expand_as(found) == 0
    assert torch.equal(found[kept], latent["samples"][kept]) and not torch.equal(found, latent["samples"])


def test_a_source_is_not_asked_for_and_not_read(painter):
    model, latent, target = painter.model(), painter.picture(), painter.prompt(1)
    without = run(model, latent, target, maps=1)[1].values
    assert torch.equal(run(model, latent, target, maps=1, source=painter.bare_prompt(0))[1].values, without)
