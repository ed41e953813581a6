"""The steps that the workflows which edit a given picture have in common."""

from typing import Any

from ..workflow import Choice, Graph
from .shared import Parts, mask_preset

RECOMMENDED = "recommended"
MASK: dict[str, Any] = mask_preset(RECOMMENDED)
PASTED = "Keep the original's pixels outside"
SOFT_EDGE = 4  # docs/natural_settings.md, edge of the composite
TWO_PROMPTS = Choice("two prompts")
INVERT_DEFAULTS = {"steps": 50, "strength": 0.8, "cfg": 1.0, "method": Choice("ddim")}


def loaded(graph: Graph, model: str | Parts) -> tuple[list, list, list]:
    """MODEL, CLIP and VAE, of a checkpoint or in parts."""
    if isinstance(model, str):
        loader = graph.add("CheckpointLoaderSimple", "Load the model", ckpt_name=model)
        return loader[0], loader[1], loader[2]
    network = graph.add("UNETLoader", "Load the model", unet_name=model.model, weight_dtype="default")
    if model.sampling:
        network = graph.add(model.sampling, "How it is noised", model=network[0], shift=model.shift)
    if len(model.encoders) == 1:
        encoder = graph.add("CLIPLoader", "Load the text encoder", clip_name=model.encoders[0], type=model.kind)
    else:
        first, second = model.encoders
        encoder = graph.add("DualCLIPLoader", "Load the text encoders", clip_name1=first, clip_name2=second, type=model.kind)
    return network[0], encoder[0], graph.add("VAELoader", "Load the VAE", vae_name=model.vae)[0]


def given_picture(model: str | Parts, picture: str, group: str = "The picture, and what it shows"):
    """A graph that begins with the nodes that load the model and the picture, and encode it."""
    graph = Graph()
    graph.group(group)
    loader = loaded(graph, model)
    image = graph.add("LoadImage", "Picture to edit", image=picture)
    return graph, loader, image, graph.add("VAEEncode", "Encode", pixels=image[0], vae=loader[2])


def two_prompts(graph: Graph, loader, source: str, target: str):
    """What the picture shows, and what it shall show."""
    shows = graph.add("CLIPTextEncode", "What the picture shows", clip=loader[1], text=source)
    return shows, graph.add("CLIPTextEncode", "What it shall show", clip=loader[1], text=target)


def masked(graph: Graph, title: str, loader, image, latent, shows, wanted, seed: int, preset: str = RECOMMENDED):
    """Where two prompts disagree, by the mask of a preset."""
    return graph.add(
        "DiffEditMask",
        title,
        model=loader[0],
        latent=latent[0],
        target=wanted[0],
        seed=seed,
        compare=TWO_PROMPTS,
        source=shows[0],
        picture=image[0],
        **mask_preset(preset),
    )


def inverted(graph: Graph, title: str, loader, latent):
    """Back to noise under the empty prompt."""
    return graph.add("DDIMInvert", title, model=loader[0], latent=latent[0], clip=loader[1], **INVERT_DEFAULTS)


def repainted(graph: Graph, title: str, model, clip, positive, inverted, mask, seed: int):
    """Sampled by the inversion's own step."""
    return graph.add(
        "MaskedLatentSample",
        title,
        model=model,
        positive=positive,
        trajectory=inverted[1],
        cfg=7.5,
        sampler_name="as inverted",
        seed=seed,
        clip=clip,
        mask=mask,
    )


def pasted_on_the_original(graph: Graph, image, decoded, mask):
    return graph.add(
        "CompositeEditedPicture",
        PASTED,
        original=image[0],
        edited=decoded[0],
        mask=mask[0],
        feather=0,
        soft_edge=SOFT_EDGE,
    )


def edited_picture(graph: Graph, loader, image, edited, mask, prefix: str) -> None:
    """Save the edited picture as decoded and with the original's pixels outside the mask; show the mask."""
    graph.group("The result")
    decoded = graph.add("VAEDecode", "Decode", samples=edited[0], vae=loader[2])
    graph.add("SaveImage", "Edited picture", images=decoded[0], filename_prefix=prefix)
    graph.add("MaskPreview", "Mask", mask=mask[0])
    pasted = pasted_on_the_original(graph, image, decoded, mask)
    title = "Edited inside the mask, untouched outside"
    graph.add("SaveImage", title, images=pasted[0], filename_prefix=f"{prefix}_pasted")
