"""What the captioning nodes share: the folder of their models, and the inputs for choosing words."""

import os
from pathlib import Path

import folder_paths
from comfy_api.latest import io

from ...diffedit_core.prompts import captions_folder
from ...diffedit_core.prompts.captions import Captioning, DrawnWords
from ...diffedit_core.prompts.captions_folder import Kind
from .choice import chosen, seed_of_choice

MODELS = "captioning"
LABEL = f"models/{MODELS}"
NO_MODEL = f"(none in {LABEL})"
LIKELIEST, DRAWN = "likeliest word", "drawn words"

folder_paths.add_model_folder_path(MODELS, os.path.join(folder_paths.models_dir, MODELS))


def model_input(kind: Kind) -> io.Combo.Input:
    """A choice of the folders with a model of this kind. Without one the node loads all the same and says what to do."""
    return io.Combo.Input(
        "model",
        options=captions_folder.listed(folder_paths.get_folder_paths(MODELS), kind) or [NO_MODEL],
        tooltip=f"A folder in {LABEL} with a {kind.name} model, such as {kind.example}. New ones appear when the page is "
        "refreshed. Nothing is downloaded.",
    )


def find_model(kind: Kind, model: str) -> Path:
    """Raises ValueError, with what to do, for a name that the input does not list."""
    return captions_folder.find(folder_paths.get_folder_paths(MODELS), kind, model, LABEL)


def decoding_inputs(first: str, captions: int) -> list:
    """The inputs that `captioning` reads.

    Args:
        first: the default way to choose words.
        captions: how many, by default, if words are drawn.
    """
    options = {LIKELIEST: io.DynamicCombo.Option(LIKELIEST, []), DRAWN: io.DynamicCombo.Option(DRAWN, _drawing(captions))}
    return [
        io.Int.Input(
            "max_tokens",
            default=128,
            min=1,
            max=512,
            tooltip="Longest caption, in tokens (pieces of words). Most end earlier by themselves.",
        ),
        io.DynamicCombo.Input(
            "decoding",
            options=[options.pop(first), *options.values()],
            tooltip="likeliest word: always the likeliest, which gives one caption. drawn words: by their probability, so that "
            "captions differ.",
        ),
    ]


def _drawing(captions: int) -> list:
    return [
        io.Int.Input(
            "captions",
            default=captions,
            min=1,
            max=256,
            tooltip="How many. They are made together: more take more memory, and a little more time.",
        ),
        io.Float.Input(
            "temperature",
            default=0.8,
            min=0.05,
            max=5.0,
            step=0.05,
            tooltip="Less: likelier words, captions more alike. More: bolder, and in the end nonsense.",
        ),
        io.Int.Input(
            "top_k",
            default=10,
            min=0,
            max=1000,
            tooltip="Only this many likeliest words are drawn from; 0 for all. Less: safer, more alike.",
        ),
        seed_of_choice("Decides the draws. The same seed gives the same captions."),
    ]


def captioning(max_tokens: int, decoding: dict | None) -> Captioning:
    """What `decoding_inputs` say. Raises ValueError for an option that is none."""
    choice = chosen("decoding", decoding, (LIKELIEST, DRAWN))
    return Captioning(max_tokens, DrawnWords(**choice.settings) if choice.option == DRAWN else None)
