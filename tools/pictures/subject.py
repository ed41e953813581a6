"""What the demo and the templates' small pictures show: the toy world's rose, or the user's own subject."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..comfyui.client import node_titled
from ..comfyui.environment import SetupError
from ..workflows.examples import EXAMPLE_PICTURE, TOY_CHECKPOINT, diffedit, time_edit
from ..workflows.workflow import Graph

PUBLISHED_STEPS = 50  # of DiffEdit


@dataclass(frozen=True)
class Subject:
    """What the demo shows: the edit, prompts around it, and how to sample."""

    checkpoint: str
    source: str
    destination: str
    related: tuple[str, ...]
    unrelated: tuple[str, ...]
    picture_shows: str
    picture_shall_show: str
    size: int
    steps: int
    diffedit_steps: int
    cfg: float
    seeds: int
    lamb: float
    is_toy: bool


def subject(env: Mapping[str, str] = os.environ) -> Subject:
    """The toy world's rose, or the user's own subject where the environment names one.

    Raises:
        SetupError: a setting is no number, or too small.
    """
    toy = not env.get("CHECKPOINT")
    source = env.get("SOURCE") or ("a rose" if toy else "A pack of roses")
    destination = env.get("DESTINATION") or ("a blue rose" if toy else "A pack of blue roses")
    base = source[:1].lower() + source[1:]
    own_words = bool(env.get("SOURCE"))
    return Subject(
        checkpoint=TOY_CHECKPOINT if toy else Path(env["CHECKPOINT"]).name,
        source=source,
        destination=destination,
        related=("a painting of a rose", "two roses", "a rose on grass")
        if toy and not own_words
        else (f"a painting of {base}", f"{base} on a table"),
        unrelated=("a car", "a leaf", "a heart") if toy else ("a photo of a dog", "a red car"),
        picture_shows="a red rose" if toy and not own_words else source,
        picture_shall_show="a blue rose" if toy and not own_words else destination,
        size=whole_number(env, "SIZE", 128 if toy else 512, least=64),
        steps=whole_number(env, "STEPS", 20, least=1),
        diffedit_steps=whole_number(env, "STEPS", PUBLISHED_STEPS, least=1),
        cfg=number(env, "CFG", 3.0 if toy else 7.5),
        seeds=whole_number(env, "SEEDS", 4, least=1),
        lamb=number(env, "LAMBDA", 0.1),
        is_toy=toy,
    )


def number(env: Mapping[str, str], name: str, default: float) -> float:
    try:
        return float(env.get(name) or default)
    except ValueError:
        raise SetupError(f"{name}={env[name]} is no number. Give one, like {name}={default:g}.") from None


def whole_number(env: Mapping[str, str], name: str, default: int, least: int) -> int:
    given = env.get(name) or str(default)
    if not given.isdecimal() or int(given) < least:
        raise SetupError(f"{name}={given} is no whole number from {least} on. Give one, like {name}={default}.")
    return int(given)


def port(env: Mapping[str, str] = os.environ) -> int | None:
    """The port that is asked for; None lets the server choose a free one."""
    return whole_number(env, "PORT", 8188, least=1) if env.get("PORT") else None


def time_graph(what: Subject, prompt: str) -> Graph:
    """TIME's template for this subject, sampling `prompt`."""
    return time_edit(
        what.checkpoint,
        what.source,
        what.destination,
        prompt,
        size=what.size,
        batch=what.seeds,
        steps=what.steps,
        cfg=what.cfg,
        lamb=what.lamb,
    )


def diffedit_graph(what: Subject, picture: str = EXAMPLE_PICTURE) -> Graph:
    """DiffEdit's template for this subject, on a picture in the server's input folder."""
    graph = diffedit(what.checkpoint, picture, what.picture_shows, what.picture_shall_show)
    graph.nodes[node_titled(graph.nodes, "2. Back to noise")]["inputs"]["steps"] = what.diffedit_steps
    return graph


def demo_picture(what: Subject, folder: Path) -> tuple[Path, np.ndarray | None]:
    """The picture to edit, and the object's exact mask where it is known (a drawn picture)."""
    if given := os.environ.get("IMAGE"):
        if not Path(given).is_file():
            raise SetupError(f"IMAGE={given} does not exist. Give the path of a picture.")
        return Path(given), None
    from toyworld.world import Scene, draw

    picture = draw(np.random.RandomState(3), Scene("rose", "red"))
    pixels = Image.fromarray((picture.pixels * 255).round().astype(np.uint8))
    path = folder / EXAMPLE_PICTURE
    pixels.resize((what.size, what.size), Image.Resampling.BICUBIC).save(path)
    return path, picture.mask if what.is_toy else None
