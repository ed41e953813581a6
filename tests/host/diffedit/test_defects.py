"""The seven defects of diffusers' StableDiffusionDiffEditPipeline, one by one: it has them, these nodes do not.

Each test shows the defect on diffusers itself first, so that it says so when it is repaired there.
"""

import numpy as np
import pytest
import torch
from comfy_extras.nodes_mask import MaskToImage
from host.models.diffusers_diffedit import UNetCalls, embeddings, map_noise, new_pipeline
from host.models.node_inputs import mask_inputs
from host.models.tiny_diffusion import picture, prompt, tiny_model
from PIL import Image
from time_diffedit.nodes import DDIMInvert, DiffEditMask, MaskedLatentSample

TARGET, SOURCE, NEGATIVE, OTHER_NEGATIVE = (prompt(i) for i in range(4))
STEPS, STRENGTH, SEED, MAPS = 10, 0.8, 3, 3
MASK = dict(
    seed=SEED,
    maps=MAPS,
    noise_strength=0.5,
)


@pytest.fixture(scope="module")
def model():
    return tiny_model(gain=0.3)


@pytest.fixture(scope="module")
def pipeline(model):
    return new_pipeline(model)


def in_model_space(model, latent: dict) -> torch.Tensor:
    return model.model.process_latent_in(latent["samples"])


def their_trajectory(model, pipeline, latent: dict, steps: int = STEPS, strength: float = STRENGTH) -> torch.Tensor:
    """(B, steps walked, C, h, w), noisiest first, in diffusers' scale."""
    return pipeline.invert(
        image=in_model_space(model, latent),
        **embeddings(SOURCE, NEGATIVE),
        guidance_scale=1.0,
        num_inference_steps=steps,
        inpaint_strength=strength,
    ).latents


def their_picture(pipeline, trajectory: torch.Tensor, mask: torch.Tensor, **settings) -> torch.Tensor:
    settings = {"inpaint_strength": STRENGTH, "num_inference_steps": STEPS, "guidance_scale": 1.0, **settings}
    arguments = {**embeddings(TARGET, NEGATIVE), "mask_image": mask.clone(), "image_latents": trajectory}
    return pipeline(**arguments, output_type="latent", **settings).images


def their_mask(model, pipeline, latent: dict, target: dict, source: dict, **settings):
    return pipeline.generate_mask(
        image=in_model_space(model, latent),
        **target,
        **source,
        num_maps_per_mask=MAPS,
        generator=[map_noise(SEED, row, k) for row in range(len(latent["samples"])) for k in range(MAPS)],
        **settings,
    )


def our_trajectory(model, latent: dict, steps: int = STEPS, strength: float = STRENGTH):
    return DDIMInvert.execute(model, latent, steps, strength, 1.0, {"method": "ddim"}, positive=SOURCE).result[1]


def our_latent(model, trajectory, mask: torch.Tensor) -> torch.Tensor:
    return MaskedLatentSample.execute(model, TARGET, trajectory, 1.0, "euler", 0, NEGATIVE, mask=mask).result[0]["samples"]


def our_mask(model, latent: dict, **settings) -> torch.Tensor:
    return DiffEditMask.execute(model, latent, TARGET, **mask_inputs(**{**MASK, "source": SOURCE, **settings})).result[0]


def cells(mask: torch.Tensor) -> np.ndarray:
    return mask[:, ::8, ::8].numpy()


def left_half() -> torch.Tensor:
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1
    return mask


def test_1_the_background_is_as_noisy_as_the_step_asks_for(model, pipeline):
    """diffusers blends with the state of the step before, one whole step too noisy."""
    expected = their_trajectory(model, pipeline, picture())
    with UNetCalls(pipeline) as calls:
        their_picture(pipeline, expected, left_half())
    theirs = torch.cat(calls.latents)[..., 4:]
    states = expected[0, :, ..., 4:]
    assert torch.equal(theirs[1:], states[:-1])
    assert not torch.allclose(theirs[1:], states[1:], atol=1e-2)

    seen = []

    def note(apply, args):
        sigma = args["timestep"][0]
        seen.append(args["input"] / torch.sqrt(1 + sigma**2))
        return apply(args["input"], args["timestep"], **args["c"])

    watching = model.clone()
    watching.set_model_unet_function_wrapper(note)
    our_latent(watching, our_trajectory(model, picture()), left_half()[0])
    assert torch.allclose(torch.cat(seen)[..., 4:], states, atol=1e-5)


def test_2_the_original_latent_comes_back(model, pipeline):
    """diffusers ends on the trajectory's last noisy state: it no longer has the picture itself."""
    states = their_trajectory(model, pipeline, picture())
    theirs = their_picture(pipeline, states, torch.zeros(1, 1, 8, 8))
    assert torch.equal(theirs, states[:, -1])
    assert (theirs - in_model_space(model, picture())).abs().max() > 0.01

    corner = torch.zeros(1, 64, 64)
    corner[..., :8, :8] = 1
    ours, original = our_latent(model, our_trajectory(model, picture()), corner), picture()["samples"]
    assert torch.equal(ours[..., 1:, :], original[..., 1:, :]) and torch.equal(ours[..., 1:], original[..., 1:])


def test_3_each_prompt_is_guided_away_from_its_negative(model, pipeline):
    """diffusers exchanges each prompt with its negative."""
    latent, guidance = picture(1, 16, 16), {"guidance_scale": 3.0}
    right = (embeddings(TARGET, NEGATIVE, "target_"), embeddings(SOURCE, OTHER_NEGATIVE, "source_"))
    exchanged = (embeddings(NEGATIVE, TARGET, "target_"), embeddings(OTHER_NEGATIVE, SOURCE, "source_"))
    with UNetCalls(pipeline) as calls:
        theirs = their_mask(model, pipeline, latent, *right, **guidance)
    # Guided as (negative source, source, negative target, target).
    order = [rows[0] for rows in calls.embeddings[0].chunk(4)]
    for rows, conditioning in zip(order, (SOURCE, OTHER_NEGATIVE, TARGET, NEGATIVE), strict=True):
        assert torch.equal(rows, conditioning[0][0][0])

    ours = our_mask(model, latent, target_negative=NEGATIVE, source_negative=OTHER_NEGATIVE, cfg=3.0)
    assert np.array_equal(cells(ours), their_mask(model, pipeline, latent, *exchanged, **guidance))
    assert not np.array_equal(cells(ours), theirs)


@pytest.mark.parametrize("cfg", [0.0, 0.5, 1.0])
def test_4_a_mask_without_guidance(model, pipeline, cfg):
    """diffusers: a TypeError from joining a tensor with None."""
    latent = picture(1, 16, 16)
    prompts = (embeddings(TARGET, NEGATIVE, "target_"), embeddings(SOURCE, NEGATIVE, "source_"))
    with pytest.raises(TypeError):
        their_mask(model, pipeline, latent, *(only_positive(side) for side in prompts), guidance_scale=cfg)

    ours = our_mask(model, latent, cfg=cfg)
    assert np.array_equal(cells(ours), their_mask(model, pipeline, latent, *prompts))


def only_positive(prompts: dict) -> dict:
    """Negatives as they come without guidance: none."""
    return {name: rows for name, rows in prompts.items() if "negative" not in name}


def test_5_the_mask_as_a_picture(model, pipeline):
    """diffusers: a TypeError, for Pillow knows no picture of one row of 64-bit integers."""
    latent = picture(1, 16, 16)
    prompts = (embeddings(TARGET, NEGATIVE, "target_"), embeddings(SOURCE, NEGATIVE, "source_"))
    with pytest.raises(TypeError, match="Cannot handle this data type"):
        their_mask(model, pipeline, latent, *prompts, output_type="pil")

    found = DiffEditMask.execute(model, latent, TARGET, **mask_inputs(**MASK), source=SOURCE)
    image = MaskToImage.execute(found.result[0]).result[0][0]
    shown = Image.fromarray((image * 255).byte().numpy())
    assert shown.size == (128, 128) and shown.getextrema() == ((0, 255),) * 3


def test_6_strength_and_steps(model, pipeline):
    """diffusers crashes at strength 0, and loses a step where the strength has no exact float."""
    latent = picture()
    prompts = (embeddings(TARGET, NEGATIVE, "target_"), embeddings(SOURCE, NEGATIVE, "source_"))
    with pytest.raises(IndexError):
        their_mask(model, pipeline, latent, *prompts, mask_encode_strength=0.0)
    with pytest.raises(RuntimeError, match="non-empty"):
        their_trajectory(model, pipeline, latent, strength=0.0)
    for strength, steps in ((0.29, 29), (0.57, 57), (0.58, 58)):
        assert their_trajectory(model, pipeline, latent, 100, strength).shape[1] == steps - 1
        sigmas = DDIMInvert.execute(model, latent, 100, strength, 1.0, {"method": "ddim"}, positive=SOURCE).result[2]
        assert len(sigmas) == 1 + steps

    for node, name in ((DiffEditMask, "noise_strength"), (DDIMInvert, "strength")):
        least = {i.id: i for i in node.define_schema().inputs}[name].min
        assert least > 0
    assert cells(our_mask(model, latent, noise_strength=0.02)).any()
    least = our_latent(model, our_trajectory(model, latent, strength=0.01), left_half()[0])
    assert torch.isfinite(least).all() and torch.equal(least[..., 4:], latent["samples"][..., 4:])


def test_7_pictures_of_a_batch_do_not_touch_each_other(model, pipeline):
    """diffusers cuts all heat maps of a batch off at one level."""
    both = picture(2, 16, 16)
    both["samples"][1] *= 10  # gives a fainter heat map
    alone = [{"samples": row[None]} for row in both["samples"]]

    def prompts(batch: int) -> list[dict]:
        sides = (embeddings(TARGET, NEGATIVE, "target_"), embeddings(SOURCE, NEGATIVE, "source_"))
        return [{name: rows.repeat(batch, 1, 1) for name, rows in side.items()} for side in sides]

    theirs = their_mask(model, pipeline, both, *prompts(2))
    assert not np.array_equal(theirs[:1], their_mask(model, pipeline, alone[0], *prompts(1)))

    ours = our_mask(model, both)
    for row, latent in enumerate(alone):
        assert torch.equal(ours[row : row + 1], our_mask(model, {**latent, "batch_index": [row]}))


def test_7_sampling_starts_where_the_inversion_ended(model, pipeline):
    """diffusers asks for the strength twice, and fails if it is not told the same."""
    states = their_trajectory(model, pipeline, picture(), strength=0.5)
    with pytest.raises(ValueError, match="latent images from 8 timesteps"):
        their_picture(pipeline, states, left_half())

    for strength in (0.5, 1.0):
        ours = our_latent(model, our_trajectory(model, picture(), strength=strength), left_half()[0])
        assert torch.equal(ours[..., 4:], picture()["samples"][..., 4:])
        assert not torch.allclose(ours[..., :4], picture()["samples"][..., :4], atol=0.1)
