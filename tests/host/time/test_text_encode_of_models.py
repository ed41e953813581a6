"""TIME Text Encode with small encoders of the host's other kinds, up to the samples of models that no weight of is edited."""

from dataclasses import replace
from typing import Any

import comfy.sd
import pytest
import torch
from comfy import sdxl_clip
from comfy.supported_models_base import ClipTarget
from comfy.text_encoders import flux, pixart_t5
from host.models import tiny
from host.models.families import CASES
from host.time.test_quantised import plain_fp8
from host.time.test_text_encode import same
from time_diffedit.nodes.time.time_compute_edit import TIMEComputeEdit
from time_diffedit.nodes.time.time_edit_conditioning import TIMEEditConditioning
from time_diffedit.nodes.time.time_text_encode import TIMETextEncode

import nodes
from benchmarks.hosts.inputs import execute, inputs_of

FLUX = next(case for case in CASES if case.name == "Flux")
SMALL = {
    "clip_l_model_config": {"num_hidden_layers": 3},
    "clip_g_model_config": {"num_hidden_layers": 3, "hidden_size": 64, "num_attention_heads": 2, "intermediate_size": 64},
    "t5xxl_model_config": {"num_layers": 1, "d_model": FLUX.embedding, "d_ff": 32, "d_kv": 8, "num_heads": 2},
    "load_device": tiny.CPU,
    "offload_device": tiny.CPU,
}
KINDS = {
    "SDXL": (sdxl_clip.SDXLTokenizer, sdxl_clip.SDXLClipModel),
    "Flux": (flux.FluxTokenizer, flux.flux_clip(dtype_t5=torch.float32)),
    "PixArt": (pixart_t5.PixArtTokenizer, pixart_t5.pixart_te(dtype_t5=torch.float32)),
}
"""Tokenizer and encoder: two CLIPs, a CLIP whose rows nobody reads and a T5, a T5 alone."""
ASLEEP, AWAKE = ("a pack of tulips", "a yellow rose", ""), "two roses in a vase"


def encoder(kind: str) -> comfy.sd.CLIP:
    made = comfy.sd.CLIP(ClipTarget(*KINDS[kind]), model_options=SMALL)
    tiny.initialise(made.cond_stage_model, seed=3)
    return made


def run(node, **given) -> Any:
    """Its first output; inputs that are not given have their defaults."""
    return execute(node, inputs_of(node, {}) | given)[0]


def texts(clip: comfy.sd.CLIP, text: str, edit) -> dict[str, list]:
    plain = nodes.CLIPTextEncode().encode(clip, text)[0]
    gated = run(TIMETextEncode, clip=clip, text=text, time_edit=edit)
    return {"plain": plain, "gated": gated, "edited": TIMEEditConditioning.execute(plain, edit, 1.0).args[0]}


def sampled(model, positive: list, negative: list, latent: tuple[int, ...]) -> torch.Tensor:
    samples = {"samples": torch.zeros(latent)}
    how = {"seed": 1, "steps": 2, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple"}
    return nodes.KSampler().sample(model, positive=positive, negative=negative, latent_image=samples, **how)[0]["samples"]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_and_whatever_is_beside_them(kind):
    clip = encoder(kind)
    edit = run(TIMEComputeEdit, clip=clip)
    for text in ASLEEP:
        found = texts(clip, text, edit)
        assert same(found["gated"], found["plain"]), text
    found = texts(clip, AWAKE, edit)
    assert same(found["gated"], found["edited"]) and not same(found["gated"], found["plain"])
    (_, beside), (rows, _) = found["gated"][0], found["plain"][0]
    assert same([[rows, beside]], found["plain"])


def test_pictures_of_flux():
    clip = encoder("Flux")
    edit = run(TIMEComputeEdit, clip=clip)
    model = replace(FLUX, config=FLUX.config | {"vec_in_dim": 768}).model()
    check_pictures(model, clip, edit, FLUX.latent)


def test_pictures_of_a_model_in_fp8():
    clip = tiny.clip()
    check_pictures(plain_fp8(), clip, run(TIMEComputeEdit, clip=clip), (1, 4, 8, 8))


def check_pictures(model, clip, edit, latent: tuple[int, ...]) -> None:
    weights = tiny.weights(model)
    empty = nodes.CLIPTextEncode().encode(clip, "")[0]
    for text in ASLEEP:
        found = texts(clip, text, edit)
        assert torch.equal(*(sampled(model, found[which], empty, latent) for which in ("plain", "gated"))), text
    found = texts(clip, AWAKE, edit)
    plain, gated, edited = (sampled(model, found[which], empty, latent) for which in ("plain", "gated", "edited"))
    assert torch.equal(gated, edited) and not torch.equal(gated, plain) and torch.isfinite(gated).all()
    assert all(torch.equal(weight, weights[name]) for name, weight in tiny.weights(model).items())
