"""What the demo shows: the natural world's rose, or the user's own subject."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..comfyui.client import node_titled
from ..comfyui.environment import SetupError
from ..workflows.examples import (
    BLUE_ROSE,
    EXAMPLE_PICTURE,
    NATURAL_CHECKPOINT,
    RED_ROSE,
    change_an_assumption,
    diffedit,
    edit_a_picture,
    time_edit,
)
from ..workflows.workflow import Graph
from .given import PICTURE, SIZE, given_truth

PUBLISHED_STEPS = 50  # of DiffEdit


@dataclass(frozen=True)
class Subject:
    """What the demo shows: the edit, prompts around it, and how to sample. `is_natural`: on the natural world."""

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
    is_natural: bool


def subject(env: Mapping[str, str] = os.environ) -> Subject:
    """The natural world's rose, or the user's own subject where the environment names one.

    Raises:
        SetupError: a setting is no number, or too small.
    """
    natural, own_words = not env.get("CHECKPOINT"), bool(env.get("SOURCE"))
    source = env.get("SOURCE") or ("a rose" if natural else "A pack of roses")
    destination = env.get("DESTINATION") or ("a blue rose" if natural else "A pack of blue roses")
    if natural:  # in words that this world's captions have
        related = (f"a drawing of {source}", f"{source} on grass") + (() if own_words else ("two roses",))
        unrelated: tuple[str, ...] = ("a car", "a tulip", "a heart", "a yellow rose", "a dog next to a house")
    else:
        base = source[:1].lower() + source[1:]
        related, unrelated = (f"a painting of {base}", f"{base} on a table"), ("a photo of a dog", "a red car")
    shows, shall_show = (RED_ROSE, BLUE_ROSE) if natural and not own_words else (source, destination)
    return Subject(
        checkpoint=NATURAL_CHECKPOINT if natural else Path(env["CHECKPOINT"]).name,
        source=source,
        destination=destination,
        related=related,
        unrelated=unrelated,
        picture_shows=shows,
        picture_shall_show=shall_show,
        size=whole_number(env, "SIZE", SIZE if natural else 512, least=64),
        steps=whole_number(env, "STEPS", 20, least=1),
        diffedit_steps=whole_number(env, "STEPS", PUBLISHED_STEPS, least=1),
        cfg=number(env, "CFG", 3.0 if natural else 7.5),
        seeds=whole_number(env, "SEEDS", 3 if natural else 4, least=1),
        lamb=number(env, "LAMBDA", 0.1),
        is_natural=natural,
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


def assumption_graph(what: Subject) -> Graph:
    """TIME's starter for this subject."""
    return change_an_assumption(
        what.checkpoint, what.source, what.destination, what.source, size=what.size, steps=what.steps, cfg=what.cfg
    )


def edit_graph(what: Subject) -> Graph:
    """DiffEdit's starter for this subject, on the picture that `make ui` brings."""
    return edit_a_picture(what.checkpoint, EXAMPLE_PICTURE, what.picture_shows, what.picture_shall_show)


def demo_picture(what: Subject, folder: Path) -> tuple[Path, np.ndarray | None]:
    """The picture to edit, and the exact mask of what changes where it is known: on the natural world's own picture."""
    if given := os.environ.get("IMAGE"):
        if not Path(given).is_file():
            raise SetupError(f"IMAGE={given} does not exist. Give the path of a picture.")
        return Path(given), None
    path = folder / EXAMPLE_PICTURE
    with Image.open(PICTURE) as picture:
        picture.resize((what.size, what.size), Image.Resampling.BICUBIC).save(path)
    known = what.is_natural and (what.size, what.picture_shall_show) == (SIZE, BLUE_ROSE)
    return path, given_truth() if known else None
