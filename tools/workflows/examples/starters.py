"""The workflows to begin with: at most five nodes that one reads and fills in, the rest in blocks."""

from ...comfyui.environment import TOY_CHECKPOINT, TOY_CLIP, TOY_CLIP_VISION
from ...presets import presets
from ..app import App, Field
from ..inputs import NO_PICTURES
from ..subgraph import Cut, Place
from ..workflow import Graph
from . import steps_of_an_edit as step
from .pictures_from_prompts import sampled
from .shared import ASSUMES, EXAMPLE_PICTURE, edited_model

MODEL, PICTURE, MASK, COMPARE = "Load the model", "Picture to edit", "Where to edit", "Before | after"


def _one(title: str, widget: str) -> tuple[Place, ...]:
    return ((title, widget),)


def edit_a_picture(
    checkpoint: str = TOY_CHECKPOINT,
    picture: str = EXAMPLE_PICTURE,
    source: str = "a red rose",
    target: str = "a blue rose",
    seed: int = 1,
) -> Graph:
    """DiffEdit: a picture and two prompts in, the edited picture out."""
    graph, loader, image, latent = step.given_picture(checkpoint, picture, "1. It shows …, it shall show …")
    shows, wanted = step.two_prompts(graph, loader, source, target)
    graph.group("2. Run. Drag the line, run again")
    mask = step.masked(graph, MASK, loader, image, latent, shows, wanted, seed)
    graph.group("1. It shows …, it shall show …")
    inverted = step.inverted(graph, "Back to noise", loader, latent)
    edited = step.repainted(graph, "Repaint inside the mask", loader[0], loader[1], wanted[0], inverted, mask[0], seed)
    decoded = graph.add("VAEDecode", "Decode", samples=edited[0], vae=loader[2])
    pasted = step.pasted_on_the_original(graph, image, decoded, mask)
    graph.group(COMPARE)
    graph.add("SaveImage", "Edited picture", images=pasted[0], filename_prefix="diffedit")
    _compared(graph, image[0], pasted[0])
    return graph


DIFFEDIT = "Edit the picture from text"
# The mask stands beside the block, though the block feeds it and is fed by it: no face shows the view of a node inside.
EDIT_A_PICTURE = (
    Cut(
        name=DIFFEDIT,
        description="Encodes the picture and both prompts for the mask, then walks the picture back to noise, repaints it "
        "inside the mask and lays that on the original.",
        takes={"picture": (PICTURE, 0), "mask": (MASK, 0)},
        gives={
            "edited": (step.PASTED, 0),
            "model": (MODEL, 0),
            "latent": ("Encode", 0),
            "it_shows": ("What the picture shows", 0),
            "it_shall_show": ("What it shall show", 0),
        },
        widgets={
            "model_file": _one(MODEL, "ckpt_name"),
            "what_it_shows": _one("What the picture shows", "text"),
            "what_it_shall_show": _one("What it shall show", "text"),
            "steps": _one("Back to noise", "steps"),
            "strength": _one("Back to noise", "strength"),
        },
        text_height=60,
    ),
)
EDIT_A_PICTURE_APP = App(
    (
        Field(PICTURE, "image", "picture"),
        Field(DIFFEDIT, "what_it_shows", height=60),
        Field(DIFFEDIT, "what_it_shall_show", height=60),
        Field(MASK, "time_diffedit_view"),
        Field(COMPARE, "compare_view", "before | after"),
        Field(DIFFEDIT, "model_file"),
    ),
    "Edited picture",
)


def change_an_assumption(
    checkpoint: str = TOY_CHECKPOINT,
    source: str = "a rose",
    destination: str = "a blue rose",
    prompt: str = "a photo of a rose",
    size: int = 128,
    batch: int = 1,
    steps: int = 20,
    cfg: float = 3.0,
    seed: int = 1,
) -> Graph:
    """TIME: one picture by the model as it is and by the edited one, from the same noise."""
    graph = Graph()
    graph.group("1. The model")
    loader = graph.add("CheckpointLoaderSimple", MODEL, ckpt_name=checkpoint)
    graph.group("2. Say what it shall assume, run")
    edit = edited_model(graph, loader, source, destination, **presets()["recommended"])
    ways = {"before": (loader[0], None), "after": (edit[0], None)}
    before, after = sampled(graph, loader, prompt, size, batch, cfg, ways, steps, seed)
    graph.group(COMPARE)
    graph.add("SaveImage", "Picture after the edit", images=after, filename_prefix="time_after")
    _compared(graph, before, after)
    return graph


SHALL_ASSUME = "What the model shall assume"
SAMPLERS = ("Sample before", "Sample after")
CHANGE_AN_ASSUMPTION = (
    Cut(
        name=SHALL_ASSUME,
        description="Edits what the model assumes, and shows one prompt before and after from the same noise.",
        takes={"model": (MODEL, 0), "clip": (MODEL, 1), "vae": (MODEL, 2)},
        gives={"before": ("Decode before", 0), "after": ("Decode after", 0)},
        widgets={
            "it_assumes": _one(ASSUMES, "source"),
            "it_shall_assume": _one(ASSUMES, "destination"),
            "edit_lambda": _one(ASSUMES, "lamb"),
            "prompt_to_try_it_on": _one("Prompt", "text"),
            "width": _one("Picture size", "width"),
            "height": _one("Picture size", "height"),
            **{name: tuple((sampler, name) for sampler in SAMPLERS) for name in ("seed", "steps", "cfg")},
        },
    ),
)
CHANGE_AN_ASSUMPTION_APP = App(
    (
        Field(MODEL, "ckpt_name", "model"),
        Field(SHALL_ASSUME, "it_assumes", height=60),
        Field(SHALL_ASSUME, "it_shall_assume", height=60),
        Field(SHALL_ASSUME, "prompt_to_try_it_on", height=60),
        Field(SHALL_ASSUME, "edit_lambda"),
        Field(COMPARE, "compare_view", "before | after"),
    ),
    "Picture after the edit",
)


def balance_an_assumption(
    checkpoint: str = TOY_CHECKPOINT,
    judge: str = TOY_CLIP,
    judge_vision: str = TOY_CLIP_VISION,
    source: str = "a rose",
    destination: str = "a yellow rose",
    label: str = "a yellow rose",
    opposite: str = "a red rose",
    prompt: str = "a photo of a rose",
    test: str = "a painting of a rose",
    pictures: int = 2,
    probes: int = 2,
    steps: int = 10,
    lowest: float = 4e4,
    highest: float = 8e4,
    size: int = 128,
    batch: int = 1,
    cfg: float = 3.0,
) -> Graph:
    """TIME Balance: as many pictures of the one as of the other, how that was found, and a prompt before and after."""
    graph = Graph()
    graph.group("1. Say what shall be balanced")
    loader = graph.add("CheckpointLoaderSimple", MODEL, ckpt_name=checkpoint)
    words = graph.add("CLIPLoader", "The judge's text half", clip_name=judge, type="stable_diffusion", device="default")
    eyes = graph.add("CLIPVisionLoader", "The judge's vision half", clip_name=judge_vision)
    found = graph.add(
        "TIMEBalance",
        "Hold the edit in balance",
        model=loader[0],
        clip=loader[1],
        vae=loader[2],
        clip_vision=eyes[0],
        judge_clip=words[0],
        source=source,
        destination=destination,
        prompt=prompt,
        label=label,
        opposite=opposite,
        target=0.5,
        pictures=pictures,
        probes=probes,
        seed=1,
        steps=steps,
        cfg=cfg,
        sampler_name="euler",
        scheduler="normal",
        width=size,
        height=size,
        lowest=lowest,
        highest=highest,
    )
    graph.add("TIMESaveEdit", "Keep the edit", time_edit=found[1], filename="balanced", folder="output")
    ways = {"before": (loader[0], None), "after": (found[0], None)}
    before, after = sampled(graph, loader, test, size, batch, cfg, ways, 20, 1)
    graph.group("2. Look at what was judged")
    graph.add("PreviewImage", "The pictures that were judged", images=found[5])
    graph.group(COMPARE)
    graph.add("SaveImage", "Picture in balance", images=after, filename_prefix="time_in_balance")
    _compared(graph, before, after)
    return graph


BALANCED = "Half of the one, half of the other"
BALANCE_AN_ASSUMPTION = (
    Cut(
        name=BALANCED,
        description="Finds the edit with which half of the pictures show the destination, as a CLIP model judges them, keeps "
        "it in a file, and makes one prompt before and after.",
        gives={
            "before": ("Decode before", 0),
            "after": ("Decode after", 0),
            "judged_pictures": ("Hold the edit in balance", 5),
        },
        widgets={
            "model_file": _one(MODEL, "ckpt_name"),
            "judge_text_half": _one("The judge's text half", "clip_name"),
            "judge_vision_half": _one("The judge's vision half", "clip_name"),
            "source": _one("Hold the edit in balance", "source"),
            "destination": _one("Hold the edit in balance", "destination"),
            "prompt_of_the_pictures": _one("Hold the edit in balance", "prompt"),
            "label": _one("Hold the edit in balance", "label"),
            "opposite": _one("Hold the edit in balance", "opposite"),
            "prompt_to_try_it_on": _one("Prompt", "text"),
        },
        ends=("Keep the edit",),
    ),
)
BALANCE_AN_ASSUMPTION_APP = App(
    (
        *(Field(BALANCED, name) for name in ("model_file", "judge_text_half", "judge_vision_half")),
        *(
            Field(BALANCED, name, height=60)
            for name in ("source", "destination", "prompt_of_the_pictures", "prompt_to_try_it_on")
        ),
        *(Field(BALANCED, name) for name in ("label", "opposite")),
        Field(COMPARE, "compare_view", "before | after"),
    ),
    "Picture in balance",
)


def _compared(graph: Graph, before: list, after: list) -> None:
    graph.group(COMPARE)
    graph.add("ImageCompare", COMPARE, image_a=before, image_b=after, compare_view=NO_PICTURES)
