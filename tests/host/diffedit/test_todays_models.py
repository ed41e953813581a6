"""The templates for today's models on a tiny model of each family: what stands between the model's files and its decoder."""

from dataclasses import replace

import pytest
import torch
from comfy_extras.nodes_edit_model import ReferenceLatent
from comfy_extras.nodes_flux import FluxGuidance
from comfy_extras.nodes_model_advanced import ModelSamplingAuraFlow, ModelSamplingSD3
from host.models.picture_families import FROM_A_PICTURE, PAINTERS, WITH_A_REFERENCE, Painter
from time_diffedit.nodes import CompositeEditedPicture, DiffEditMask, MaskedFlowEdit, PictureDrift

from benchmarks.hosts.inputs import execute
from nodes import ConditioningZeroOut, KSampler
from tools.workflows.examples import EXAMPLES
from tools.workflows.examples.todays_models import TODAYS_MODELS
from tools.workflows.workflow import is_link

FAMILIES = {
    "edit_with_sd35": "SD3",
    "edit_with_flux": "Flux",
    "edit_with_flux2": "Flux 2",
    "edit_with_z_image": "Z-Image",
    "edit_with_wan": "Wan 2.1",
}
STEPS = 4
OURS = {node.__name__: node for node in (DiffEditMask, PictureDrift, CompositeEditedPicture)}


class Run:
    """The nodes of a template up to `last`, in their order: of loaders, encoders and decoders the family's own outputs, or
    random ones, of all others what they give."""

    def __init__(self, painter: Painter, nodes: dict[str, dict], last: str):
        self.model, self.latent = painter.model(), painter.picture()
        self.prompts = [(painter.bare_prompt(number),) for number in (0, 1)]
        self.empty = painter.bare_prompt(2)
        cell = self.model.get_model_object("latent_format").spacial_downscale_ratio
        height, width = (side * cell for side in self.latent["samples"].shape[-2:])
        self.picture = torch.rand(1, height, width, 3, generator=torch.Generator().manual_seed(3))
        self.outputs: dict[str, tuple] = {}
        self.by_kind: dict[str, tuple] = {}
        for number, node in nodes.items():
            self.outputs[number] = self.by_kind[node["class_type"]] = self.outputs_of(node["class_type"], node["inputs"])
            if node["class_type"] == last:
                return

    def outputs_of(self, kind: str, inputs: dict) -> tuple:
        given = {name: self.outputs[value[0]][value[1]] if is_link(value) else value for name, value in inputs.items()}
        given = {name: value for name, value in given.items() if value is not None}
        match kind:
            case "UNETLoader" | "CheckpointLoaderSimple":
                return self.model, None, None
            case "CLIPLoader" | "DualCLIPLoader" | "VAELoader":
                return (None,)
            case "LoadImage":
                return (self.picture,)
            case "VAEEncode":
                return (self.latent,)
            case "CLIPTextEncode":
                return self.prompts.pop(0)
            case "FluxGuidance":
                return FluxGuidance.execute(**given).result
            case "ModelSamplingAuraFlow":
                return ModelSamplingAuraFlow().patch_aura(**given)
            case "ModelSamplingSD3":
                return ModelSamplingSD3().patch(**given)
            case "FluxKontextImageScale":
                return (given["image"],)  # it is as small as the model
            case "ReferenceLatent":
                return ReferenceLatent.execute(**given).result
            case "ConditioningZeroOut":
                return ConditioningZeroOut().zero_out(**given)
            case "KSampler":
                return KSampler().sample(**given | {"steps": STEPS})
            case "VAEDecode":
                colours = given["samples"]["samples"][:, :3].sigmoid()
                return (torch.nn.functional.interpolate(colours, self.picture.shape[1:3]).movedim(1, -1),)
            case "SaveImage" | "PreviewAny":
                return ()
            case "DiffEditMask" | "PictureDrift" | "CompositeEditedPicture":
                return execute(OURS[kind], given | ({"maps": 2} if kind == "DiffEditMask" else {}))
            case "MaskedFlowEdit":
                return execute(MaskedFlowEdit, given | {"steps": STEPS, "negative": self.empty})
        raise AssertionError(f"{kind} stands between the picture and its edit")


@pytest.mark.parametrize("name", TODAYS_MODELS)
@torch.inference_mode()
def test_a_template_edits_inside_the_mask_only(name):
    painter = next(each for each in (*PAINTERS, *FROM_A_PICTURE) if each.name == FAMILIES[name])
    run = Run(painter, EXAMPLES[name].as_shipped().nodes, "MaskedFlowEdit")
    mask, edited = run.by_kind["DiffEditMask"][0], run.by_kind["MaskedFlowEdit"][0]["samples"]
    assert 0 < mask.mean() < 1 and mask.shape[1:] == run.picture.shape[1:3]
    original = run.latent["samples"]
    assert edited.shape == original.shape and torch.isfinite(edited).all()
    cells = torch.nn.functional.adaptive_max_pool2d(mask, original.shape[-2:]) > 0
    cells = cells.unflatten(0, (len(original), -1) if len(mask) > 1 else (1, 1)).any(1)  # of a video in any frame
    outside = ~cells.reshape(len(cells), *[1] * (original.ndim - 3), *cells.shape[-2:]).expand_as(original)
    assert torch.equal(edited[outside], original[outside])
    assert not torch.equal(edited[~outside], original[~outside])


@torch.inference_mode()
def test_the_template_for_kontext_keeps_what_the_instruction_is_not_about():
    painter = next(replace(each, latent=(1, 16, 16, 16)) for each in WITH_A_REFERENCE if each.name == "Flux Kontext")
    run = Run(painter, EXAMPLES["instruction_edit"].as_shipped().nodes, "CompositeEditedPicture")
    (wanted,) = run.by_kind["ReferenceLatent"]
    assert torch.equal(wanted[0][1]["reference_latents"][0], run.latent["samples"])
    mask, (kept,) = run.by_kind["DiffEditMask"][0], run.by_kind["CompositeEditedPicture"]
    assert 0 < mask.mean() < 1 and kept.shape == run.picture.shape
    outside = mask.expand(len(kept), *mask.shape[1:]) == 0
    assert torch.equal(kept[outside], run.picture.expand_as(kept)[outside])
    assert not torch.equal(kept[~outside], run.picture.expand_as(kept)[~outside])
