"""DiffEdit on one picture, by the pack's nodes: in this process, or on a running server."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .inputs import inputs_of, run_node

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


def edit_picture(host: Any, asked: Asked, settings: Settings, strengths: Sequence[float]) -> Edited:
    """The picture edited at each strength by a LibraryHost or a ServerHost; the mask is found once.

    Raises ValueError for an input that a node lacks or refuses, or if `settings` need the given mask and there is none.
    """
    for part, node in NODES.items():
        try:
            inputs_of(host.nodes[node], getattr(settings, part))
        except ValueError as error:
            raise ValueError(f"settings {settings.name!r}: {error}") from None
    desk = host.desk()
    nodes, mask = DiffEditNodes(desk), None
    original = desk.image(asked.pixels)
    latent = desk.encoded(original)
    if settings.masked_by == NOWHERE:
        return Edited(*desk.results([desk.decoded(latent)], None))
    if settings.masked_by == GIVEN:
        if asked.given is None:
            raise ValueError(f"settings {settings.name!r} take the mask that is given, but the picture has none.")
        mask = desk.mask(asked.given)
    elif settings.masked_by == FOUND:
        mask, _ = nodes.contrast(latent, asked.source, asked.target, settings.mask, picture=original)
    found = []
    for strength in strengths:
        prompt = settings.inversion_prompt(asked.source, asked.target)
        trajectory = nodes.invert(latent, prompt, settings.invert | {"strength": strength})
        picture = desk.decoded(nodes.sample(trajectory, asked.target, mask, settings.sample, settings.negative))
        if settings.composite and mask is not None:
            picture = desk.run("CompositeEditedPicture", original=original, edited=picture, mask=mask, feather=0)[0]
        found.append(picture)
    return Edited(*desk.results(found, mask))


class DiffEditNodes:
    """The nodes as a workflow has them: prompts and LATENTs in, LATENTs out; on a server what stands for them.

    `host`: a LibraryHost or a server's Workflow. `changes` are of a node's defaults, see `inputs`. `model`: another MODEL than
    the host's.
    """

    def __init__(self, host: Any, model: Any = None):
        self.host, self.model = host, model or host.model

    def contrast(
        self, latent: Any, source: str, target: str, changes: dict, target_model: Any = None, picture: Any = None
    ) -> tuple:
        """MASK and HEATMAP; with `target_model` of two models, not two prompts. `picture`: an IMAGE, to follow its edges."""
        sides = {"source": self.host.conditioning(source), "target": self.host.conditioning(target)}
        if target_model is not None:
            changes = changes | {"compare": "two models"}
            sides["compare.target_model"] = target_model
        if picture is not None:
            sides["picture"] = picture
        outputs = self._run("mask", changes, latent=latent, clip=self.host.clip, **sides)
        return outputs[0], outputs[1]

    def invert(self, latent: Any, prompt: str, changes: dict) -> Any:
        """TRAJECTORY."""
        texts = {"positive": self.host.conditioning(prompt), "negative": self.host.conditioning("")}
        return self._run("invert", changes, latent=latent, **texts)[1]

    def sample(self, trajectory: Any, prompt: str, mask: Any, changes: dict, negative: str = "") -> Any:
        """LATENT; `mask` None is everywhere."""
        texts = {"positive": self.host.conditioning(prompt), "negative": self.host.conditioning(negative)}
        return self._run("sample", changes, trajectory=trajectory, mask=mask, **texts)[0]

    def edit(self, latent: Any, source: str, target: str, settings: Settings, edited: Any = None, picture: Any = None) -> tuple:
        """All three: MASK and LATENT. With the MODEL `edited` the two models are contrasted, and it samples."""
        mask, _ = self.contrast(latent, source, target, settings.mask, edited, picture)
        trajectory = self.invert(latent, settings.inversion_prompt(source, target), settings.invert)
        painter = DiffEditNodes(self.host, edited or self.model)
        return mask, painter.sample(trajectory, target, mask, settings.sample, settings.negative)

    def _run(self, part: str, changes: dict, **connected) -> Any:
        return run_node(self.host, NODES[part], changes, model=self.model, **connected)
