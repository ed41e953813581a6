"""What the example workflows have in common."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ...comfyui.environment import NATURAL_CHECKPOINT
from ...presets import DIFFEDIT, presets
from ..app import App, opened_as_app
from ..subgraph import Cut, folded
from ..workflow import Choice, Graph, Node

EXAMPLE_PICTURE = "time_diffedit_example.png"
RED_ROSE, BLUE_ROSE = "a red rose on grass", "a blue rose on grass"  # the natural world's picture, as it is and as it shall be
HOSTS_PICTURE = "example.png"  # comes with ComfyUI: a drawing of a girl in a pink dress

SD15 = "v1-5-pruned-emaonly-fp16.safetensors"
SDXL = "sd_xl_base_1.0.safetensors"
WHOLE_CLIP = "clip-vit-large-patch14.safetensors"  # under which the template's note says to save it
FILES = tuple(
    {
        "name": re.split("[:/]", file)[-1],
        "url": "https://huggingface.co/" + file.replace(":", "/resolve/main/"),
        "directory": folder,
    }
    for folder, files in {
        "checkpoints": (
            f"Comfy-Org/stable-diffusion-v1-5-archive:{SD15}",
            f"stabilityai/stable-diffusion-xl-base-1.0:{SDXL}",
            "Comfy-Org/stable-diffusion-3.5-fp8:sd3.5_large_fp8_scaled.safetensors",
        ),
        "diffusion_models": (
            "Comfy-Org/flux1-dev:flux1-dev.safetensors",
            "Comfy-Org/flux1-kontext-dev_ComfyUI:split_files/diffusion_models/flux1-dev-kontext_fp8_scaled.safetensors",
            "Comfy-Org/flux2-klein:split_files/diffusion_models/flux-2-klein-base-4b.safetensors",
            "Comfy-Org/z_image:split_files/diffusion_models/z_image_bf16.safetensors",
            "Comfy-Org/Wan_2.1_ComfyUI_repackaged:split_files/diffusion_models/wan2.1_t2v_1.3B_fp16.safetensors",
        ),
        "text_encoders": (
            "comfyanonymous/flux_text_encoders:clip_l.safetensors",
            "comfyanonymous/flux_text_encoders:t5xxl_fp16.safetensors",
            "comfyanonymous/flux_text_encoders:t5xxl_fp8_e4m3fn_scaled.safetensors",
            "Comfy-Org/z_image_turbo:split_files/text_encoders/qwen_3_4b.safetensors",
            "Comfy-Org/Wan_2.1_ComfyUI_repackaged:split_files/text_encoders/umt5_xxl_fp8_e4m3fn_scaled.safetensors",
        ),
        "vae": (
            "Comfy-Org/z_image_turbo:split_files/vae/ae.safetensors",
            "Comfy-Org/flux2-dev:split_files/vae/flux2-vae.safetensors",
            "Comfy-Org/Wan_2.1_ComfyUI_repackaged:split_files/vae/wan_2.1_vae.safetensors",
        ),
    }.items()
    for file in files
)
"""Files that the browser offers to download to those who do not have them: `repository:path`, by the host's folder."""


@dataclass(frozen=True)
class Parts:
    """A model as people download it, in parts.

    Attributes:
        model, encoders, vae: names of the files; one text encoder or two.
        kind: of text encoder, an option of the host's loaders.
        sampling: the host's node that says how the model is noised, with its shift; "" where the model brings that.
    """

    model: str
    encoders: tuple[str, ...]
    vae: str
    kind: str
    sampling: str = ""
    shift: float = 0.0


TIME_DEFAULTS = {
    "strength": 1.0,
    "edit_keys": True,
    "edit_values": True,
    "augmentations": "A photo of \nAn image of \nA picture of ",
    "preserve": "",
}
EDIT_DEFAULTS = {name: value for name, value in TIME_DEFAULTS.items() if name != "strength"}


ASSUMES = "Edit what the model assumes"


def edited_model(graph: Graph, loader: Any, source: str, destination: str, **settings: Any) -> Node:
    """The model after a TIME edit with the published settings, but for these."""
    prompts = {"source": source, "destination": destination}
    return graph.add("TIMEEditModel", ASSUMES, model=loader[0], clip=loader[1], **prompts, **TIME_DEFAULTS | settings)


def mask_preset(name: str) -> dict[str, Any]:
    """The inputs of DiffEdit Mask that a preset of its view writes."""
    values = presets(DIFFEDIT)[name]
    plain = {name: value for name, value in values.items() if "." not in name}
    return plain | {name: _choice(name, values) for name in ("rule", "outline")}


def _choice(name: str, values: dict[str, Any]) -> Choice:
    """Of inputs as a prompt has them the choice of this name."""
    beside = f"{name}."
    return Choice(values[name], {key.removeprefix(beside): value for key, value in values.items() if key.startswith(beside)})


@dataclass(frozen=True)
class Example:
    """A workflow that is shipped as a template.

    Attributes:
        build: makes it; without arguments for the toy world.
        shipped: arguments with which it is shipped, for a checkpoint that people have.
        note: Markdown, shown beside the workflow.
        thumbnail: titles of the two nodes whose first pictures are the thumbnail, or of the one that compares two.
        needs: files that a run on a world finds only after the example of this name has run.
        toy: arguments for the toy world, where the defaults are not the ones.
        natural: arguments for the natural world; None where it has no model for a part of the workflow (a CLIP that judges, a
            BLIP that captions).
        blocks: parts of it that the template shows as one node each.
        app: a form that can be shown in place of the graph; then there is a second template, which opens as that.
    """

    build: Callable[..., Graph]
    shipped: dict
    note: str
    thumbnail: tuple[str, ...]
    needs: str = ""
    toy: dict = field(default_factory=dict)
    natural: dict | None = None
    blocks: tuple[Cut, ...] = ()
    app: App | None = None

    def for_toy_world(self) -> Graph:
        return self.build(**self.toy)

    def for_natural_world(self) -> Graph:
        """Raises ValueError where it cannot run there."""
        if self.natural is None:
            raise ValueError("The natural world has no model for a part of this workflow.")
        return self.build(NATURAL_CHECKPOINT, **self.natural)

    def as_shipped(self) -> Graph:
        return self.build(**self.shipped)

    def ui(self, object_info: dict, graph: Graph | None = None) -> dict:
        """The template's file; with a graph that it has built, instead of the one that is shipped."""
        models = () if graph else FILES
        graph = graph or self.as_shipped()
        if self.blocks:
            made = folded(graph, self.blocks, self.build.__name__, object_info, self.note, models)
        else:
            made = graph.ui(object_info, self.note, models)
        return self.app.beside(made) if self.app else made

    def names(self, name: str) -> list[str]:
        """Of its templates, the first of which is called `name`."""
        return [name, *([f"{name}.app"] if self.app else ())]

    def files(self, name: str, object_info: dict, graph: Graph | None = None) -> dict[str, dict]:
        """What is in each of them."""
        made = self.ui(object_info, graph)
        return dict(zip(self.names(name), (made, opened_as_app(made)), strict=False))
