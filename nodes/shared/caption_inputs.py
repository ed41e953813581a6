"""What the captioning nodes share: the folder of their models, and the inputs for sampling."""

import os
from pathlib import Path

import folder_paths
from comfy_api.latest import io

from ...diffedit_core.prompts import captions_folder
from ...diffedit_core.prompts.captions import Captioning
from ...diffedit_core.prompts.captions_folder import Kind

MODELS = "captioning"
LABEL = f"models/{MODELS}"
NO_MODEL = f"(none in {LABEL})"

folder_paths.add_model_folder_path(MODELS, os.path.join(folder_paths.models_dir, MODELS))


def model_input(kind: Kind) -> io.Combo.Input:
    """A choice of the folders with a model of this kind. Without one the node loads all the same and says what to do."""
    return io.Combo.Input(
        "model",
        options=captions_folder.listed(folder_paths.get_folder_paths(MODELS), kind) or [NO_MODEL],
        tooltip=f"A folder in {LABEL} with a {kind.name} model, such as {kind.example}. New ones appear when the page is "
        "refreshed. Nothing is downloaded.",
    )


def find_model(kind: Kind, name: str) -> Path:
    """Raises ValueError, with what to do, for a name that the input does not list."""
    return captions_folder.find(folder_paths.get_folder_paths(MODELS), kind, name, LABEL)


def check_model(kind: Kind, name: str | None) -> bool | str:
    """For validate_inputs."""
    if name is None:  # linked, and not known yet
        return True
    try:
        find_model(kind, name)
    except ValueError as error:
        return str(error)
    return True


def sampling_inputs(captions: int, do_sample: bool) -> list:
    """The inputs that `captioning` reads, with these defaults."""
    return [
        io.Int.Input(
            "seed",
            default=0,
            min=0,
            max=0xFFFFFFFFFFFFFFFF,
            control_after_generate=True,
            tooltip="Decides the draws of do_sample. The same seed gives the same captions.",
        ),
        io.Int.Input(
            "captions",
            default=captions,
            min=1,
            max=256,
            tooltip="How many. More than one need do_sample. They are made together: more take more memory, and a little more "
            "time.",
        ),
        io.Int.Input(
            "max_tokens",
            default=128,
            min=1,
            max=512,
            tooltip="Longest caption, in tokens (pieces of words). Most end earlier by themselves.",
        ),
        io.Boolean.Input(
            "do_sample",
            default=do_sample,
            tooltip="On: words are drawn by their probability, so that captions differ. Off: always the likeliest word.",
        ),
        io.Float.Input(
            "temperature",
            default=0.8,
            min=0.05,
            max=5.0,
            step=0.05,
            tooltip="With do_sample. Less: likelier words, captions more alike. More: bolder, and in the end nonsense.",
        ),
        io.Int.Input(
            "top_k",
            default=10,
            min=0,
            max=1000,
            tooltip="With do_sample: only this many likeliest words are drawn from; 0 for all. Less: safer, more alike.",
        ),
    ]


def captioning(seed, captions, max_tokens, do_sample, temperature, top_k) -> Captioning:
    """What `sampling_inputs` say. Raises ValueError for several captions without do_sample."""
    return Captioning(captions, max_tokens, do_sample, temperature, top_k, seed)
