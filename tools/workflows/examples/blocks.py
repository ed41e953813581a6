"""The blocks in subgraphs/: which part of which example workflow each is, and what of it stands on its face."""

from dataclasses import dataclass

from ..subgraph import Cut, Place
from . import EXAMPLES
from .shared import Example


@dataclass(frozen=True, kw_only=True)
class Block(Cut):
    """What to cut out of an example, for the node library.

    Attributes:
        aliases: by which it is found, too.
        example: whose nodes the titles name.
    """

    aliases: tuple[str, ...]
    example: Example


MODEL = {name: ("Load the model", output) for output, name in enumerate(("model", "clip", "vae"))}
PICTURE = {**MODEL, "image": ("Picture to edit", 0)}
RESULT = "Keep the original's pixels outside"


def _one(title: str, widget: str) -> tuple[Place, ...]:
    return ((title, widget),)


def _edit_of_a_picture(mask: str, invert: str, sample: str) -> dict:
    """What both ways to edit a given picture have in common, by the titles of their three steps."""
    return {
        "takes": PICTURE,
        "gives": {"image": (RESULT, 0), "decoded": ("Decode", 0), "mask": (mask, 0), "heatmap": (mask, 1)},
        "widgets": {
            "seed": _one(mask, "seed"),
            "noise_strength": _one(mask, "noise_strength"),
            "threshold": _one(mask, "rule.threshold"),
            "steps": _one(invert, "steps"),
            "strength": _one(invert, "strength"),
            "cfg": _one(sample, "cfg"),
            "feather": _one(RESULT, "feather"),
        },
    }


def _with_words(common: dict, **words: tuple[Place, ...]) -> dict:
    return common | {"widgets": words | common["widgets"]}


SAMPLERS = ("Sample before the edit", "Sample after the edit")
BLOCKS = (
    Block(
        name="DiffEdit",
        description="Edits a picture from text: finds where two prompts disagree about it, walks it back to noise, repaints "
        "there, and keeps the original's own pixels everywhere else.",
        aliases=("DiffEdit", "inpaint without a mask", "text-guided editing", "DDIM inversion"),
        example=EXAMPLES["diffedit"],
        **_with_words(
            _edit_of_a_picture("1. Where to edit", "2. Back to noise", "3. Repaint inside the mask"),
            what_it_shows=_one("What the picture shows", "text"),
            what_it_shall_show=_one("What it shall show", "text"),
        ),
    ),
    Block(
        name="TIME Edit of a Picture",
        description="Applies an edit of what the model assumes to one picture: finds where in it the edited model disagrees, "
        "and repaints there with the edited model.",
        aliases=("TIME", "DiffEdit", "model editing", "edit assumption"),
        example=EXAMPLES["time_edit_of_a_picture"],
        **_with_words(
            _edit_of_a_picture(
                "1. Where the edited model disagrees",
                "2. Back to noise, with the plain model",
                "3. Repaint with the edited model, same prompt",
            ),
            source=(("Edit what the model assumes", "source"), ("What the picture shows", "text")),
            destination=_one("Edit what the model assumes", "destination"),
            edit_lambda=_one("Edit what the model assumes", "lamb"),
        ),
    ),
    Block(
        name="TIME Edit",
        description="Edits what the model assumes, and shows one prompt before and after from the same noise. Only what is "
        "connected is computed: with the model alone, no picture is.",
        aliases=("TIME", "model editing", "concept edit", "edit assumption"),
        example=EXAMPLES["time_edit_model"],
        takes=MODEL,
        gives={
            "model": ("Edit what the model assumes", 0),
            "before": ("Decode before", 0),
            "after": ("Decode after", 0),
            "time_edit": ("Edit what the model assumes", 1),
        },
        widgets={
            "source": _one("Edit what the model assumes", "source"),
            "destination": _one("Edit what the model assumes", "destination"),
            "edit_lambda": _one("Edit what the model assumes", "lamb"),
            "prompt": _one("Prompt", "text"),
            "width": _one("Picture size", "width"),
            "height": _one("Picture size", "height"),
            "batch_size": _one("Picture size", "batch_size"),
            **{name: tuple((sampler, name) for sampler in SAMPLERS) for name in ("seed", "steps", "cfg")},
        },
    ),
)
