"""DiffEdit on one picture, by the pack's nodes: in this process, or on a running server."""

import hashlib
import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import singledispatch
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tools.workflows.workflow import Graph

from .inputs import execute, inputs_of
from .library import LibraryHost, to_bytes
from .server import ServerHost

FOUND, GIVEN, EVERYWHERE, NOWHERE = "found", "given", "everywhere", "nowhere"
NODES = {"mask": "DiffEditMask", "invert": "DDIMInvert", "sample": "MaskedLatentSample"}


@dataclass(frozen=True)
class Settings:
    """How pictures are edited.

    Attributes:
        name: of these settings.
        mask, invert, sample: changed inputs of DiffEdit Mask, DDIM Invert and Masked Latent Sample.
        masked_by: FOUND by DiffEdit Mask, GIVEN with the picture, EVERYWHERE (no mask), or NOWHERE: encoded and decoded only.
        inverted_under: the prompt of the inversion, "" (as published), "source" or "target".
        negative: the negative prompt of the sampling.
        composite: lay the original's own pixels over what is outside the mask, by Composite Edited Picture.
    """

    name: str
    mask: dict = field(default_factory=dict)
    invert: dict = field(default_factory=dict)
    sample: dict = field(default_factory=dict)
    masked_by: str = FOUND
    inverted_under: str = ""
    negative: str = ""
    composite: bool = False

    def inversion_prompt(self, source: str, target: str) -> str:
        return {"": "", "source": source, "target": target}[self.inverted_under]


@dataclass(frozen=True)
class Asked:
    """`pixels` uint8 (H, W, 3), prompts for what they show and for what they shall show, and a mask bool (H, W) if known."""

    pixels: np.ndarray
    source: str
    target: str
    given: np.ndarray | None = None


@dataclass(frozen=True)
class Edited:
    """`pictures` uint8 (strengths, H, W, 3); `mask` bool (H, W), where the original may have changed, or None: everywhere."""

    pictures: np.ndarray
    mask: np.ndarray | None


@singledispatch
def edit_picture(host, asked: Asked, settings: Settings, strengths: Sequence[float]) -> Edited:
    """The picture edited at each strength by a LibraryHost or a ServerHost; the mask is found once.

    Raises ValueError for an input that a node lacks or refuses, or if `settings` need the given mask and there is none.
    """
    raise TypeError(f"{type(host).__name__} cannot edit pictures.")


@edit_picture.register
def _(host: LibraryHost, asked: Asked, settings, strengths) -> Edited:
    inputs = _inputs(host.nodes, settings)
    nodes = DiffEditNodes(host)
    original = torch.tensor(asked.pixels)[None].float() / 255
    latent = {"samples": host.vae.encode(original)}
    if settings.masked_by == NOWHERE:
        return Edited(to_bytes(host.vae.decode(latent["samples"])), None)
    mask = _given_mask(asked.given, settings)
    if settings.masked_by == FOUND:
        mask, _ = nodes.contrast(latent, asked.source, asked.target, inputs["mask"])
    found = []
    for strength in strengths:
        prompt = settings.inversion_prompt(asked.source, asked.target)
        trajectory = nodes.invert(latent, prompt, inputs["invert"] | {"strength": strength})
        picture = host.vae.decode(nodes.sample(trajectory, asked.target, mask, inputs["sample"], settings.negative))
        if settings.composite and mask is not None:
            inputs_of_paste = {"original": original, "edited": picture, "mask": mask, "feather": 0}
            picture = execute(host.nodes["CompositeEditedPicture"], inputs_of_paste)[0]
        found.append(to_bytes(picture))
    return Edited(np.concatenate(found), None if mask is None else mask[0].numpy() >= 0.5)


class DiffEditNodes:
    """The nodes as a workflow has them, on a host in this process: prompts and latents in, latents out.

    `changes` are of a node's defaults, see `inputs`. `model`: another MODEL than the host's.
    """

    def __init__(self, host: LibraryHost, model=None):
        _keep_previews_apart()
        self.host, self.model = host, model or host.model

    def contrast(self, latent: dict, source: str, target: str, changes: dict, target_model=None) -> tuple[torch.Tensor, object]:
        """MASK and HEATMAP; with `target_model` of two models instead of two prompts."""
        sides = {"source": self.host.conditioning(source), "target": self.host.conditioning(target)}
        if target_model is not None:
            changes = changes | {"compare": "two models"}
            sides["compare.target_model"] = target_model
        return self._run("DiffEditMask", changes, latent=latent, clip=self.host.clip, **sides)[:2]

    def mask(self, heatmap, changes: dict) -> torch.Tensor:
        node = self.host.nodes["HeatmapToMask"]
        return execute(node, inputs_of(node, changes) | {"heatmap": heatmap})[0]

    def invert(self, latent: dict, prompt: str, changes: dict):
        """TRAJECTORY."""
        texts = {"positive": self.host.conditioning(prompt), "negative": self.host.conditioning("")}
        return self._run("DDIMInvert", changes, latent=latent, **texts)[1]

    def sample(self, trajectory, prompt: str, mask: torch.Tensor | None, changes: dict, negative: str = "") -> torch.Tensor:
        """Samples of the LATENT."""
        texts = {"positive": self.host.conditioning(prompt), "negative": self.host.conditioning(negative)}
        return self._run("MaskedLatentSample", changes, trajectory=trajectory, mask=mask, **texts)[0]["samples"]

    def edit(
        self, latent: dict, source: str, target: str, settings: Settings, edited=None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """All three: MASK and samples. With the MODEL `edited` the two models are contrasted, and it samples."""
        mask, _ = self.contrast(latent, source, target, settings.mask, edited)
        trajectory = self.invert(latent, settings.inversion_prompt(source, target), settings.invert)
        painter = DiffEditNodes(self.host, edited or self.model)
        return mask, painter.sample(trajectory, target, mask, settings.sample, settings.negative)

    def _run(self, node_id: str, changes: dict, **connected) -> tuple:
        node = self.host.nodes[node_id]
        return execute(node, inputs_of(node, changes) | {"model": self.model} | connected)


@edit_picture.register
def _(host: ServerHost, asked: Asked, settings, strengths) -> Edited:
    inputs = _inputs(host.nodes, settings)
    inverted_under = settings.inversion_prompt(asked.source, asked.target)
    graph, shown = Graph(), []
    loader = graph.add("CheckpointLoaderSimple", ckpt_name=host.checkpoint)
    original = graph.add("LoadImage", image=_upload(host, asked.pixels))
    latent = graph.add("VAEEncode", pixels=original[0], vae=loader[2])
    texts = {
        text: graph.add("CLIPTextEncode", clip=loader[1], text=text)[0]
        for text in dict.fromkeys([asked.source, asked.target, inverted_under, settings.negative])
    }
    mask, masked = _given_mask(asked.given, settings), {}
    if mask is not None:
        masked = {"mask": graph.add("LoadImageMask", image=_upload(host, np.uint8(255) * asked.given), channel="red")[0]}
    if settings.masked_by == FOUND:
        sides = {"source": texts[asked.source], "target": texts[asked.target], "clip": loader[1]}
        node = graph.add("DiffEditMask", model=loader[0], latent=latent[0], **sides, **inputs["mask"])
        masked = {"mask": node[0]}
        picture = graph.add("MaskToImage", mask=node[0])
        shown.append(graph.add("PreviewImage", images=picture[0]).id)
    for strength in strengths:
        samples = latent[0]
        if settings.masked_by != NOWHERE:
            inverted = graph.add(
                "DDIMInvert",
                model=loader[0],
                latent=latent[0],
                positive=texts[inverted_under],
                clip=loader[1],
                **inputs["invert"] | {"strength": strength},
            )
            sides = {"positive": texts[asked.target], "negative": texts[settings.negative], "trajectory": inverted[1]}
            samples = graph.add("MaskedLatentSample", model=loader[0], **sides, **masked, **inputs["sample"])[0]
        picture = graph.add("VAEDecode", samples=samples, vae=loader[2])[0]
        if settings.composite and masked:
            pair = {"original": original[0], "edited": picture}
            picture = graph.add("CompositeEditedPicture", **pair, **masked, feather=0)[0]
        shown.append(graph.add("PreviewImage", images=picture).id)
    outputs = host.client.run(graph.nodes, "", quiet=True).outputs
    pictures = [host.shown(outputs[node]) for node in shown]
    if settings.masked_by == FOUND:
        return Edited(np.stack(pictures[1:]), pictures[0][..., 0] >= 128)
    return Edited(np.stack(pictures), asked.given if masked else None)


def _inputs(nodes: dict, settings: Settings) -> dict[str, dict]:
    """Of each of the three nodes all inputs that have a value, with the changes of `settings`, in whose name it refuses."""
    try:
        return {part: inputs_of(nodes[node], getattr(settings, part)) for part, node in NODES.items()}
    except ValueError as error:
        raise ValueError(f"settings {settings.name!r}: {error}") from None


def _given_mask(given: np.ndarray | None, settings: Settings) -> torch.Tensor | None:
    if settings.masked_by != GIVEN:
        return None
    if given is None:
        raise ValueError(f"settings {settings.name!r} take the mask that is given, but the picture has none.")
    return torch.tensor(given)[None].float()


def _upload(host: ServerHost, pixels: np.ndarray) -> str:
    content = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").save(content, "PNG")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"benchmark_{hashlib.sha256(content.getvalue()).hexdigest()[:16]}.png")
        path.write_bytes(content.getvalue())
        return host.client.upload_image(path)


_PREVIEWS: list[tempfile.TemporaryDirectory] = []


def _keep_previews_apart() -> None:
    """The nodes' previews go to a folder that is gone when this process ends."""
    import folder_paths

    if not _PREVIEWS:
        _PREVIEWS.append(tempfile.TemporaryDirectory())
        folder_paths.set_temp_directory(_PREVIEWS[0].name)
