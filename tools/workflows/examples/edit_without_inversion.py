"""A masked edit by two prompts, with no way back to noise: for any model that the pack knows, and how it is guided."""

from dataclasses import dataclass

from ...comfyui.environment import TOY_CHECKPOINT
from ..workflow import Graph
from . import steps_of_an_edit as step
from .shared import EXAMPLE_PICTURE, Parts


@dataclass(frozen=True)
class Guidance:
    """How strongly the prompts guide: `by_cfg`, which runs the model twice a step, or by a number that the model reads."""

    target: float
    source: float
    by_cfg: bool = True


def edit_without_inversion(
    checkpoint: str | Parts = TOY_CHECKPOINT,
    picture: str = EXAMPLE_PICTURE,
    source: str = "a red rose",
    target: str = "a blue rose",
    guidance: Guidance = Guidance(7.5, 3.5),
    steps: int = 50,
    strength: float = 0.8,
    prefix: str = "flow_edit",
    seed: int = 1,
) -> Graph:
    """Mask and edit from the same two prompts, with no way back to noise between them."""
    graph, loader, image, latent = step.given_picture(checkpoint, picture)
    shows, wanted = step.two_prompts(graph, loader, source, target)
    if not guidance.by_cfg:
        shows, wanted = (
            graph.add("FluxGuidance", title, conditioning=prompt[0], guidance=number)
            for title, prompt, number in (
                ("Guidance of what it shows", shows, guidance.source),
                ("Guidance of what it shall show", wanted, guidance.target),
            )
        )
    graph.group("1. Where to edit")
    mask = step.masked(graph, "1. Where to edit", loader, image, latent, shows, wanted, seed)
    graph.group("2. Edit inside the mask")
    edited = graph.add(
        "MaskedFlowEdit",
        "2. Edit inside the mask",
        model=loader[0],
        latent=latent[0],
        target=wanted[0],
        seed=seed,
        steps=steps,
        strength=strength,
        target_cfg=guidance.target if guidance.by_cfg else 1.0,
        source_cfg=guidance.source if guidance.by_cfg else 1.0,
        averages=1,
        source=shows[0],
        clip=loader[1],
        mask=mask[0],
    )
    step.edited_picture(graph, loader, image, edited, mask, prefix)
    return graph
